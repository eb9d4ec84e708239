"""A least-recently-used cache."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def _count_one(value: object) -> int:
    return 1


class LruCache(Generic[Key, Value]):
    """Values by key, up to a total size; the least recently used are evicted first.

    Safe to use from many threads.

    Parameters
    ----------
    maxsize
        The total size of the values that are kept.
    size_of
        The size of a value; by default each counts 1, so `maxsize` is a number of values.
    """

    def __init__(self, maxsize: int, size_of: Callable[[Value], int] = _count_one) -> None:
        self._maxsize = maxsize
        self._size_of = size_of
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self.size = 0
        """The total size of the values in the cache."""

    def __contains__(self, key: Key) -> bool:
        """Return whether the cache has a value for `key`. Does not count as a use."""
        return key in self._values

    def get(self, key: Key) -> Value | None:
        """Return the value of `key`, or None."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Store a value, and evict the least recently used ones until the total size fits."""
        with self._lock:
            old = self._values.pop(key, None)
            self.size += self._size_of(value) - (0 if old is None else self._size_of(old))
            self._values[key] = value
            while self.size > self._maxsize:
                _, evicted = self._values.popitem(last=False)
                self.size -= self._size_of(evicted)
