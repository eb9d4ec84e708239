"""Waiting for sockets works with and without `poll`."""

import select
import socket

import pytest

from snapseek.collection import ready
from snapseek.collection.ready import READ, WRITE, ReadySockets


@pytest.fixture(params=["poll", "select"])
def sockets(request, monkeypatch):
    if request.param == "poll" and not hasattr(select, "poll"):
        pytest.skip("this system has no poll")
    monkeypatch.setattr(ready, "_HAS_POLL", request.param == "poll")
    return ReadySockets()


@pytest.fixture
def pair():
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_a_socket_is_ready_once_data_has_come(sockets, pair):
    sockets.watch(pair[0], READ, "owner")
    assert sockets.wait(0) == []
    pair[1].send(b"x")
    assert sockets.wait(1) == ["owner"]


def test_a_socket_that_is_forgotten_is_not_reported(sockets, pair):
    sockets.watch(pair[0], WRITE, "owner")
    assert sockets.wait(1) == ["owner"]
    sockets.watch(pair[0], READ, "owner")
    assert sockets.wait(0) == []
    pair[1].send(b"x")
    sockets.forget(pair[0])
    assert sockets.wait(0) == []
    sockets.forget(pair[0])
