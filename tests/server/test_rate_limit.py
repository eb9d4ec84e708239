"""snapseek.server.rate_limit."""

from pathlib import Path

from snapseek.server import create_app
from snapseek.server.rate_limit import RateLimiter
from tests.support.asgi_client import ask
from tests.support.fake_library import FakeLibrary


def test_a_bucket_is_emptied_and_refilled():
    limiter = RateLimiter(rate=10, burst=3)
    assert [limiter.admits("9.9.9.9", 0.0) for _ in range(4)] == [True, True, True, False]
    assert limiter.admits("8.8.8.8", 0.0)
    assert [limiter.admits("9.9.9.9", 0.1), limiter.admits("9.9.9.9", 0.1)] == [True, False]


def test_the_number_of_remembered_clients_is_bounded():
    limiter = RateLimiter(burst=1, max_clients=10)
    for number in range(1000):
        assert limiter.admits(f"2001:db8::{number}", 0.0)
    assert len(limiter._buckets) == 10


def test_a_client_beyond_the_limit_gets_a_429_with_retry_after(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path), allowed_hosts=None)
    replies = [ask(app, "/healthz", client="192.0.2.7") for _ in range(260)]
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 200
    assert replies[statuses.index(429)].headers["retry-after"] == "1"
    assert ask(app, "/healthz").status == 200


def test_a_local_server_has_no_rate_limit(tmp_path: Path):
    app = create_app(FakeLibrary(tmp_path))
    assert {ask(app, "/healthz", client="192.0.2.7").status for _ in range(260)} == {200}
