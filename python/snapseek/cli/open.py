"""`snapseek open`: serve the page of a folder at once, and index the folder meanwhile."""

from __future__ import annotations

import math
import threading
import time
import webbrowser
from contextlib import ExitStack
from typing import TYPE_CHECKING

from snapseek.cli.console import job_progress, print_status
from snapseek.cli.index import add_page_arguments, build_library, index_arguments, library_path
from snapseek.cli.interrupt import exit_on_terminate
from snapseek.cli.options import add_folders
from snapseek.cli.serve import check_serving, is_private, serve_library, sync_arguments

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from snapseek.server.jobs import Job, JobRunner

_POLL_S = 0.05
_WAITING_S = 3.0
"""Until a page says what the job does. With the starter the first pictures are there before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare FOLDER..., how the library is made and how it is served."""
    add_folders(parser)
    add_page_arguments(parser)


def run(options: argparse.Namespace) -> int | None:
    """Index the folders and serve the page until it is stopped."""
    return serve_while_indexing(options.folders, options.library, options)


@exit_on_terminate()
def serve_while_indexing(folders: list[Path], path: Path | None, options: argparse.Namespace) -> int | None:
    """Start to index, serve the page as soon as the library has a picture, and index the rest meanwhile.

    If the first picture takes seconds, as after the download of a model, a page shows the job until then.
    """
    if not options.serve:
        build_library(folders, path, options)
        return None
    from snapseek.library import Library
    from snapseek.server.jobs import JobRunner

    check_serving(options)
    target = library_path(folders, path)
    jobs = JobRunner()
    try:
        job = jobs.start("index", index_arguments(folders, target, options))
        with job_progress(jobs, reports_end=False):
            has_pictures = _has_pictures(target, jobs, job, options)
        if not has_pictures:
            print_status(f"snapseek: {job.message or 'no picture was indexed'}", style="red")
            return 1
        library = Library.open(target)
        serve_library(library, options, jobs, follow=sync_arguments(library), sync_first=False)
    finally:
        jobs.close()
    return None


def _has_pictures(path: Path, jobs: JobRunner, job: Job, options: argparse.Namespace) -> bool:
    """Wait until the library has a picture, or until the job has ended. Return whether it has one."""
    import snapseek.server  # noqa: F401 (loaded while the job starts)
    from snapseek.library.model_choice import RecordedModel

    start_s = time.monotonic()
    with ExitStack() as page:
        while RecordedModel.read(path) is None:
            if jobs.wait(job, _POLL_S):
                return RecordedModel.read(path) is not None
            if time.monotonic() - start_s > _WAITING_S and is_private(options):
                start_s = math.inf
                _show_waiting_page(page, jobs, options)
    return True


def _show_waiting_page(page: ExitStack, jobs: JobRunner, options: argparse.Namespace) -> None:
    """Serve the page of the job on the port of the library, and open it in the browser."""
    from snapseek.server.waiting import waiting_page

    url, options.port = page.enter_context(waiting_page(options.host, options.port, jobs))
    print_status(f"the first pictures appear at {url}")
    if options.open:
        options.open = False
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
