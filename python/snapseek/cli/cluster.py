"""`snapseek cluster`: index and serve on many machines with Ray."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time

from snapseek.cli.console import print_status, printable, upgrade_progress
from snapseek.cli.interrupt import exit_on_terminate
from snapseek.cli.options import add_model_dir, add_progress, add_trust, count, nonempty_path

_SHOWN_FAILURES = 10
_MAX_PORT = 65_535
_UPDATE_S = 2.0
"""How often `serve` looks for nodes that have come or gone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare index SOURCE TARGET | serve MANIFEST TARGET."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    index = actions.add_parser("index", help="embed a source in parallel into partitions of a collection")
    index.add_argument(
        "source",
        type=nonempty_path,
        metavar="SOURCE",
        help="pictures, archives, tables or lists as for `snapseek index`, or vectors as for "
        "`snapseek import`; every machine must see it at this path",
    )
    index.add_argument(
        "target", type=nonempty_path, metavar="TARGET", help="a folder that every machine sees at this path"
    )
    index.add_argument("--partitions", type=count, default=1, metavar="N", help="default: 1")
    index.add_argument(
        "--out",
        choices=("partitions", "npy"),
        default="partitions",
        help="npy: only vectors and metadata, as clip-retrieval lays them out (default: partitions)",
    )
    index.add_argument("--model", default="starter", metavar="M", help="as for `snapseek index`")
    add_model_dir(index)
    index.add_argument("--cpus", type=_amount, default=1.0, metavar="C", help="of a task (default: 1)")
    index.add_argument("--gpus", type=_amount, default=0.0, metavar="G", help="of a task (default: 0)")
    index.add_argument(
        "--pictures", type=count, default=512, metavar="K", help="pictures of a task (default: 512)"
    )
    index.add_argument(
        "--upload",
        default="",
        metavar="URI",
        help="an object store that gets the partitions, such as s3://b/p",
    )
    index.add_argument(
        "--allow-private", action="store_true", help="fetch urls of this machine and its network, too"
    )
    add_progress(index)
    serve = actions.add_parser("serve", help="serve the partitions of a collection with Ray Serve")
    serve.add_argument(
        "manifest", type=nonempty_path, metavar="MANIFEST", help="of libraries that every machine sees"
    )
    serve.add_argument(
        "target", type=nonempty_path, metavar="TARGET", help="the manifest to write, with the addresses"
    )
    serve.add_argument("--replicas", type=count, default=2, metavar="N", help="of a partition (default: 2)")
    serve.add_argument("--port", type=_port, default=8100, metavar="P", help="of each node (default: 8100)")
    serve.add_argument("--cpus", type=_amount, default=1.0, metavar="C", help="of a replica (default: 1)")
    add_trust(serve)
    for action in (index, serve):
        action.add_argument(
            "--address", metavar="A", help="of the Ray cluster (default: RAY_ADDRESS, else this machine)"
        )


def _port(text: str) -> int:
    """Parse the number of a port."""
    value = count(text)
    if value > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to {_MAX_PORT}, got {text!r}")
    return value


def _amount(text: str) -> float:
    """Parse a number of processors; of one, a task may occupy a part."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, got {text!r}")
    return value


def run(options: argparse.Namespace) -> None:
    """Run the action."""
    {"index": _index, "serve": _serve}[options.action](options)


def _serve(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C; the manifest follows the nodes of the cluster."""
    from snapseek.absolute_path import absolute_path
    from snapseek.cluster.ray_serve import ServeOptions, served_partitions
    from snapseek.collection.manifest import manifest_path

    serving = ServeOptions(
        token=os.environ.get("SNAPSEEK_TOKEN", ""),
        replicas=options.replicas,
        port=options.port,
        address=options.address,
        cpus=options.cpus,
        allow_urls=options.allow_urls,
        allow_roots=tuple(map(absolute_path, options.allow_root)),
    )
    source = manifest_path(options.manifest) or options.manifest
    with exit_on_terminate() as install, served_partitions(source, options.target, serving) as update:
        install()  # Ray prints a trace of its own at SIGTERM
        path = printable(str(options.target))
        print_status(f"serve: SNAPSEEK_PARTITION_TOKEN=$SNAPSEEK_TOKEN snapseek serve {path}")
        while True:
            time.sleep(_UPDATE_S)
            if update():
                print_status("the nodes have changed")


def _index(options: argparse.Namespace) -> None:
    """Index, then print where the collection is."""
    from snapseek.absolute_path import absolute_path
    from snapseek.cluster.ray_index import ClusterOptions, cluster_index
    from snapseek.sources import FetchLimits

    with upgrade_progress(options.progress) as progress:
        report = cluster_index(
            absolute_path(options.source),
            absolute_path(options.target),
            ClusterOptions(
                partitions=options.partitions,
                output=options.out,
                model=options.model,
                model_dir=options.model_dir,
                address=options.address,
                cpus=options.cpus,
                gpus=options.gpus,
                pictures=options.pictures,
                upload=options.upload,
                limits=FetchLimits(allow_private=options.allow_private),
            ),
            progress,
        )
    for address, reason in report.failures[:_SHOWN_FAILURES]:
        print_status(f"{printable(address)}: {printable(reason)}")
    done = f", {report.resumed} tasks were done before" if report.resumed else ""
    print_status(f"{report.rows} pictures, {len(report.failures)} could not be read{done}")
    where = report.manifest or absolute_path(options.target) / "pieces"
    sys.stdout.write(f"{printable(str(where))}\n")
