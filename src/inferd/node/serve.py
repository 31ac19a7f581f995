"""A node behind a listener, until it is told to stop."""

import asyncio
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from types import FrameType

import uvicorn

from inferd import __version__
from inferd.config.schema import NodeConfig
from inferd.frontends._http.exchange import STOPPING
from inferd.node.compose import secrets_of
from inferd.node.edge import GuardedHttp, raise_file_limit
from inferd.node.exposure import check_exposure
from inferd.node.home import CannotStart, Home, Running
from inferd.node.node import open_node
from inferd.telemetry.clock import SystemClock
from inferd.telemetry.logs import configure_logging

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_KEEP_ALIVE = 75
_A_MOMENT = 0.01
_LAST_WORDS = 1.0
"""Seconds in which requests that were cut short may tell their callers so."""


async def serve(config: NodeConfig, *, ready: Callable[[str], None]) -> None:
    """Listen and serve until SIGINT or SIGTERM, then let running requests end.

    `ready` is called with the node's URL once it accepts.

    Raises:
        CannotStart: The port is taken, the bind needs a secret, the home folder is in use, …
    """
    configure_logging(level=config.log.level, style=config.log.format, secrets=secrets_of(config))
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    check_exposure(config)
    home = Home(config.server.home)
    home.prepare()
    GuardedHttp.most_connections = raise_file_limit()
    with home.claimed(), _listening(config) as listener, ExitStack() as afterwards:
        url = _url_of(listener)
        async with open_node(config) as node:
            running = Running(url=url, pid=os.getpid(), token=node.owner_token, version=__version__)
            server = _Server(
                uvicorn.Config(
                    node.app,
                    http=GuardedHttp,
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    backlog=_BACKLOG,
                    timeout_keep_alive=_KEEP_ALIVE,
                ),
                ready=lambda: ready(url),
                stopping=node.gateway.pool.events.close,
                drain_timeout=config.server.drain_timeout,
            )
            # Until all is closed: a signal that comes late must not end us before the books are.
            afterwards.enter_context(server.signals())
            with home.announced(running):
                await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server, with signals that end it cleanly and a word when it accepts."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        ready: Callable[[], None],
        stopping: Callable[[], None],
        drain_timeout: float,
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping
        self._drain_timeout = drain_timeout

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more; let requests end for a while; then stop them, each with a word."""
        # Who only listens would do so for ever.
        self._stopping()
        late = asyncio.get_running_loop().call_later(self._drain_timeout, self._hurry)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self._cut_short()
        except TimeoutError:
            logger.warning("some callers didn't take the news that the node stops")

    async def _cut_short(self) -> None:
        """Stop what still runs, and wait until the last words are sent."""
        state = self.server_state
        if state.tasks:
            logger.warning("%d requests are cut short: %s", len(state.tasks), STOPPING)
            for task in state.tasks:
                task.cancel(STOPPING)
            await asyncio.wait([*state.tasks])
        while state.connections:
            await SystemClock().sleep(_A_MOMENT)

    def _hurry(self) -> None:
        self.force_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; told twice, don't wait for running requests."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone: they are caught for longer than this server runs."""
        yield

    @contextmanager
    def signals(self) -> Generator[None, None, None]:
        """Stop on SIGINT and SIGTERM; a second one doesn't wait for running requests."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(each)


@contextmanager
def _listening(config: NodeConfig) -> Generator[socket.socket, None, None]:
    host, port = config.server.host, config.server.port
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


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
