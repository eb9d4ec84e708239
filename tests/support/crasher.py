"""Jobs on libraries, each in a process of its own that may be killed: see crash_worker.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.faulty_disk import compile_faulty_disk

NOTHING: dict[str, float] = {}


class Crasher:
    """Does jobs in processes that may be killed."""

    def __init__(self, directory: Path, model: Path) -> None:
        self.directory = directory
        tests = Path(__file__).parent
        paths = os.pathsep.join([str(tests.parents[1]), *sys.path])
        environment = {**os.environ, "LD_PRELOAD": str(compile_faulty_disk(directory)), "PYTHONPATH": paths}
        self._process = subprocess.Popen(
            [sys.executable, tests / "crash_worker.py", model],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.log = directory / "log"

    def run(self, job, library, folder, settings=NOTHING, kill_at=0, space=-1, **more) -> int:
        request = {"job": job, "library": str(library), "folder": str(folder), "settings": settings} | more
        request |= {"log": str(self.log), "kill_at": kill_at, "space": space}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def events(self) -> int:
        """How many there were in the job that has just ended."""
        return int(Path(f"{self.log}.events").read_text())

    def written_bytes(self) -> int:
        lines = self.log.read_text().splitlines()
        return sum(int(line.split(" ")[3]) for line in lines if line.startswith("w"))

    def close(self) -> None:
        self._process.stdin.close()
        assert self._process.wait(60) == 0
        self._process.stdout.close()
