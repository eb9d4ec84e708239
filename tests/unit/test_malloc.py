"""snapseek.malloc: freed memory goes back to the system."""

import ctypes
import os
import shutil
import subprocess
import sys

import pytest

from snapseek import malloc
from snapseek.errors import InputError
from snapseek.library.storage import shard_files
from snapseek.server import run

if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
    pytest.skip("needs glibc", allow_module_level=True)

# A large freed block raises the dynamic threshold. Then blocks of 1 MB are on the heap, below one that stays.
KEPT = """
import ctypes, sys
from snapseek.malloc import bound_malloc
print(bound_malloc())
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 2**20
libc.free(libc.malloc(30 << 20))
before = resident()
blocks = [libc.malloc(1 << 20) for _ in range(200)]
for block in blocks:
    ctypes.memset(block, 1, 1 << 20)
for block in blocks[:-1]:
    libc.free(block)
print(resident() - before)
"""


def kept_mb(**environment: str) -> tuple[bool, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", KEPT]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    is_set, kept = done.stdout.split()
    return is_set == "True", int(kept)


def test_freed_blocks_go_back_to_the_system():
    is_set, kept = kept_mb()
    assert is_set
    assert kept < 10


def test_the_switch_leaves_the_allocator_alone():
    is_set, kept = kept_mb(SNAPSEEK_MALLOC="default")
    assert not is_set
    assert kept > 150


@pytest.mark.parametrize(
    "settings",
    [
        {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_ARENA_MAX": "8"},
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=33554432:glibc.malloc.arena_max=8"},
    ],
    ids=["variables", "tunables"],
)
def test_settings_of_the_environment_are_kept(settings):
    is_set, kept = kept_mb(**settings)
    assert not is_set
    assert kept > 150


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: object())
    assert not malloc.bound_malloc()
    monkeypatch.setattr(malloc.sys, "platform", "darwin")
    assert not malloc.bound_malloc()


def test_servers_and_indexes_bound_the_allocator(monkeypatch, library, tmp_path):
    calls = []
    monkeypatch.setattr(shard_files, "bound_malloc", lambda: calls.append("index"))
    with shard_files.exclusive_writer(shutil.copytree(library.info().path, tmp_path / "copy")):
        assert calls == ["index"]
    monkeypatch.setattr(run, "bound_malloc", lambda: calls.append("server"))
    with pytest.raises(InputError):
        run.serve(library, port=-1)
    assert calls == ["index", "server"]
