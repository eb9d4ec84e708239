"""snapseek.cli.interrupt: Ctrl-C during imports ends the program and breaks no module."""

import signal
import sys

import pytest

from snapseek.cli.interrupt import EXIT_INTERRUPTED, deferred_interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.fixture(autouse=True)
def default_handler():
    """Start with Python's own handler, whatever an earlier test has set."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def test_a_signal_is_deferred_to_the_end_of_the_block():
    loaded: list[str] = []

    def load() -> None:
        with deferred_interrupt():
            signal.raise_signal(signal.SIGINT)
            loaded.append("module")

    with pytest.raises(SystemExit) as stopped:
        load()
    assert (stopped.value.code, loaded) == (EXIT_INTERRUPTED, ["module"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_import_error_is_raised():
    with pytest.raises(ImportError), deferred_interrupt():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_host_program_is_kept():
    def handler(_number: int, _frame: object) -> None:
        """Of another program."""

    signal.signal(signal.SIGINT, handler)
    try:
        with deferred_interrupt():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
