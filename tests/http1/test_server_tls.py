"""TLS at the server's end: what is shown, what is refused, and certificates that change."""

import asyncio
import logging
import os
import ssl
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from inferd.http1.server.tls import BadCertificate, Certificate
from tests.http1.serving import BOUND, HELLO, LAST, Line, serving, until
from tests.http1.upstream import CERTS

FIRST, SECOND = CERTS / "server.pem", CERTS / "second.pem"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


def trusting(*files: Path) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    for file in files:
        context.load_verify_locations(file)
    return context


def shown(line: Line) -> str:
    """Return the common name of the certificate that the server showed."""
    found = line.writer.get_extra_info("peercert")
    return dict(pair for rdn in found["subject"] for pair in rdn)["commonName"]


BOTH = trusting(CERTS / "ca.pem", SECOND)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    file = tmp_path / "live.pem"
    file.write_bytes(FIRST.read_bytes())
    return file


def replace(file: Path, data: bytes) -> None:
    """Put a new file in the old one's place, as certificate programs do."""
    new = file.with_suffix(".new")
    new.write_bytes(data)
    new.replace(file)


async def test_requests_come_over_tls_and_the_application_knows(live: Path) -> None:
    async with serving(hello, certificate=Certificate(live)) as served, served.line(BOTH) as line:
        chosen = line.writer.get_extra_info("ssl_object")
        line.say(HELLO)
        assert (await line.answer())[2] == b"https"
        line.say(HELLO)
        assert (await line.answer())[2] == b"https"
        assert chosen.selected_alpn_protocol() == "http/1.1"
        assert chosen.version() in ("TLSv1.2", "TLSv1.3")


async def test_old_tls_is_refused(live: Path) -> None:
    # What the system's OpenSSL refuses by itself isn't ours to rely on.
    assert Certificate(live).context.minimum_version is ssl.TLSVersion.TLSv1_2
    old = trusting(CERTS / "ca.pem")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(hello, certificate=Certificate(live)) as served:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with served.line(old):
                pass


async def test_a_renewed_certificate_is_shown_to_who_comes_and_breaks_nobody_off(
    live: Path,
) -> None:
    certificate = Certificate(live)
    async with serving(hello, certificate=certificate) as served, served.line(BOTH) as before:
        before.say(HELLO)
        await before.answer()
        replace(live, SECOND.read_bytes())
        certificate.expired()
        async with served.line(BOTH) as after:
            after.say(HELLO)
            await after.answer()
            assert (shown(before), shown(after)) == ("127.0.0.1", "second")
        before.say(HELLO)
        assert (await before.answer())[0] == 200


@pytest.mark.parametrize("broken", [b"", b"garbage", FIRST.read_bytes()[:500]])
async def test_a_broken_new_file_changes_nothing_and_is_told_once(
    live: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate(live)
    async with serving(hello, certificate=certificate) as served:
        replace(live, broken)
        certificate.expired()
        certificate.expired()
        async with served.line(BOTH) as line:
            line.say(LAST)
            assert (await line.answer())[0] == 200
            assert shown(line) == "127.0.0.1"
        replace(live, SECOND.read_bytes())
        certificate.expired()
        async with served.line(BOTH) as line:
            assert shown(line) == "second"
    told = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert ["the old certificate stays" in each.getMessage() for each in told] == [True]
    assert str(live) in told[0].getMessage()


async def test_files_that_cannot_be_looked_at_change_nothing(
    live: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate(live)
    async with serving(hello, certificate=certificate) as served:
        new = live.with_suffix(".new")
        # As a folder that may no longer be entered, which keeps out all but root.
        new.symlink_to("x" * 300)
        new.replace(live)
        certificate.expired()
        assert "the old certificate stays" in caplog.text
        async with served.line(BOTH) as line:
            assert shown(line) == "127.0.0.1"


async def test_a_key_that_comes_after_its_certificate_is_waited_for(tmp_path: Path) -> None:
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    chain.write_bytes(FIRST.read_bytes())
    key.write_bytes(FIRST.read_bytes())
    certificate = Certificate(chain, key)
    async with serving(hello, certificate=certificate) as served:
        for file, name in ((chain, "127.0.0.1"), (key, "second")):
            replace(file, SECOND.read_bytes())
            certificate.expired()
            async with served.line(BOTH) as line:
                assert shown(line) == name


async def test_the_files_are_looked_at_from_time_to_time(live: Path) -> None:
    certificate = Certificate(live)
    certificate.watch()
    try:
        now = asyncio.get_running_loop().time()
        assert now < certificate.deadline <= now + 10
    finally:
        certificate.close()


@pytest.mark.parametrize(
    ("name", "words"), [("missing.pem", "can't be read"), ("bad.pem", "can't be used")]
)
def test_what_is_no_certificate_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(BadCertificate, match=words) as refused:
        Certificate(tmp_path / name)
    assert name in refused.value.message
    assert refused.value.hint


def test_a_key_of_another_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCertificate, match="doesn't belong"):
        Certificate(FIRST, SECOND)


def test_a_locked_key_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    locked.write_text(LOCKED)
    with pytest.raises(BadCertificate, match="password"):
        Certificate(FIRST, locked)


async def test_who_never_shakes_hands_holds_no_place_for_ever_and_stops_nobody(live: Path) -> None:
    async with serving(hello, certificate=Certificate(live)) as served:
        async with served.line() as silent:
            async with served.line(BOTH) as line:
                line.say(LAST)
                assert (await line.answer())[0] == 200
            assert served.server.connections >= 1
            silent.say(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" not in await silent.until_closed()
        async with asyncio.timeout(BOUND):
            while served.server.connections:
                await asyncio.get_running_loop().run_in_executor(None, os.sched_yield)


@pytest.mark.parametrize("body", [b"", b"." * 30_000])
async def test_who_speaks_http_without_tls_is_told_so(live: Path, body: bytes) -> None:
    async with serving(hello, certificate=Certificate(live)) as served:
        async with served.line() as line:
            line.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            status, headers, said = await line.answer()
            assert (status, headers["content-type"]) == (400, "text/plain; charset=utf-8")
            assert said == b"this port speaks TLS: use https://\n"
            assert await line.until_closed() == b""
        for odd in (b"\x80garbage", b" ", b"\x16\x03garbage"):
            async with served.line() as line:
                line.say(odd)
                line.writer.write_eof()
                assert b"HTTP" not in await line.until_closed()
        await until(lambda: served.server.connections == 0)


LOCKED = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhF3CgVY5AvuwICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEBcqs+4HlwWfo4PumO7ONFwEgZB2
brmlRDaBlyL2G8w75E6NZD60Ulzp2tjytdW/Xi6HT23mtnwr3JT8Nuv+l01NS43v
HrQdcISxGtes6Cr55EJIXzb1C12/YhSOou5RPKiGgtkAEfvOd0tLYqfNHXAqDWqs
GALifc+rZ4Fja9MT6roWkUDq0S2/KP+VwtrAZyj33VuIcz/HG2EJnpMHiJsKZCg=
-----END ENCRYPTED PRIVATE KEY-----
"""
