"""Ctrl-C in the first tens of milliseconds of the command, while modules load: the process ends at once.

Nothing is open or written yet. KeyboardInterrupt would print a traceback wherever the imports have come to.
The module needs nothing that is not built into the interpreter, so it is ready within a millisecond.
"""

import _signal  # type: ignore[import-not-found]  # `signal` needs enum, which takes milliseconds
import os


def _exit(_number: int, _frame: object) -> None:
    os._exit(130)


class ExitOnInterrupt:
    """Context manager: Ctrl-C ends the process with 130. Handlers of a host program are kept."""

    def __init__(self) -> None:
        self._is_installed = False

    def __enter__(self) -> None:
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            try:
                _signal.signal(_signal.SIGINT, _exit)
            except ValueError:  # only the main thread may set handlers
                return
            self._is_installed = True

    def __exit__(self, *_: object) -> None:
        if self._is_installed:
            self._is_installed = False
            raise_on_interrupt()


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, where `ExitOnInterrupt` has changed that."""
    if _signal.getsignal(_signal.SIGINT) is _exit:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
