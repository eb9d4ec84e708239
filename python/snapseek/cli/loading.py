"""Ctrl-C while the parts of the program are loaded.

An extension module that is interrupted while it initializes reports another error than KeyboardInterrupt, and
stays half loaded. So the signal is kept until everything is loaded, which takes about half a second.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPED = 130


@contextmanager
def interrupt_kept() -> Iterator[None]:
    """Raise SystemExit, 130, at the end of this block if Ctrl-C came during it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    stops: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: stops.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if stops:
        raise SystemExit(STOPPED)
