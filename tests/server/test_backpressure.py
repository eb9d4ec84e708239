"""snapseek.server.budget: a large answer waits in pieces, and counts as bytes in flight."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from snapseek.server.budget import PIECE_BYTES, Backpressure, ByteBudget
from snapseek.server.problems import HANDLERS
from tests.support.asgi_client import ask


async def receive():
    return {"type": "http.disconnect"}


def answering(body):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


def messages_of(app, budget, on_send=lambda: None):
    sent = []

    async def send(message):
        on_send()
        sent.append(message)

    asyncio.run(Backpressure(app, budget)({"type": "http", "method": "GET", "path": "/"}, receive, send))
    return sent


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES])
def test_the_pieces_are_the_body(size):
    body = bytes(index % 251 for index in range(size))
    head, *pieces = messages_of(answering(body), ByteBudget())
    assert head["status"] == 200
    assert b"".join(piece["body"] for piece in pieces) == body
    assert max(len(piece["body"]) for piece in pieces) <= PIECE_BYTES
    assert [piece.get("more_body", False) for piece in pieces] == [True] * (len(pieces) - 1) + [False]


def test_a_large_answer_counts_until_it_is_sent():
    budget = ByteBudget()
    used = []
    messages_of(answering(bytes(4 * PIECE_BYTES)), budget, lambda: used.append(budget.used))
    assert set(used) == {4 * PIECE_BYTES}
    assert budget.used == 0


def test_one_that_does_not_fit_is_refused_before_its_head():
    budget = ByteBudget(limit=3 * PIECE_BYTES, reserved=0)
    head, _ = messages_of(answering(bytes(4 * PIECE_BYTES)), budget)
    assert head["status"] == 503
    assert (b"retry-after", b"2") in head["headers"]
    assert budget.used == 0
    assert messages_of(answering(bytes(2 * PIECE_BYTES)), budget)[0]["status"] == 200


def test_a_refusal_passes_the_application_that_has_answered():
    async def large(_request):
        return Response(bytes(4 * PIECE_BYTES))

    budget = ByteBudget(limit=3 * PIECE_BYTES, reserved=0)
    app = Starlette(
        routes=[Route("/", large)],
        middleware=[Middleware(Backpressure, budget=budget)],
        exception_handlers=HANDLERS,
    )
    found = ask(app, "/")
    assert (found.status, found.headers["retry-after"]) == (503, "2")
