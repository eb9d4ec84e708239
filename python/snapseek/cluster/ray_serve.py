"""Serve the partitions of a collection with Ray Serve: https://docs.ray.io/en/latest/serve.

Serve places the replicas of each partition on nodes, and starts them again when they die. A replica is the
server that `snapseek serve` runs. The HAProxy of Serve on each node passes requests on to all of them; the
proxy in Python was measured to add 20 ms to a query (docs/decisions/collections.md). So the router gets one
address of a partition for each node, in a manifest of its own.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from snapseek.absolute_path import absolute_path
from snapseek.cluster.connection import connected
from snapseek.collection.manifest import MAX_LOCATIONS, PartitionEntry, is_object_store, read_manifest
from snapseek.collection.membership import verify_partitions
from snapseek.collection.object_store import fetched_library
from snapseek.errors import InputError, MissingArgumentError, PartitionError, SnapseekError
from snapseek.library import Library
from snapseek.server.app import create_app
from snapseek.server.run import check_access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

_ENVIRONMENT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT": "1",  # so that a dead replica gets one request, not three
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",  # a port that everyone could read
    "RAY_USAGE_STATS_ENABLED": "0",
}
_QUIET = {"enable_access_log": False, "log_level": "ERROR"}
_HOST = "0.0.0.0"  # noqa: S104 (replicas need a token)
_MAX_REQUESTS = 256
"""Requests to a replica at the same time; its own limits come first."""

_ATTEMPTS = 4
"""Addresses of a partition: in the end a further request reaches another replica, also by the same proxy."""

_HEALTH_CHECK_S = 2.0
_SHUTDOWN_S = 5.0
_START_S = 60.0


@dataclass(frozen=True)
class ServeOptions:
    """How partitions are served.

    Attributes
    ----------
    token
        The access token of the replicas; Serve opens their ports on all interfaces.
    replicas
        Of each partition.
    port
        Of the proxy on each node.
    address
        Of the Ray cluster; None for the one that `RAY_ADDRESS` names, else one on this machine.
    cpus
        What a replica occupies.
    allow_urls, allow_roots
        Whether pictures at their URLs are linked; folders whose originals are shown.
    """

    token: str
    replicas: int = 2
    port: int = 8100
    address: str | None = None
    cpus: float = 1.0
    allow_urls: bool = False
    allow_roots: tuple[Path, ...] = ()


class PartitionServer:
    """A replica: the library of a partition, and the application that answers for it."""

    def __init__(self, entry: PartitionEntry, base: Path, options: ServeOptions) -> None:
        location = entry.locations[0]
        path = fetched_library(location, entry.commit) if is_object_store(location) else base / location
        self._library = Library.open(path, allow_urls=options.allow_urls, allow_roots=options.allow_roots)
        self._library.warm()
        self._token = options.token

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application, as Serve wants it."""
        return without_prefix(create_app(self._library, allowed_hosts=None, token=self._token))


def without_prefix(app: ASGIApp) -> ASGIApp:
    """Return an application that sees each path without the prefix that Serve routes by."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        await app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, send)

    return answer


@contextmanager
def served_partitions(source: Path, target: Path, options: ServeOptions) -> Iterator[Callable[[], bool]]:
    """Serve the partitions of the collection at `source` until the end of the block.

    Yields a function that writes the manifest if nodes have come or gone, and returns whether they have.
    The manifest at `target` has their addresses, and the numbers of `source`, so ids are the same.

    Raises
    ------
    InputError
        Ray Serve is not installed, a partition is on a server already, or another file is at `target`.
    MissingArgumentError
        There is no token.
    PartitionError
        The replicas of a partition do not answer.
    """
    if not options.token:
        raise MissingArgumentError(
            expected="a token, because other machines can reach the replicas",
            got="no token",
            hint="set SNAPSEEK_TOKEN",
        )
    check_access(_HOST, options.token)
    served = ServedPartitions(absolute_path(source), absolute_path(target), options)
    serve = _started(options)
    try:
        served.start(serve)
        yield lambda: served.update(serve)
    finally:
        served.stop(serve)


class ServedPartitions:
    """The Serve applications of a collection, one for each partition.

    Parameters
    ----------
    source
        The manifest of the libraries.
    target
        The manifest that gets the addresses.
    options
        How partitions are served.
    """

    def __init__(self, source: Path, target: Path, options: ServeOptions) -> None:
        self._folder = source.parent
        self._target = target
        self._options = options
        self._manifest = read_manifest(source)
        self._prefix = f"snapseek-{hashlib.blake2b(os.fsencode(source), digest_size=4).hexdigest()}-"
        self._nodes: list[str] = []
        for entry in self._manifest.partitions:
            if entry.is_served:
                raise InputError(
                    expected="partitions that are libraries", got=f"{entry.name} at {entry.locations[0]}"
                )
        if os.path.lexists(target) and not self._is_own(target):
            raise InputError(
                expected=f"no file at {target}, or one that this command has written", got="another file"
            )

    def start(self, serve: Any) -> None:
        """Start all replicas and write the manifest. Raises PartitionError for one that does not answer."""
        targets = []
        for entry in self._manifest.partitions:
            replica = serve.deployment(serve.ingress()(PartitionServer)).options(
                num_replicas=self._options.replicas,
                max_ongoing_requests=_MAX_REQUESTS,
                health_check_period_s=_HEALTH_CHECK_S,
                graceful_shutdown_timeout_s=_SHUTDOWN_S,
                ray_actor_options={"num_cpus": self._options.cpus},
                logging_config=_QUIET,
            )
            bound = replica.bind(entry, self._folder, self._options)
            name = self._name(entry)
            targets.append(serve.RunTarget(bound, name=name, route_prefix=f"/{name}"))
        serve.run_many(targets)
        deadline = time.monotonic() + _START_S
        while (problem := self._problem(serve)) is not None:
            if time.monotonic() > deadline:
                raise PartitionError(problem)
            time.sleep(_HEALTH_CHECK_S / 4)

    def update(self, serve: Any) -> bool:
        """Write the manifest if the nodes with a proxy have changed, and return whether they have."""
        nodes = _nodes_with_proxy(serve)
        if not nodes or nodes == self._nodes:
            return False
        self._nodes = nodes
        repeats = math.ceil(_ATTEMPTS / len(nodes)) if self._options.replicas > 1 else 1
        base = [f"http://{node}:{self._options.port}/" for node in nodes * repeats][:MAX_LOCATIONS]
        partitions = tuple(
            replace(entry, locations=tuple(f"{address}{self._name(entry)}" for address in base))
            for entry in self._manifest.partitions
        )
        replace(self._manifest, partitions=partitions).write(self._target)
        return True

    def stop(self, serve: Any) -> None:
        """Stop these replicas, and no other application of the cluster."""
        for entry in self._manifest.partitions:
            with suppress(Exception):  # the cluster may be gone
                serve.delete(self._name(entry), _blocking=False)  # replicas finish what they answer

    def _name(self, entry: PartitionEntry) -> str:
        return f"{self._prefix}{entry.number}"

    def _is_own(self, target: Path) -> bool:
        """Return whether an earlier run has written the manifest at `target` for the same collection."""
        try:
            found = read_manifest(target).partitions
        except SnapseekError:
            return False
        return all(f"/{self._prefix}" in location for entry in found for location in entry.locations)

    def _problem(self, serve: Any) -> str | None:
        self.update(serve)
        if not self._nodes:
            return "Ray Serve has started no proxy"
        found = verify_partitions(self._target, self._options.token)
        return next((f"{entry.name}: {problem}" for entry, problem in found if problem), None)


def _nodes_with_proxy(serve: Any) -> list[str]:
    """Return the IP addresses of the nodes whose proxy works."""
    import ray

    healthy = {node for node, status in serve.status().proxies.items() if status == "HEALTHY"}
    nodes = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] in healthy]
    return sorted({node["NodeManagerAddress"] for node in nodes})


def _started(options: ServeOptions) -> Any:
    """Return the module `ray.serve`, running on the cluster. Raises InputError without it."""
    os.environ.update(_ENVIRONMENT)
    connected(options.address, environment=_ENVIRONMENT)
    try:
        from ray import serve
    except ImportError as error:
        raise InputError(
            expected="Ray Serve", got="none", hint='install it with: pip install "ray[serve]>=2.60"'
        ) from error
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    serve.start(
        http_options={"host": _HOST, "port": options.port},
        logging_config=_QUIET,
    )
    return serve
