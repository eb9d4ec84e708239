"""snapseek.lru."""

from concurrent.futures import ThreadPoolExecutor

from snapseek.lru import LruCache


def test_the_one_that_was_not_asked_for_longest_goes():
    recent: LruCache[str, int] = LruCache(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]
    recent.put("a", 4)
    recent.put("d", 5)
    assert ["c" in recent, recent.get("a"), recent.get("d")] == [False, 4, 5]


def test_many_threads_never_keep_more_than_the_bound():
    recent: LruCache[int, int] = LruCache(8)

    def ask(number: int) -> bool:
        found = recent.get(number % 24)
        recent.put(number % 24, number % 24)
        return found in (None, number % 24)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(4000)))
    assert sum(number in recent for number in range(24)) == 8
