"""The first tens of milliseconds of the command, while modules load.

Ctrl-C ends the process at once: nothing is open or written yet, and KeyboardInterrupt would print a traceback
wherever the imports have come to. Optional packages that no command uses are hidden from pyarrow.
The module needs nothing that is not built into the interpreter, so it is ready within a millisecond.
"""

import _signal  # type: ignore[import-not-found]  # `signal` needs enum, which takes milliseconds
import gc
import os
import sys


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


class _WithoutPandas:
    """A finder of modules that says pandas is not installed."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("no command needs pandas", name=name)


def hide_pandas() -> None:
    """Let this process work as if pandas were not installed.

    pyarrow imports it for the first array that is made of Python values, which takes half a second of the
    time to the first picture. Only `Hits.to_pandas` needs it, and no command calls that.
    """
    sys.meta_path.insert(0, _WithoutPandas)


class without_collection:  # noqa: N801 (a context manager; contextlib takes milliseconds)
    """Context manager for imports: no garbage collection in the block, nor of what it has loaded.

    Modules are never garbage, and to look for some in them takes a tenth of the time of their import.
    """

    def __enter__(self) -> None:
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.freeze()
        gc.enable()
