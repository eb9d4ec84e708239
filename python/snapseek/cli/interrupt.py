"""Ctrl-C during imports and in jobs.

An extension module that is interrupted while it initializes raises another error than KeyboardInterrupt and
stays half loaded. So the signal is deferred until the imports end, after about half a second.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from snapseek.errors import LibraryBusyError

EXIT_INTERRUPTED = 130


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C in the block sets; the second one raises KeyboardInterrupt."""
    event = threading.Event()
    number = getattr(signal, "SIGBREAK", signal.SIGINT)  # what a job gets on Windows
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def stop(_number: int, _frame: object) -> None:
        event.set()
        signal.signal(number, previous)

    previous = signal.signal(number, stop)
    try:
        yield event
    finally:
        if signal.getsignal(number) is stop:
            signal.signal(number, previous)


def run_as_job(form: str, work: Callable[[], int]) -> int:
    """Return the exit code of work that a server may have started: with `json`, one for a busy library."""
    try:
        return work()
    except LibraryBusyError:
        if form != "json":
            raise
        from snapseek.server.jobs import EXIT_BUSY

        return EXIT_BUSY  # the server tries again later


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Raise SystemExit(130) at the end of the block if Ctrl-C was pressed during it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signals: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: signals.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signals:
        raise SystemExit(EXIT_INTERRUPTED)
