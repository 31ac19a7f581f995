"""Where a node listens: an address or a Unix socket, and how many connections it can carry."""

import errno
import os
import socket
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from inferd.config.server import Server
from inferd.config.websocket import WebSocket
from inferd.http1.server.limits import Limits
from inferd.http1.server.tls import BadCertificate, Certificate
from inferd.node.home import CannotStart

try:
    import resource
except ImportError:  # Windows has no such limits.
    resource = None

_BACKLOG = 2048
_SPARE_FILES = 128
_MOST_FILES = 65_536
_OWNER_ONLY = 0o177


def raise_file_limit() -> int:
    """Allow as many open files as the system lets us; return how many connections that carries."""
    if resource is None:
        return 512
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    # A forwarded upload needs a connection in, one out, and a spool.
    return max(16, (soft - _SPARE_FILES) // 3)


def limits_of(server: Server, websocket: WebSocket, carried: int) -> Limits:
    """Return what the configuration says, where the open files carry so many connections."""
    return Limits(
        head_seconds=server.head_timeout,
        body_seconds=server.body_timeout,
        idle_seconds=server.idle_timeout,
        write_seconds=server.write_timeout,
        connections=server.max_connections or carried,
        connections_per_address=server.max_connections_per_address,
        drain_seconds=server.drain_timeout,
        message_bytes=int(websocket.max_message),
        ping_seconds=websocket.ping_interval,
    )


def certificate_of(server: Server) -> Certificate | None:
    """Return what to show over TLS, or None for plain HTTP.

    Raises:
        CannotStart: The files are no certificate with its key.
    """
    if server.tls_certificate is None:
        return None
    try:
        return Certificate(server.tls_certificate, server.tls_key)
    except BadCertificate as error:
        raise CannotStart(error.message, error.hint) from error


@contextmanager
def listening(server: Server) -> Generator[socket.socket]:
    """Lend the socket that callers come to.

    Raises:
        CannotStart: It is taken, or can't be had.
    """
    if server.unix_socket is not None:
        with _at_file(server.unix_socket, server.socket_mode) as listener:
            yield listener
    else:
        with _at_address(server.host, server.port) as listener:
            yield listener


def url_of(listener: socket.socket, *, is_tls: bool) -> str:
    """Return the URL that this machine's programs call."""
    scheme = "https" if is_tls else "http"
    if listener.family == getattr(socket, "AF_UNIX", None):
        return f"{scheme}://localhost"
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def _at_address(host: str, port: int) -> Generator[socket.socket]:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise CannotStart(f"there is no address called {host}", "check server.host") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _cannot_bind(error, host, port) from error
        yield listener


def _cannot_bind(error: OSError, host: str, port: int) -> CannotStart:
    if error.errno == errno.EADDRINUSE:
        return CannotStart(
            f"port {port} on {host} is taken",
            f"stop whatever holds it, or choose another: inferd up --port {port + 1}",
        )
    if error.errno == errno.EACCES:
        return CannotStart(
            f"port {port} needs more rights than this user has", "choose one above 1023"
        )
    return CannotStart(f"can't listen on {host}:{port}: {error.strerror}", "check server.host")


@contextmanager
def _at_file(file: Path, mode: int) -> Generator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        _clear(file)
        # Who could open it in the moment before a chmod might be taken for the owner.
        before = os.umask(_OWNER_ONLY)
        try:
            listener.bind(str(file))
        except OSError as error:
            what = error.strerror or str(error)
            raise CannotStart(
                f"can't listen on {file}: {what}",
                "name a file of fewer than 100 characters in a folder that this user can write",
            ) from error
        finally:
            os.umask(before)
        file.chmod(mode)
        listener.listen(_BACKLOG)
        ours = file.stat().st_ino
        try:
            yield listener
        finally:
            with suppress(OSError):
                if file.stat().st_ino == ours:
                    file.unlink()


def _clear(file: Path) -> None:
    """Remove a socket that a killed node left behind, and nothing else.

    Raises:
        CannotStart: Something else stands there, or somebody listens.
    """
    try:
        mode = file.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotStart(
            f"{file} is there, and is no socket", "name another with server.unix_socket"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(file))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                with suppress(OSError):
                    file.unlink()
                return
    raise CannotStart(f"the socket {file} is taken", "stop whatever holds it, or name another file")
