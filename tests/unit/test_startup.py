"""snapseek.startup: Ctrl-C while the command loads ends the process with 130 and without a traceback."""

import signal
import subprocess
import sys

import pytest

from snapseek.startup import ExitOnInterrupt, raise_on_interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

# A finder that looks for a module raises the signal there, as if Ctrl-C came at that moment.
_INTERRUPTED_AT = """
import runpy, signal, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == {name!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["-m", "--version"]
sys.orig_argv = [sys.executable, "-m", "snapseek", "--version"]
{start}
"""
_STARTS = {
    "module": 'runpy._run_module_as_main("snapseek")',
    "script": 'sys.argv[0] = "snapseek"; from snapseek.cli import main; sys.exit(main())',
}


@pytest.mark.parametrize(
    "name", ["argparse", "snapseek.cli.commands", "snapseek.cli.main", "snapseek._core", "snapseek.errors"]
)
@pytest.mark.parametrize("start", _STARTS)
def test_an_interrupt_while_modules_load_prints_nothing(start, name):
    code = _INTERRUPTED_AT.format(name=name, start=_STARTS[start])
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")


@pytest.mark.parametrize("name", ["snapseek.__main__", "snapseek.cli"])
def test_an_interrupt_before_the_command_is_found_prints_nothing(name):
    code = _INTERRUPTED_AT.format(name=name, start=_STARTS["module"])
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")


def test_importing_the_package_leaves_the_handler_alone():
    code = (
        "import signal, snapseek, snapseek.cli\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_handler_of_the_host_program_is_kept():
    def handler(_number: int, _frame: object) -> None:
        """Of another program."""

    before = signal.signal(signal.SIGINT, handler)
    try:
        with ExitOnInterrupt():
            assert signal.getsignal(signal.SIGINT) is handler
        raise_on_interrupt()
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_package_does_nothing_before_the_command_can_be_stopped():
    code = "import time, sys; n = len(sys.modules); import snapseek; print(len(sys.modules) - n)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(answer.stdout) == 1


def test_a_second_interrupt_during_the_last_message_prints_no_traceback():
    code = """
import signal, sys
from snapseek.cli import main
module = sys.modules["snapseek.cli.main"]
def interrupted(*_):
    raise KeyboardInterrupt
module._parse = interrupted
module.print_status = lambda _text: signal.raise_signal(signal.SIGINT)
sys.exit(main(["info"]))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "")
