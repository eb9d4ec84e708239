"""snapseek.server.api.docs_page: it is served under the same headers as all, and asks what its forms say."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette

from snapseek.server import create_app
from snapseek.server.api.docs_page import DOCS_PAGE
from snapseek.server.headers import SECURITY_HEADERS
from tests.support.asgi_client import ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return create_app(FakeLibrary(tmp_path))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/docs", "text/html; charset=utf-8"),
        ("/api/docs/try.js", "text/javascript; charset=utf-8"),
        ("/api/docs/try.css", "text/css; charset=utf-8"),
    ],
)
def test_its_files_are_served(app: Starlette, path: str, kind: str):
    reply = ask(app, path)
    assert (reply.status, reply.headers["content-type"]) == (200, kind)
    assert SECURITY_HEADERS.items() <= reply.headers.items()


def test_it_names_only_files_that_are_there(app: Starlette):
    html = ask(app, "/api/docs").body.decode()
    named = [f"/api/{name}" for name in re.findall(r'(?:href|src)="(docs/[^"]+)"', html)]
    assert {f"/api/docs/{path.name}" for path in DOCS_PAGE.iterdir()} == {*named, "/api/docs/index.html"}
    assert all(ask(app, path).status == 200 for path in named)


def test_nothing_in_it_is_inline_and_nothing_is_shown_as_markup():
    html = (DOCS_PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", html) == []
    assert "innerHTML" not in (DOCS_PAGE / "try.js").read_text(encoding="utf-8")


def test_an_original_of_an_unknown_name_is_none_of_its_files(app: Starlette):
    assert ask(app, "/api/docs/../try_page.py").status == 404
    assert ask(app, "/api/docs/try.py").status == 404


@pytest.mark.browser
def test_a_form_sends_its_request_in_a_browser(library):
    # Here, so that the others run without it.
    from playwright.sync_api import expect, sync_playwright

    from tests.support.page_server import CHROMIUM, FLAGS
    from tests.support.serve_process import served

    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    problems: list[str] = []
    with served(library.info().path) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(url + "api/docs")
        form = page.locator("details", has_text="/api/search").first
        form.locator("summary").click()
        form.get_by_label("q", exact=False).first.fill("red")
        form.get_by_role("button").click()
        expect(form.locator(".status")).to_contain_text("200")
        expect(form.locator(".answer")).to_contain_text('"query": "red"')
        picture = page.locator("details", has_text="/api/preview/{id}")
        picture.locator("summary").click()
        picture.get_by_role("button").click()
        expect(picture.locator(".picture")).to_be_visible()
        browser.close()
    assert problems == []
