import pytest

from snapseek.errors import InputError
from snapseek.sources.http.url_policy import checked_url, is_public

LOCAL_TEXT = """
127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1
169.254.169.254 169.254.0.1 100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 fe80::1 fe80::1%eth0
fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 64:ff9b::127.0.0.1
2002:808:808:: 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2606:4700::1%1
"""
PUBLIC_TEXT = """
1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 172.32.0.1 223.255.255.254 2606:4700:4700::1111
2a00:1450:4001:81b::200e 64:ff9b::8.8.8.8
"""


NOT_PUBLIC, PUBLIC = LOCAL_TEXT.split(), PUBLIC_TEXT.split()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0x7f000001", "1.2.3.4.5", "example.org", "1.1.1.1/8"]
)
def test_other_texts_are_not_addresses(text):
    assert not is_public(text)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("http://example.org", "http://example.org/"),
        (" https://EXAMPLE.org:8080/a b?q=ü#part ", "https://example.org:8080/a%20b?q=%C3%BC"),
        ("http://user:secret@example.org/a", "http://example.org/a"),
        ("http://bücher.example/é%20x", "http://xn--bcher-kva.example/%C3%A9%20x"),
        ("http://1.1.1.1/a.jpg", "http://1.1.1.1/a.jpg"),
        ("http://[2606:4700::1111]/a", "http://[2606:4700::1111]/a"),
        ("http://example.org/\ud800", "http://example.org/%3F"),
    ],
)
def test_a_url_is_escaped_and_stripped_of_credentials(url, checked):
    assert checked_url(url) == checked


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.jpg",
        "//example.org/a",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "http://",
        "http:///a",
        "http://[::1",
        "http://a:99999/",
        "http://a:b/",
        "http://" + "a" * 300 + ".org/",
        "http://a..b/",
        "http://\x1f0/",
        "http://a b/",
        "http://a<b>/",
        "http://a%00b/",
        "http://x/" + "a" * 5000,
    ],
)
def test_an_unsupported_url_is_rejected(url):
    with pytest.raises(InputError, match="expected a URL") as caught:
        checked_url(url)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_of_this_network_is_refused_unless_allowed(address):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InputError, match="of this machine or its network"):
        checked_url(f"http://{host}/a.jpg")
    assert checked_url(f"http://{host}/a.jpg", allow_private=True).startswith("http://")


def test_line_ends_do_not_reach_the_wire():
    assert "\n" not in checked_url("http://example.org/a\r\nHost: evil")


def test_the_error_names_the_option_for_private_addresses():
    with pytest.raises(InputError, match=r"allow such addresses with index --allow-private"):
        checked_url("http://127.0.0.1/a.jpg", allow_private=False)
