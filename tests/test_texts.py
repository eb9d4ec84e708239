from pathlib import Path

import snapseek.models.texts as texts
from snapseek.models.texts import Words, shipped_texts, shipped_words


def test_the_words_are_many_and_small_on_the_disk():
    words = shipped_words()
    assert len(words.everyday) > 1000
    assert len(words.things) > 4000
    assert not set(words.everyday) & set(words.things)
    assert {"dog", "beach"} <= set(words.everyday)
    assert not any(word.startswith("#") or not word.strip() for word in words.all)
    assert (Path(texts.__file__).parent / "words.txt").stat().st_size < 200_000


def test_the_same_seed_gives_the_same_texts_and_no_text_twice():
    first = shipped_texts(500, seed=3)
    assert first == shipped_texts(500, seed=3) == shipped_texts(900, seed=3)[:500]
    assert len(set(first)) == 500
    assert first != shipped_texts(500, seed=4)


def test_half_of_the_texts_are_about_everyday_words():
    words = Words(("dog",), ("abacus",))
    found = shipped_texts(300, words=words)
    assert 0.3 < sum("dog" in text for text in found) / len(found) < 0.8
    assert "dog" in found
    assert all("dog" in text or "abacus" in text or "abacuses" in text for text in found)


def test_few_words_give_few_texts():
    few = shipped_texts(10**6, words=Words(("owl",), ()))
    assert 1000 < len(few) < 10**6
