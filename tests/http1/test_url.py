"""Addresses of upstreams, taken apart."""

import pytest

from inferd.http1.url import parse_url


@pytest.mark.parametrize(
    ("text", "authority", "path"),
    [
        ("http://a.example", "a.example", ""),
        ("http://a.example/", "a.example", ""),
        ("https://a.example:443/v1/", "a.example", "/v1"),
        ("https://a.example:8443/v1", "a.example:8443", "/v1"),
        ("http://[::1]:8000", "[::1]:8000", ""),
        (" HTTP://A.example:80 ", "a.example", ""),
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
        "http://a.example/a b",
        "http://a.example/\r\nx: y",
    ],
)
def test_anything_else_is_refused_without_repeating_a_password(text: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the message differs by case
        parse_url(text)
    assert "secret" not in str(refused.value)
