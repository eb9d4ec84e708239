"""Ask many partitions at the same time: deadlines, hedged requests, and retries with other replicas.

One thread does all of it, in an event loop of its own that ends with the last answer or at the deadline. See
Dean and Barroso, "The Tail at Scale", CACM 2013, for hedged requests.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from snapseek.cancellation import check_cancelled
from snapseek.collection.exchange import Exchange
from snapseek.collection.ready import ReadySockets
from snapseek.errors import PartitionError, SnapseekError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from snapseek.collection.replica import Replica


class StateGoneError(PartitionError):
    """A partition no longer has the state that the first answers of a query came from."""


_SLICE_S = 0.05
"""How often the loop looks whether its result is still wanted."""

OK = 200


Loop = ReadySockets[tuple["Call", Exchange]]
"""The sockets that calls wait for."""


class Call:
    """A request to a partition with several replicas.

    Parameters
    ----------
    replicas
        The servers, the preferred one first.
    request
        Returns the bytes to send to a replica.
    accept
        Turns status and body of an answer into a result. Raises SnapseekError for one that cannot be used.
    hedge_s
        After this time a second replica is queried as well.
    is_probe
        Whether it only looks whether a replica is well: breakers do not stop it, and its success closes them.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        request: Callable[[Replica], bytes],
        accept: Callable[[int, memoryview], Any],
        hedge_s: float,
        *,
        is_probe: bool = False,
    ) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self.failure: SnapseekError | None = None
        self.winner: Replica | None = None
        """The replica whose answer counts."""
        self.took_s = 0.0
        self.hedge_s = hedge_s
        self.exchanges: list[Exchange] = []
        admitted = [replica for replica in replicas if is_probe or replica.admits()]
        others = [replica for replica in replicas if replica not in admitted and not replica.is_slow]
        self._untried = [*admitted, *others]
        self._is_probe = is_probe
        self._request = request
        self._accept = accept
        self.reason = "" if self._untried else "it failed several times and is not queried for a while"

    @property
    def is_done(self) -> bool:
        """Whether there is a result or a failure."""
        return self.winner is not None or self.failure is not None

    @property
    def can_hedge(self) -> bool:
        """Whether a second replica can be queried."""
        return bool(self._untried) and len(self.exchanges) == 1

    def start(self, loop: Loop) -> None:
        """Send the request to the next replica; without one the call fails, unless another is under way."""
        while self._untried:
            replica = self._untried.pop(0)
            if self._send(loop, replica):
                return
        if not self.exchanges:
            is_gone = isinstance(self.error, StateGoneError)
            self.failure = (StateGoneError if is_gone else PartitionError)(self.reason or "no answer")

    def advance(self, loop: Loop, exchange: Exchange) -> None:
        """Go on with an exchange whose socket is ready."""
        try:
            body = exchange.advance()
            if body is None:
                loop.watch(exchange.socket, exchange.events, (self, exchange))
                return
            self.result = self._accept(exchange.status, body)
        except (SnapseekError, OSError) as error:
            self._drop(loop, exchange, error)
            return
        self.winner = exchange.replica
        exchange.replica.succeeded()
        loop.forget(exchange.socket)
        self.exchanges.remove(exchange)
        exchange.finish()
        self.abandon(loop)

    def abandon(self, loop: Loop) -> None:
        """Close what is still under way."""
        for exchange in self.exchanges:
            loop.forget(exchange.socket)
            exchange.abandon()
        self.exchanges.clear()

    def expire(self, loop: Loop, deadline_s: float) -> None:
        """Fail at the deadline."""
        for exchange in self.exchanges:
            self._count_failure(exchange.replica, was_slow=True)
        self.abandon(loop)
        self.failure = PartitionError(f"it did not answer within {deadline_s:g} seconds")

    def _send(self, loop: Loop, replica: Replica) -> bool:
        try:
            exchange = Exchange(replica, self._request(replica))
        except OSError as error:
            self._count_failure(replica)
            self.reason = f"it cannot be reached: {error.strerror or error}"
            return False
        self.exchanges.append(exchange)
        self.advance(loop, exchange)
        return True

    def _count_failure(self, replica: Replica, *, was_slow: bool = False) -> None:
        if not self._is_probe:
            replica.failed(was_slow=was_slow)

    def _drop(self, loop: Loop, exchange: Exchange, error: Exception) -> None:
        """Give up one exchange; try a new connection if an idle one was closed, else the next replica."""
        loop.forget(exchange.socket)
        exchange.abandon()
        self.exchanges.remove(exchange)
        is_stale = isinstance(error, OSError) and exchange.is_reused and not exchange.has_answer_begun
        if is_stale:
            exchange.replica.close()  # the others are as old
            self._untried.insert(0, exchange.replica)
        else:
            if not isinstance(error, StateGoneError):
                self._count_failure(exchange.replica)
            self.reason, self.error = _reason(error), error
        self.start(loop)


def scatter(calls: Sequence[Call], deadline_s: float) -> None:
    """Send all calls and wait until each has a result or a failure, at most until the deadline.

    Raises OperationCancelledError once the results are no longer wanted.
    """
    start = time.monotonic()
    loop = Loop()
    try:
        for call in calls:
            call.start(loop)
        pending = {id(call): call for call in calls if not call.is_done}
        hedges = deque(sorted((call for call in calls if call.can_hedge), key=lambda call: call.hedge_s))
        while pending:
            check_cancelled()
            passed = time.monotonic() - start
            if passed >= deadline_s:
                for call in pending.values():
                    call.expire(loop, deadline_s)
                break
            while hedges and (hedges[0].is_done or hedges[0].hedge_s <= passed):
                call = hedges.popleft()
                if call.can_hedge and not call.is_done:
                    call.start(loop)
            next_s = min(_SLICE_S, deadline_s - passed, hedges[0].hedge_s - passed if hedges else _SLICE_S)
            for call, exchange in loop.wait(max(0.0, next_s)):
                if exchange in call.exchanges:
                    call.advance(loop, exchange)
                    call.took_s = time.monotonic() - start
                if call.is_done:
                    pending.pop(id(call), None)
    finally:
        for call in calls:
            call.abandon(loop)


def _reason(error: Exception) -> str:
    if isinstance(error, SnapseekError):
        return f"it sent {error}"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"its connection failed: {text}"
