"""A node behind a listener, until it is told to stop."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from inferd import __version__
from inferd.config.schema import NodeConfig
from inferd.core.stopping import STOPPING
from inferd.http1.server.server import Server
from inferd.http1.server.tls import Certificate
from inferd.node.compose import secrets_of
from inferd.node.exposure import check_exposure
from inferd.node.home import Home, Running
from inferd.node.listening import certificate_of, limits_of, listening, raise_file_limit, url_of
from inferd.node.node import Node, open_node
from inferd.telemetry.logs import configure_logging
from inferd.telemetry.metrics import Reading

logger = logging.getLogger(__name__)

_COLLECT_EVERY = (50_000, 20, 20)


async def serve(config: NodeConfig, *, ready: Callable[[str], None]) -> None:
    """Listen and serve until SIGINT or SIGTERM, then let running requests end.

    `ready` is called with the node's URL once it accepts.

    Raises:
        CannotStart: The port is taken, the bind needs a secret, the home folder is in use, …
    """
    configure_logging(level=config.log.level, style=config.log.format, secrets=secrets_of(config))
    check_exposure(config)
    home = Home(config.server.home)
    home.prepare()
    carried = raise_file_limit()
    certificate = certificate_of(config.server)
    with home.claimed(), ExitStack() as place, ExitStack() as afterwards:
        listener = place.enter_context(listening(config.server))
        url = url_of(listener, is_tls=certificate is not None)
        async with open_node(config) as node:
            server = Server(
                node.router,
                limits_of(config.server, config.websocket, carried),
                kind_of=node.router.kind_of,
                is_proxy=node.router.is_proxy,
                note=node.router.note,
            )
            node.records.readings.append(
                Reading(
                    "inferd_connections",
                    "gauge",
                    "Connections that are open.",
                    lambda: server.connections,
                )
            )
            # Until all is closed: a signal that comes late must not end us before the books are.
            told = afterwards.enter_context(_signals(server, certificate))
            with home.announced(_announcement(url, config, node)):
                server.listen(listener, certificate)
                ready(url)
                asyncio.get_running_loop().call_soon(_settle)
                try:
                    await told.wait()
                finally:
                    server.close()
                    place.close()
                    # Who only listens would do so for ever.
                    node.gateway.pool.events.close()
                    await server.stop(STOPPING)


def _announcement(url: str, config: NodeConfig, node: Node) -> Running:
    server = config.server
    return Running(
        url=url,
        pid=os.getpid(),
        token=node.owner_token,
        version=__version__,
        socket=str(server.unix_socket.absolute()) if server.unix_socket else "",
        certificate=str(server.tls_certificate.absolute()) if server.tls_certificate else "",
    )


@contextmanager
def _signals(server: Server, certificate: Certificate | None) -> Generator[asyncio.Event]:
    """Lend what SIGINT or SIGTERM sets; a second one doesn't wait for running requests.

    SIGHUP has the certificate read again. Without one it ends a node whose terminal is gone, and
    no service: there it asks to read the configuration again, which needs a new start.
    """
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop() -> None:
        if told.is_set():
            server.hurry()
        told.set()

    def hang_up() -> None:
        if sys.stderr.isatty():
            stop()
        else:
            logger.warning("SIGHUP reads nothing again without TLS: restart the node instead")

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: hang_up}
    if certificate is not None:
        certificate.watch()
        handlers[signal.SIGHUP] = certificate.reload
    for each, handler in handlers.items():
        loop.add_signal_handler(each, handler)
    try:
        yield told
    finally:
        for each in handlers:
            loop.remove_signal_handler(each)
        if certificate is not None:
            certificate.close()


def _settle() -> None:
    """Take what the start made for what stays, so that it isn't looked through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_EVERY)
