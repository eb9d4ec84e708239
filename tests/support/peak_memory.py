"""The peak memory of Python code, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

_PEAK = """
lines = open("/proc/self/status").read().splitlines()
print("peak", next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""


def run_measured(code: str, *arguments: str | Path, **environment: str) -> tuple[int, str]:
    """Run the code; return its peak of resident memory in MiB, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code + _PEAK, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    printed, _, peak = done.stdout.rpartition("peak ")
    return int(peak), printed
