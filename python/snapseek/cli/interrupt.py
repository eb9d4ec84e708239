"""Ctrl-C during imports and in jobs, and SIGTERM to a server.

An extension module that is interrupted while it initializes raises another error than KeyboardInterrupt and
stays half loaded. So the signal is deferred until the imports end, after about half a second.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from snapseek.errors import LibraryBusyError

EXIT_INTERRUPTED = 130
_EXIT_OF_SIGNAL = 128


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


@contextmanager
def exit_on_terminate() -> Iterator[Callable[[], None]]:
    """Let SIGTERM, and the end of the terminal, unwind the block, so that what it has started is stopped.

    Then the signal ends the process, as its supervisor expects. Yields a function that sets the handlers
    again, where a library has set its own in the block. Handlers of a host program are kept.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield lambda: None
        return
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the end
        received.append(number)
        raise SystemExit(_EXIT_OF_SIGNAL + number)

    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_DFL:  # as `nohup` sets it
        hang_up = None

    def install() -> None:
        signal.signal(signal.SIGTERM, stop)
        if hang_up is not None:
            signal.signal(hang_up, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))

    install()
    try:
        yield install
    finally:
        for number in (signal.SIGTERM, hang_up):
            if number is not None:
                signal.signal(number, signal.SIG_DFL)
        if received:
            signal.raise_signal(received[0])


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
