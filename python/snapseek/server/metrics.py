"""Counters and times of the server, in the text format of Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """What is counted, in a registry of its own; nothing where prometheus-client is not installed."""

    def __init__(self) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            self._prometheus: Any = None
            return
        self._prometheus = prometheus
        self._registry = prometheus.CollectorRegistry()
        kinds = ["address", "method", "status"]
        self._requests = prometheus.Counter(
            "snapseek_requests", "Requests answered.", kinds, registry=self._registry
        )
        self._seconds = prometheus.Histogram(
            "snapseek_request_seconds",
            "Time from a request to the begin of its answer.",
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

    def count(self, address: str, method: str, status: int, seconds: float) -> None:
        """One request was answered; `address` is the route's pattern, so that there are few of them."""
        if self._prometheus is not None:
            self._requests.labels(address, method, str(status)).inc()
            self._seconds.labels(address).observe(seconds)

    def answer(self, pictures: int, waiting: int) -> Response:
        """All of it. Raises HTTPException, 404 with what to install, where nothing is counted."""
        if self._prometheus is None:
            raise HTTPException(
                404, 'metrics need prometheus-client, which is not installed: pip install "snapseek[metrics]"'
            )
        self._pictures.set(pictures)
        self._waiting.set(waiting)
        return Response(
            self._prometheus.generate_latest(self._registry),
            headers={"cache-control": "no-store"},
            media_type="text/plain; version=0.0.4",
        )


class Measured:
    """ASGI middleware: counts every answer by the pattern of its address."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note when its answer begins."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began_s = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                address = getattr(route, "path", None) or "other"
                method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "other"
                self.metrics.count(address, method, message["status"], time.perf_counter() - began_s)
            await send(message)

        await self.app(scope, receive, send_counted)
