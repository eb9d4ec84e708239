"""`snapseek serve`: serve the page of a library."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from snapseek.cli.console import job_progress, print_offer, print_status, print_unconfirmed, printable
from snapseek.cli.interrupt import EXIT_INTERRUPTED, exit_on_terminate
from snapseek.cli.options import (
    add_library_argument,
    add_serving,
    add_trust,
    nonempty_path,
    open_readable,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from snapseek.library import Library
    from snapseek.server.jobs import JobRunner
    from snapseek.server.library_servers import LibraryServers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare [LIBRARY] and how it is served."""
    add_library_argument(parser)
    add_serving(parser)
    parser.add_argument(
        "--model",
        type=nonempty_path,
        metavar="DIR",
        help="a student that replaces the library's model, such as one of --student int8",
    )
    add_trust(parser)
    parser.add_argument(
        "--no-watch", dest="watch", action="store_false", help="do not index what changes in the folders"
    )
    parser.add_argument("--open", action="store_true", help="open the browser")


@exit_on_terminate()
def run(options: argparse.Namespace) -> None:
    """Serve the page until it is stopped."""
    from snapseek.models import Encoder
    from snapseek.server.jobs import JobRunner

    check_serving(options)
    encoder = Encoder.load(options.model) if options.model else None
    library = open_readable(options, encoder)
    if library.is_collection:
        _serve_collection(library, options)
        return
    trust = ["--allow-urls"] if options.allow_urls else []
    for root in options.allow_root:
        trust += ["--allow-root", str(root)]
    serve_library(library, options, JobRunner(trust), follow=[*sync_arguments(library), *trust])


def check_serving(options: argparse.Namespace) -> None:
    """Raise InputError for a host, a port or a token that cannot be used, before pictures are indexed."""
    from snapseek.server.host_guard import is_loopback_name
    from snapseek.server.run import check_access, open_port

    is_exposed = bool(options.trusted_proxy) or not all(map(is_loopback_name, options.allow_host))
    check_access(options.host, _token(options), insecure=options.insecure, is_exposed=is_exposed)
    if options.port is not None:
        open_port(options.host, options.port).close()


def is_private(options: argparse.Namespace) -> bool:
    """Return whether only this machine reaches the server, by its own names and without a token."""
    from snapseek.server.host_guard import is_loopback_name

    is_proxied = options.trusted_proxy or options.allow_host or options.root_path
    return is_loopback_name(options.host) and not is_proxied and _token(options) is None


def sync_arguments(library: Library) -> list[str]:
    """Return the arguments of `snapseek` that sync a library, with JSON progress."""
    return ["sync", "--progress", "json", f"--library={library.info().path}"]


def serve_library(
    library: Library,
    options: argparse.Namespace,
    jobs: JobRunner,
    *,
    follow: Sequence[str],
    sync_first: bool = True,
) -> None:
    """Serve the page of an open library until it is stopped, and then stop the jobs.

    Parameters
    ----------
    library
        The library.
    options
        Those of `add_serving`.
    jobs
        Runs what writes to the library.
    follow
        The arguments of the command that syncs the library after changes, unless `--no-watch` is given.
    sync_first
        Whether it runs at the start too.
    """
    from snapseek.library.recent import remember_library
    from snapseek.server.follow import Follower
    from snapseek.server.jobs import INDEX, SYNC

    remember_library(library.info().path)
    encoder = library.encoder
    if options.fast_model:
        library.set_fast_encoder(options.fast_model)
    if library.fast_encoder:
        print_status(f"fast model {library.fast_encoder.name}")
    elif library.encoders.has_unknown_student():
        print_status(
            "the fast model in this library was not made here and is not used; if you trust it, pass "
            "--fast-model with its folder"
        )
    print_unconfirmed(library.unconfirmed(), library.info().path)
    print_status(f"model {encoder.name} on {encoder.provider}, {len(library)} pictures")
    print_offer(encoder.name)
    servers = _library_servers(library, options)
    follower = Follower(library, jobs, follow, sync_first=sync_first)
    if options.watch:
        follower.start()
    try:
        with job_progress(jobs):
            _serve(library, options, jobs, servers)
    finally:
        servers.close()
        if any(job.is_active and job.kind in (INDEX, SYNC) for job in jobs.jobs()):
            print_status("stopped; what was indexed so far is in the library. Run the command again to go on")
        follower.close()
        jobs.close()
    # Only threads are still running and nothing is being written, so another Ctrl-C may exit at once.
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(EXIT_INTERRUPTED))


def _serve_collection(library: Library, options: argparse.Namespace) -> None:
    """Serve the page of a collection. Its partitions are synchronized where they are."""
    for partition in library.partitions():
        state = partition.problem or f"{partition.count} pictures"
        print_status(f"partition {partition.name}: {printable(state)}")
    print_status(f"{len(library)} pictures in {len(library.partitions())} partitions")
    if options.fast_model:
        library.set_fast_encoder(options.fast_model)
    _serve(library, options, None, None)


def _library_servers(library: Library, options: argparse.Namespace) -> LibraryServers:
    """Return what serves other libraries as these options say, but with what the user allows for them."""
    from snapseek.server.library_servers import PARENT, LibraryServers, stop_with_parent

    parent = os.environ.get(PARENT) or None
    if parent is not None:
        stop_with_parent()
    arguments = ["--host", options.host, *([] if options.watch else ["--no-watch"])]
    return LibraryServers(library.info().path, arguments, _token(options), parent)


def _serve(
    library: Library, options: argparse.Namespace, jobs: JobRunner | None, servers: LibraryServers | None
) -> None:
    from snapseek.server import serve

    serve(
        library,
        host=options.host,
        port=options.port,
        open_browser=options.open,
        on_ready=lambda url: print_status(f"serving {url} (Ctrl-C stops)"),
        token=_token(options),
        insecure=options.insecure,
        allowed_origins=options.allow_origin,
        allow_hosts=options.allow_host,
        trusted_proxies=options.trusted_proxy,
        root_path=options.root_path,
        jobs=jobs,
        servers=servers,
    )


def _token(options: argparse.Namespace) -> str | None:
    return options.token or os.environ.get("SNAPSEEK_TOKEN") or None
