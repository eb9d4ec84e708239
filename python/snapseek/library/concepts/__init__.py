"""Concepts: words that users teach by examples, such as the name of a dog.

The library stores a name and the ids of examples and counterexamples (`storage.concept_table`). The direction
of a concept in the vector space of the model is trained from them when it is first used (`classifier`), so a
new model needs no conversion.
"""
