"""snapseek.cli.loading: a Ctrl-C while the program loads ends it, and breaks no module."""

import signal
import sys

import pytest

from snapseek.cli.loading import STOPPED, interrupt_kept

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


def test_a_signal_is_kept_until_all_is_loaded():
    loaded: list[str] = []

    def load() -> None:
        with interrupt_kept():
            signal.raise_signal(signal.SIGINT)
            loaded.append("the rest")

    with pytest.raises(SystemExit) as stopped:
        load()
    assert (stopped.value.code, loaded) == (STOPPED, ["the rest"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_loading_is_not_hidden():
    with pytest.raises(ImportError), interrupt_kept():
        raise ImportError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_host_program_stays():
    def handler(_number: int, _frame: object) -> None:
        """Of somebody else."""

    signal.signal(signal.SIGINT, handler)
    try:
        with interrupt_kept():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
