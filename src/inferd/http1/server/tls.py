"""TLS for a listener: a certificate and its key, read again when their files change."""

import asyncio
import logging
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from inferd.http1.sweep import FOREVER, sweep

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0
_WORDS = b"this port speaks TLS: use https://\n"
_USE_TLS = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_WORDS), _WORDS)
)


class BadCertificate(Exception):
    """The files hold no certificate with its key: the fact, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Certificate:
    """What new connections are shown. Connections keep what they were shown when they came.

    `key` may be None where the certificate's file holds the key too.

    Raises:
        BadCertificate: The files can't be read, or don't belong together.
    """

    def __init__(self, certificate: Path, key: Path | None = None) -> None:
        self.deadline = FOREVER
        self._files = (certificate, key or certificate)
        self._stamps = _stamps(self._files)
        self._current = self.context = _context_of(*self._files)
        # Each new connection is moved to the context of the day: a context that others use is
        # never written to, so that a broken file can't leave half a certificate in it.
        self.context.sni_callback = self._choose

    def watch(self) -> None:
        """Look every ten seconds whether the files have changed, while this loop runs."""
        self.deadline = asyncio.get_running_loop().time() + _LOOK_SECONDS
        sweep().watch(self)

    def close(self) -> None:
        """Look no more."""
        sweep().forget(self)

    def expired(self) -> None:
        """Read the files if they have changed."""
        self.deadline = asyncio.get_running_loop().time() + _LOOK_SECONDS
        if _stamps(self._files) != self._stamps:
            self.reload()

    def reload(self) -> None:
        """Read the files. Where they are broken, the old certificate stays, and the log says so."""
        self._stamps = _stamps(self._files)
        try:
            self._current = _context_of(*self._files)
        except BadCertificate as error:
            logger.error("the old certificate stays: %s; %s", error.message, error.hint)  # noqa: TRY400  what went wrong is said
        else:
            logger.info("the certificate %s was read again", self._files[0])

    def _choose(
        self, line: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        line.context = self._current


async def check_greeting(line: socket.socket) -> None:
    """Wait until a caller says something; one that speaks HTTP without TLS is told to use TLS.

    Raises:
        ConnectionError: It does, or is gone.
    """
    first = await _first_byte(line)
    if first.isalpha():
        # A handshake begins with 22; a letter begins a method.
        with suppress(OSError):
            line.send(_USE_TLS)
            line.shutdown(socket.SHUT_WR)
            # What it has sent already would turn the end into a reset, and destroy what it is told.
            line.recv(65536)
        raise ConnectionAbortedError("no TLS")
    if not first:
        raise ConnectionAbortedError("gone")


async def _first_byte(line: socket.socket) -> bytes:
    """Return the first byte that comes, without taking it."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return line.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            said = loop.create_future()
            loop.add_reader(line, _wake, said)
            try:
                await said
            finally:
                loop.remove_reader(line)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    for file in (certificate, key):
        if not _can_be_read(file):
            raise BadCertificate(
                f"{file} can't be read", "check server.tls_certificate and server.tls_key"
            )
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        what = "doesn't belong to the key" if "MISMATCH" in str(error.reason) else "can't be used"
        raise BadCertificate(
            f"the certificate {certificate} {what} ({error.reason or 'no PEM'})",
            f"give the whole chain in PEM, its own certificate first, and its key in {key}",
        ) from error
    except (OSError, ValueError) as error:
        raise BadCertificate(
            f"the certificate {certificate} or its key can't be used: {error}",
            "give both in PEM, the key without a password",
        ) from error
    return context


def _can_be_read(file: Path) -> bool:
    try:
        return file.is_file() and os.access(file, os.R_OK)
    except OSError:
        return False


def _no_password() -> str:
    # Without this, OpenSSL would ask on the terminal, and a node that nobody sits at would hang.
    raise ValueError("the key is locked with a password")


def _stamps(files: tuple[Path, ...]) -> tuple[tuple[int, int, int], ...]:
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
