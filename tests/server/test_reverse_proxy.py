"""A real server behind a real reverse proxy, which shows it at `/pictures/`."""

import json
import re
import urllib.error
import urllib.request
from urllib.parse import urljoin

import pytest

from tests.support.reverse_proxy import proxied
from tests.support.serve_process import served

TOKEN = "a-token-of-enough-characters"
TRUST = ("--trusted-proxy", "127.0.0.1", "--root-path", "/pictures", "--insecure")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def get(url: str, **headers: str):
    request = urllib.request.Request(url, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.slow
@pytest.mark.parametrize("strips", [True, False])
def test_the_page_and_its_files_are_below_the_path(library, strips):
    with served(library.info().path, *TRUST) as upstream, proxied(upstream, strips=strips) as proxy:
        status, _, page = get(proxy.url)
        assert status == 200
        names = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
        assert names
        for name in names:
            assert get(urljoin(proxy.url, name))[0] == 200
        assert get(urljoin(proxy.url, "api/info"))[0] == 200
        status, _, docs = get(urljoin(proxy.url, "api/docs"))
        for name in re.findall(r'(?:src|href)="([^"d][^"]+|docs[^"]+)"', docs.decode()):
            assert get(urljoin(proxy.url + "api/docs", name))[0] == 200
        described = json.loads(get(proxy.url + "api/openapi.json")[2])
        assert described["servers"] == [{"url": "/pictures"}]
        assert proxy.strays == []


@pytest.mark.slow
def test_without_any_option_a_proxy_that_strips_the_path_works(library):
    with served(library.info().path) as upstream, proxied(upstream, strips=True) as proxy:
        for name in ("", "api/info", "api/search?q=red"):
            assert get(proxy.url + name)[0] == 200


@pytest.mark.slow
def test_the_token_becomes_a_secure_cookie_for_that_path(library):
    options = [*TRUST[:4], "--token", TOKEN]
    with served(library.info().path, *options) as upstream:
        with proxied(upstream, strips=True, scheme="https") as proxy:
            status, headers, _ = get(f"{proxy.url}?q=red&token={TOKEN}")
            assert (status, urljoin(proxy.url, headers["location"])) == (303, f"{proxy.url}?q=red")
            cookie, *rules = headers["set-cookie"].split("; ")
            assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/pictures/"} <= set(rules)
            assert get(proxy.url + "api/info", Cookie=cookie)[0] == 200
            assert get(proxy.url + "api/info")[0] == 401
        status, headers, _ = get(f"{upstream}?token={TOKEN}", X_Forwarded_Proto="http")
        assert "Secure" not in headers["set-cookie"]


@pytest.mark.slow
def test_a_proxy_that_keeps_its_name_needs_that_name_allowed(library):
    path = library.info().path
    with served(path) as upstream, proxied(upstream, strips=True, keeps_host=True) as proxy:
        named = {"Host": "photos.example.org"}
        status, _, body = get(proxy.url, **named)
        assert (status, b"--allow-host photos.example.org" in body) == (421, True)
    options = ["--allow-host", "photos.example.org", "--token", TOKEN]
    with (
        served(path, *options) as upstream,
        proxied(upstream, strips=True, keeps_host=True) as proxy,
    ):
        bearer = {"Authorization": f"Bearer {TOKEN}", **named}
        assert get(proxy.url + "api/info", **bearer)[0] == 200
        assert get(proxy.url + "api/info", **bearer, Origin="http://photos.example.org")[0] == 200
        assert get(proxy.url + "api/info", **bearer, Origin="http://evil.example")[0] == 403
