"""Modules that a command imports at start-up."""

import importlib.util
import os
import subprocess
import sys

import pytest

from snapseek.cli.commands import COMMAND_NAMES, COMMANDS
from snapseek.cli.export import FORMATS
from snapseek.cli.main import main
from snapseek.library import Library, export

HEAVY = {
    "numpy",
    "pyarrow",
    "onnxruntime",
    "tokenizers",
    "PIL",
    "starlette",
    "uvicorn",
    "rich",
    "asyncio",
    "sqlite3",
    "aiohttp",
    "huggingface_hub",
    "onnx",
    "torch",
    "watchfiles",
    "difflib",
}
OURS = {
    f"snapseek.{name}"
    for name in ["library", "models", "sources", "images", "server", "distil", "vectors", "facts"]
}
MAX_VERSION_CPU_S = 0.1
_PRINT_MODULES = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.argv[0] = "snapseek"
import snapseek.__main__
"""


def imported(*arguments):
    """The modules that a command has imported when it ends."""
    command = [sys.executable, "-c", _PRINT_MODULES, *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stderr.splitlines()[-1].split())


def loaded_commands(modules):
    files = {f"snapseek.cli.{command.module or command.name}": command.name for command in COMMANDS}
    return {files[name] for name in modules & files.keys()}


def test_importing_the_package_loads_none_of_its_parts():
    code = "import sys, snapseek; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(answer.stdout.split())
    assert "snapseek" in modules
    assert not [name for name in modules if name.startswith("snapseek.")]
    assert not HEAVY & modules


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_version_and_help_import_no_command(arguments):
    modules = imported(*arguments)
    assert "snapseek.cli.main" in modules
    assert not (HEAVY | OURS) & modules
    assert loaded_commands(modules) == set()


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_the_help_of_a_command_imports_no_library(name):
    modules = imported(name, "--help")
    assert not (HEAVY | OURS) & modules
    shared = {"open": {"index", "serve"}, "demo": {"index", "open", "serve"}}.get(name, set())
    assert loaded_commands(modules) == {name} | shared


def test_a_search_imports_no_server_and_no_progress_bar(folder, tiny_model):
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    modules = imported("search", "red", "--library", str(folder))
    assert "snapseek.library" in modules
    assert not {"snapseek.server", "starlette", "uvicorn", "rich", "snapseek.distil"} & modules


def test_a_server_imports_nothing_that_its_first_answer_does_not_need():
    code = "import sys, snapseek.library, snapseek.cli.serve, snapseek.server.jobs; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(answer.stdout.split())
    assert "snapseek.server.run" in modules
    assert not {"rich", "pathspec", "pyarrow.parquet", "snapseek.collection"} & modules


def test_imports_of_a_command_are_not_collected_as_garbage():
    code = "import atexit, gc; atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000))"
    command = [sys.executable, "-c", f"{code}; import snapseek.__main__", "info"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stdout.splitlines()[-1] == "True True", answer.stderr


def test_a_status_line_without_a_terminal_needs_no_rich():
    code = "import sys; from snapseek.cli.console import print_status; print_status(':dog: [b]', style='red')"
    command = [sys.executable, "-c", f"{code}; print('rich' in sys.modules)"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (answer.stderr, answer.stdout) == (":dog: [b]\n", "False\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_command_needs_no_open_stderr(folder, tiny_model):
    command = [sys.executable, "-m", "snapseek", "index", str(folder), "--model", str(tiny_model)]
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    assert subprocess.run(closed, capture_output=True, check=False).returncode == 0
    assert len(Library.open(folder)) > 0


def test_an_index_and_a_search_import_no_pandas(folder, tiny_model):
    assert importlib.util.find_spec("pandas"), "it is installed here, and pyarrow would import it"
    assert "pandas" not in imported("index", str(folder), "--model", str(tiny_model), "--progress", "json")
    assert "pandas" not in imported("search", "red", "--library", str(folder))


def test_a_command_within_a_program_leaves_its_pandas_alone(folder, tiny_model):
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    assert len(Library.open(folder).browse(9).to_pandas()) > 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs os.wait4")
def test_version_takes_little_processor_time():
    def cpu_s():
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "snapseek", "--version"],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        _, status, usage = os.wait4(pid, 0)
        assert status == 0
        return usage.ru_utime + usage.ru_stime

    assert min(cpu_s() for _ in range(5)) <= MAX_VERSION_CPU_S


def test_choices_are_those_of_the_library():
    assert tuple(export.FORMATS) == FORMATS
