"""snapseek.server.metrics."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from snapseek.server.metrics import Metrics
from tests.support.asgi_client import ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path))


def counted(app: Starlette) -> dict[str, float]:
    text = ask(app, "/metrics").body.decode()
    lines = re.findall(r"^(snapseek_\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in lines}


def test_responses_are_counted_by_address_method_and_status(app: Starlette):
    for item in (1, 2, 99):
        ask(app, f"/api/items/{item}")
    found = counted(app)
    entry = 'snapseek_requests_total{address="/api/items/{id}",method="GET",status="%s"}'
    assert (found[entry % 200], found[entry % 404]) == (2, 1)
    assert found['snapseek_request_seconds_count{address="/api/items/{id}"}'] == 3
    assert (found["snapseek_pictures"], found["snapseek_waiting"]) == (10, 0)


def test_unknown_addresses_share_one_label(app: Starlette):
    before = len(counted(app))
    for number in range(20):
        ask(app, f"/x/{number}/y", method="X" * (number + 1))
    assert len(counted(app)) < before + 40
    others = [value for name, value in counted(app).items() if 'total{address="other"' in name]
    assert sum(others) == 20


def test_without_prometheus_client_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    app = create_app(FakeLibrary(tmp_path))
    reply = ask(app, "/metrics")
    assert reply.status == 404
    assert "snapseek[metrics]" in reply.json()["detail"]
    assert ask(app, "/api/info").status == 200
    Metrics().count("/", "GET", 200, 0.1)
