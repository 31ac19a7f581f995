"""What strangers write into the headers that say where they come from."""

import pytest

from inferd.backends._http import upstream
from inferd.backends._http.upstream import Kind
from inferd.frontends._http import guard, origins
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.settings import HttpSettings

PROXIED = HttpSettings(trusted_proxies=("127.0.0.1",))


def scope(*headers: tuple[str, str]):
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"client": ("127.0.0.1", 1), "headers": raw}


def remembered() -> int:
    caches = [
        value for value in vars(origins).values() if callable(getattr(value, "cache_info", None))
    ]
    assert len(caches) >= 3
    return sum(cache.cache_info().currsize for cache in caches)


def test_a_host_that_no_name_is_as_long_as_is_refused_and_not_remembered() -> None:
    longest = "h" * (255 - len(".localhost:80")) + ".localhost:80"
    assert origins.authority_of(scope(("host", longest)), HttpSettings()) == longest
    before = remembered()
    for host in ("h" + longest, "h" * 60_000 + ".localhost"):
        with pytest.raises(HttpRefusal, match="malformed") as refused:
            origins.authority_of(scope(("host", host)), HttpSettings())
        assert refused.value.status == 400
        assert not origins.is_loopback(host)
    assert remembered() == before


def test_what_is_too_long_for_an_address_is_none_and_not_remembered() -> None:
    assert origins.client_of(scope(("x-forwarded-for", "203.0.113.7")), PROXIED) == "203.0.113.7"
    origins.client_of(scope(("x-forwarded-for", "x")), PROXIED)
    origins.is_proxy("", PROXIED.trusted_proxies)
    before = remembered()
    for number in range(3):
        for long in (f"{number}" * 60_000, f"fe80::{number}%" + "z" * 60_000):
            line = f"203.0.113.7, {long}"
            assert origins.client_of(scope(("x-forwarded-for", line)), PROXIED) == "203.0.113.7"
            assert origins.client_of(scope(("x-forwarded-for", long)), PROXIED) == "127.0.0.1"
    assert remembered() <= before + 1


def test_only_the_nearest_forwarders_are_looked_at() -> None:
    line = "203.0.113.7" + ", 127.0.0.1" * 40
    assert origins.client_of(scope(("x-forwarded-for", line)), PROXIED) == "127.0.0.1"
    line = "198.51.100.1, 203.0.113.7" + ", 127.0.0.1" * 20
    assert origins.client_of(scope(("x-forwarded-for", line)), PROXIED) == "203.0.113.7"


def test_long_headers_of_an_upstream_are_read_and_not_remembered() -> None:
    for lines in (b"x-a: b\r\n" * 2, b"x-a: b\r\n" * 5000):
        assert b"cache-control: no-store" in guard.usual_lines(lines)
        assert b"no-store" not in guard.usual_lines(lines + b"cache-control: public\r\n")
        types = ("text/html; " + "x" * len(lines), "text/event-stream; " + "x" * len(lines))
        assert [upstream.kind_of(each) for each in types] == [Kind.PAGE, Kind.STREAM]
    kept = guard._kept_lines.cache_info  # pyright: ignore[reportPrivateUsage]
    before = kept().currsize
    for number in range(3):
        guard.usual_lines(b"x-%d: y\r\n" % number * 5000)
    assert kept().currsize == before
