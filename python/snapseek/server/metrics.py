"""Prometheus metrics: counters and response times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from snapseek.library.info import PartitionStatus

_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The metrics of one server, in their own registry. Without prometheus-client nothing is counted."""

    def __init__(self) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            self._prometheus: Any = None
            return
        self._prometheus = prometheus
        self._registry = prometheus.CollectorRegistry()
        labels = ["address", "method", "status"]
        self._requests = prometheus.Counter(
            "snapseek_requests", "Requests answered.", labels, registry=self._registry
        )
        self._seconds = prometheus.Histogram(
            "snapseek_request_seconds",
            "Time from a request to the start of its response.",
            ["address"],
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._pictures = prometheus.Gauge(
            "snapseek_pictures", "Pictures in the library.", registry=self._registry
        )
        self._waiting = prometheus.Gauge(
            "snapseek_waiting", "Requests that wait for a thread.", registry=self._registry
        )
        self._partitions = prometheus.Gauge(
            "snapseek_partition_up",
            "Whether a partition of the collection answers.",
            ["partition"],
            registry=self._registry,
        )

    def count(self, address: str, method: str, status: int, seconds: float) -> None:
        """Count one response.

        Parameters
        ----------
        address
            The pattern of the route, so that the number of label values is bounded.
        method, status
            Of the request and of its response.
        seconds
            The time until the response began.
        """
        if self._prometheus is not None:
            self._requests.labels(address, method, str(status)).inc()
            self._seconds.labels(address).observe(seconds)

    def answer(self, pictures: int, waiting: int, partitions: Iterable[PartitionStatus] = ()) -> Response:
        """Return all metrics in the text format of Prometheus.

        Parameters
        ----------
        pictures
            Pictures in the library.
        waiting
            Requests that wait for a thread.
        partitions
            The partitions of a collection.

        Raises
        ------
        HTTPException
            404 if prometheus-client is not installed.
        """
        if self._prometheus is None:
            raise HTTPException(
                404, 'expected prometheus-client, which is not installed; pip install "snapseek[metrics]"'
            )
        self._pictures.set(pictures)
        self._waiting.set(waiting)
        self._partitions.clear()
        for partition in partitions:
            self._partitions.labels(partition.name).set(partition.problem is None)
        return Response(
            self._prometheus.generate_latest(self._registry),
            headers={"cache-control": "no-store"},
            media_type="text/plain; version=0.0.4",
        )


class MetricsMiddleware:
    """ASGI middleware: counts every response by the pattern of its address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and measure the time until its response begins."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_s = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                address = getattr(route, "path", None) or "other"
                method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
                self.metrics.count(address, method, message["status"], time.perf_counter() - started_s)
            await send(message)

        await self.app(scope, receive, send_counted)
