"""snapseek.library.indexing.memory_budget."""

import threading
import time

from snapseek.library.indexing.memory_budget import MemoryBudget


def largest_sum(budget: MemoryBudget, sizes: list[int], held_s: float = 0.01) -> int:
    """Return the largest sum of bytes that threads held together, one thread for each size."""
    lock, held, peak = threading.Lock(), 0, 0

    def hold(size: int) -> None:
        nonlocal held, peak
        with budget.reservation() as reservation:
            reservation.take(size)
            with lock:
                held += size
                peak = max(peak, held)
            time.sleep(held_s)
            with lock:
                held -= size

    threads = [threading.Thread(target=hold, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return peak


def test_threads_hold_at_most_the_budget():
    assert 70 <= largest_sum(MemoryBudget(100), [70, 30, 50, 10, 90, 1, 100, 20] * 3) <= 100


def test_one_that_needs_more_than_all_is_alone():
    assert largest_sum(MemoryBudget(100), [500, 10, 300, 90]) == 500


def test_an_error_frees_what_was_held():
    budget = MemoryBudget(100)
    for _ in range(3):
        try:
            with budget.reservation() as reservation:
                reservation.take(80)
                raise ValueError
        except ValueError:
            pass
    assert largest_sum(budget, [100]) == 100


def test_a_reservation_that_takes_nothing_does_not_wait():
    budget = MemoryBudget(10)
    with budget.reservation() as reservation:
        reservation.take(10)
        with budget.reservation():
            pass


def test_the_budget_grows_with_the_threads():
    small, large = MemoryBudget.for_threads(1), MemoryBudget.for_threads(64)
    assert largest_sum(small, [400 << 20] * 4) == 400 << 20
    assert largest_sum(large, [400 << 20] * 4, held_s=0.3) == 1600 << 20
