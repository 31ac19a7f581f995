"""Addresses of upstreams, taken apart."""

import pytest

from inferd.http1.client import parse_url


@pytest.mark.parametrize(
    ("text", "authority", "path"),
    [
        ("http://a.example", "a.example", ""),
        ("http://a.example/", "a.example", ""),
        ("https://a.example:443/v1/", "a.example", "/v1"),
        ("https://a.example:8443/v1", "a.example:8443", "/v1"),
        ("http://[::1]:8000", "[::1]:8000", ""),
        (" HTTP://A.example:80 ", "a.example", ""),
        ("http://a.example:", "a.example", ""),
        ("http://my_server.lan.:8000", "my_server.lan.:8000", ""),
        ("http://bücher.example", "xn--bcher-kva.example", ""),
        ("http://[fe80::1%eth0]", "[fe80::1%eth0]", ""),
    ],
)
def test_an_address_is_taken_apart(text: str, authority: str, path: str) -> None:
    url = parse_url(text)
    assert (url.authority, url.path) == (authority, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.example",
        "ftp://a.example",
        "http://",
        "http://me:secret@a.example",
        "http://a.example?key=1",
        "http://a.example#top",
        "http://a.example:99999",
        "http://a.example:0",
        "http://a.example:port",
        "http://a.example:-1",
        "http://a..b",
        "http://.a",
        "http://-a.example",
        "http://a*b",
        "http://" + 64 * "a",
        "http://" + 127 * "a." + "example",
        "http://ü..b",
        "http://[::1",
        "http://[1:2]",
        "http://@a.example",
        "http://a.example/a b",
        "http://a.example/\r\nx: y",
    ],
)
def test_anything_else_is_refused_without_repeating_a_password(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the message differs by case
        parse_url(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://a.example:port", "the port must be a number from 1 to 65535"),
        ("http://a..b", "'a..b' can't be the name of a host"),
        ("http://a.example/日本", "path in ASCII"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_url(text)
