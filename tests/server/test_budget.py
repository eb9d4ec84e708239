"""snapseek.server.budget: the bytes of all requests, also of those whose client leaves meanwhile."""

import threading

import pytest
from starlette.exceptions import HTTPException

from snapseek.server.budget import ByteBudget

MB = 2**20


def test_a_thread_whose_client_has_left_keeps_no_bytes():
    budget = ByteBudget()
    with budget.reserve() as reservation:
        reservation.grow(MB)
    with pytest.raises(HTTPException):
        reservation.grow(MB)
    assert budget.used == 0
    assert not reservation.resize(MB)
    assert budget.used == 0


def test_a_thread_whose_client_has_left_frees_no_bytes_twice():
    budget = ByteBudget()
    with budget.reserve() as reservation:
        reservation.grow(3 * MB)
    reservation.shrink(2 * MB)
    reservation.close()
    assert budget.used == 0


def test_a_reservation_may_close_while_a_thread_changes_it():
    budget = ByteBudget()
    for _ in range(200):
        reservation = budget.reserve()

        def work(reservation=reservation):
            try:
                for _ in range(50):
                    reservation.grow(1000)
                    reservation.shrink(500)
            except HTTPException:
                pass

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        reservation.close()
        for thread in threads:
            thread.join()
        assert budget.used == 0
