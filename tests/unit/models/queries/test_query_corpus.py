from pathlib import Path

import snapseek.models.queries.query_corpus as query_corpus
from snapseek.models.queries.query_corpus import Words, generate_queries, word_list


def test_the_words_are_many_and_small_on_the_disk():
    words = word_list()
    assert len(words.everyday) > 1000
    assert len(words.things) > 4000
    assert not set(words.everyday) & set(words.things)
    assert {"dog", "beach"} <= set(words.everyday)
    assert not any(word.startswith("#") or not word.strip() for word in words.all)
    assert (Path(query_corpus.__file__).parent / "words.txt").stat().st_size < 200_000


def test_the_same_seed_gives_the_same_texts_and_no_text_twice():
    first = generate_queries(500, seed=3)
    assert first == generate_queries(500, seed=3) == generate_queries(900, seed=3)[:500]
    assert len(set(first)) == 500
    assert first != generate_queries(500, seed=4)


def test_half_of_the_texts_are_about_everyday_words():
    words = Words(("dog",), ("abacus",))
    found = generate_queries(300, words=words)
    assert 0.3 < sum("dog" in text for text in found) / len(found) < 0.8
    assert "dog" in found
    assert all("dog" in text or "abacus" in text or "abacuses" in text for text in found)


def test_few_words_give_few_texts():
    texts = generate_queries(10**6, words=Words(("owl",), ()))
    assert 1000 < len(texts) < 10**6
