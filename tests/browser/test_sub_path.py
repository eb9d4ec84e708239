"""The page behind a reverse proxy, at `/pictures/`: its requests, pictures, links and history."""

# ruff: noqa: F811 (fixtures are imported, and named by the tests that use them)

import re

import pytest
from playwright.sync_api import expect

from snapseek.library import Library
from tests.conftest import write_pictures
from tests.support.page_fixtures import ask, browser, expect_first, page, wait_until  # noqa: F401
from tests.support.page_server import serving
from tests.support.reverse_proxy import proxied

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(params=["the path is removed", "the path is kept"])
def proxy(request, tmp_path, encoder):
    strips = request.param == "the path is removed"
    Library.build(write_pictures(tmp_path / "pictures"), tmp_path / "l", encoder=encoder)
    options = [] if strips else ["--root-path", "/pictures"]
    with serving(tmp_path / "l", options=options) as upstream, proxied(upstream, strips=strips) as proxy:
        yield proxy


def test_the_page_lives_below_a_path(page, proxy):
    page.goto(proxy.url)
    ask(page, "red")
    expect_first(page, "red")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/pictures/\?q=red$"))
    wait_until(page, lambda: any("/api/image/" in path for path in proxy.passed))
    for link in page.locator("a[href*='api/image']").all():
        assert link.evaluate("link => link.href").startswith(proxy.url + "api/image/")
    ask(page, "green")
    expect_first(page, "green")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/pictures/\?q=green$"))
    page.go_back()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")
    page.reload()
    expect(page.get_by_test_id("search-input")).to_have_value("red")
    expect_first(page, "red")
    page.goto(f"{proxy.url}?term=1:id:2")
    expect(page.get_by_test_id("preview").first).to_be_visible()
    wait_until(page, lambda: f"{proxy.prefix}api/preview/2" in proxy.passed)
    page.goto(f"{proxy.url}api/docs")
    expect(page.locator("#about")).to_contain_text("snapseek")
    assert [path for path in proxy.strays if path != "/favicon.ico"] == []
