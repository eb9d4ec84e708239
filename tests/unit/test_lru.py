"""snapseek.lru."""

from concurrent.futures import ThreadPoolExecutor

from snapseek.lru import LruCache


def test_the_least_recently_used_is_evicted():
    cache: LruCache[str, int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    cache.put("a", 4)
    cache.put("d", 5)
    assert ["c" in cache, cache.get("a"), cache.get("d")] == [False, 4, 5]


def test_sizes_are_bounded_instead_of_counts():
    cache: LruCache[str, bytes] = LruCache(10, size_of=len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"12345")
    assert ["a" in cache, "b" in cache, "c" in cache, cache.size] == [True, False, True, 9]
    cache.put("a", b"12")
    assert cache.size == 7
    cache.put("d", b"123")
    assert cache.size == 10
    cache.put("too large", b"12345678901")
    assert ["too large" in cache, cache.size] == [False, 0]


def test_many_threads_never_keep_more_than_the_bound():
    cache: LruCache[int, int] = LruCache(8)

    def use(number: int) -> bool:
        found = cache.get(number % 24)
        cache.put(number % 24, number % 24)
        return found in (None, number % 24)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(4000)))
    assert sum(number in cache for number in range(24)) == cache.size == 8
