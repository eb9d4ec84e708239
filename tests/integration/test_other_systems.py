"""A library on Windows and macOS, emulated in a child process: what these systems lack or do differently."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("system", "has_full_flush"), [("win32", False), ("darwin", True)])
def test_a_library_works_without_the_functions_of_linux(system, has_full_flush, folder, tmp_path, tiny_model):
    command = [sys.executable, "-m", "tests.support.other_systems", system]
    arguments = [folder, tmp_path / "colors.snapseek", tiny_model]
    ran = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "built 6",
        "found red.jpg",
        "locked once",
        "synced 1 1",
        "filtered 1",
        "sound True",
        "exported 6",
        "original 200",
        f"flushed {has_full_flush}",
    ]
