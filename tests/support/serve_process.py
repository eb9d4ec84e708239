"""`snapseek serve` in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(library: Path, *options: str) -> Iterator[str]:
    """Yield the address of a server, with a slash at the end; stop the server afterwards."""
    command = [sys.executable, "-m", "snapseek", "serve", str(library), "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            output = ""
            for line in process.stderr or ():
                output += line
                if address := re.search(r"http://\S+", line):
                    yield address.group().rstrip("/") + "/"
                    return
            raise RuntimeError(output)
        finally:
            process.terminate()
            process.communicate(timeout=60)
