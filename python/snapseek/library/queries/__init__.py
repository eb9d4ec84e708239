"""What is asked, and the order in which it is answered.

`request` holds the arguments of a search. Its `terms` are made one vector by `ask`; `ranking` brings the
pictures that match into order: by score, by `words`, by date or size (`ordering`), folded (`folding`).
`weak` says from where on they hardly fit, `suggestions` what is worth asking.
"""
