"""One command of the command line."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A word after `snapseek`: `arguments` declares what may follow, `run` does it.

    `run` may return an exit code; None is 0. What goes wrong is raised as a SnapseekError. `details` is what
    the help says beyond the summary.
    """

    name: str
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]
    details: str = ""
