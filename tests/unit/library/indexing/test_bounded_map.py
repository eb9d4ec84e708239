"""snapseek.library.indexing.bounded_map."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from snapseek.library.indexing import bounded_map as module
from snapseek.library.indexing.bounded_map import bounded_map


def test_results_come_in_order():
    late = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            late.wait(5)
        elif item == 3:
            late.set()
        return item * item

    with ThreadPoolExecutor(4) as pool:
        assert list(bounded_map(pool, work, range(9), 4)) == [item * item for item in range(9)]


def test_pending_calls_are_bounded():
    begun: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        results = bounded_map(pool, lambda item: item, (begun.append(item) or item for item in range(100)), 3)
        assert begun == []
        assert next(results) == 0
        assert begun == [0, 1, 2]
        assert next(results) == 1
        assert begun == [0, 1, 2, 3]


def test_an_error_is_raised_at_its_position():
    def work(item: int) -> float:
        return 6 / item

    with ThreadPoolExecutor(2) as pool:
        results = bounded_map(pool, work, [3, 2, 0, 1], 4)
        assert [next(results), next(results)] == [2, 3]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_closing_the_generator_cancels_pending_calls():
    go, done = threading.Event(), []

    def work(item: int) -> int:
        if item:
            go.wait(5)
        done.append(item)
        return item

    with ThreadPoolExecutor(1) as pool:
        results = bounded_map(pool, work, range(50), 10)
        assert next(results) == 0
        results.close()
        go.set()
    assert len(done) <= 2


def test_the_bytes_of_pending_calls_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES_AHEAD", 100)
    sizes = [40, 40, 40, 500, 5, 90, 20]
    read: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        items = (read.append(size) or size for size in sizes)
        results = bounded_map(pool, lambda item: item, items, 50, lambda item: item)
        for taken, result in enumerate(results, start=1):
            assert result == sizes[taken - 1]
            ahead = sizes[taken - 1 : len(read) - 1]  # the last one that was read is not submitted yet
            assert sum(ahead) <= 100 or len(ahead) == 1 or len(read) == len(sizes)
    assert read == sizes
