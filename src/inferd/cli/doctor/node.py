"""What the doctor asks of the node: its port, its health, and one real embedding."""

import errno
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec

from inferd import __version__
from inferd.cli import here
from inferd.cli.client import open_client
from inferd.cli.doctor.check import Check, fail, warn
from inferd.cli.failure import Failure
from inferd.cli.reach import transport_to
from inferd.cli.settings import Where
from inferd.config.schema import NodeConfig
from inferd.config.server import Server
from inferd.core.hosts import is_loopback
from inferd.node.exposure import check_exposure
from inferd.node.home import CannotStart, Home, Running
from inferd.node.listening import certificate_of, listening

_PATIENCE = 5.0


class _Health(msgspec.Struct):
    node: str = ""
    version: str = ""


class _Vector(msgspec.Struct):
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


async def listener(config: NodeConfig) -> list[Check]:
    """Check where the node listens, or would."""
    return [_exposure(config), *await _port(config)]


def _exposure(config: NodeConfig) -> Check:
    host = config.server.host
    try:
        check_exposure(config)
    except CannotStart as error:
        return fail("access", error.message, error.hint)
    if config.server.unix_socket is not None:
        who = "only this user" if config.server.is_private else "whoever has a secret"
        return Check(what="access", found=f"a Unix socket: {who} can use it")
    if is_loopback(host):
        return Check(what="access", found=f"{host}: only this machine can reach it")
    return Check(what="access", found=f"{host}: others can reach it with a secret")


async def _port(config: NodeConfig) -> list[Check]:
    running = here.running(config.server.home)
    if running is not None:
        health = await _health(running)
        if health is not None:
            return list(_alive(running, health))
    told = running or Home(config.server.home).running()
    stale = [] if told is None else [_stale(config, told)]
    return [*stale, *_tls(config.server), _listenable(config.server)]


async def _health(running: Running) -> _Health | None:
    try:
        async with httpx2.AsyncClient(
            timeout=_PATIENCE, trust_env=False, transport=transport_to(running)
        ) as http:
            headers = {"Authorization": f"Bearer {running.token}"}
            answer = await http.get(f"{running.url}/healthz", headers=headers)
        return msgspec.json.decode(answer.content, type=_Health) if answer.is_success else None
    except (httpx2.HTTPError, msgspec.DecodeError):
        return None


def _alive(running: Running, health: _Health) -> Iterator[Check]:
    yield Check(
        what="node", found=f"runs at {running.socket or running.url}, process {running.pid}"
    )
    if health.version != __version__:
        yield warn(
            "node",
            f"it is version {health.version or running.version}, this is {__version__}",
            "restart it",
        )


def _stale(config: NodeConfig, running: Running) -> Check:
    file = config.server.home / "node.json"
    return warn(
        "node",
        f"{file} tells of a node at {running.socket or running.url} that doesn't answer",
        "start it again with `inferd up`; if process "
        f"{running.pid} still runs and hangs, stop it first",
    )


def _tls(server: Server) -> Iterator[Check]:
    if server.tls_certificate is None:
        return
    try:
        certificate_of(server)
    except CannotStart as error:
        yield fail("TLS", error.message, error.hint)
    else:
        yield Check(what="TLS", found=f"{server.tls_certificate} and its key can be used")


def _listenable(server: Server) -> Check:
    if server.unix_socket is None:
        return _bindable(server.host, server.port)
    try:
        with listening(server):
            return Check(what="socket", found=f"{server.unix_socket} can be made")
    except CannotStart as error:
        return fail("socket", error.message, error.hint)


def _bindable(host: str, port: int) -> Check:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return fail(
                "port",
                f"{port} on {host} is taken, and not by a node with this home folder",
                f"stop what holds it, or choose another: --port {port + 1}",
            )
        return fail("port", f"can't listen on {host}:{port}: {error.strerror}", "choose another")
    which = f"{port} on {host} is free" if port else f"any free one on {host}"
    return Check(what="port", found=f"{which}; no node runs here")


async def embedding(config: NodeConfig) -> Check:
    """Check that the embedded model really embeds, on a node made for the purpose."""
    what = "embedded model"
    if not config.local.enabled:
        return Check(what=what, found="switched off (local.enabled)")
    with tempfile.TemporaryDirectory(prefix="inferd-doctor-") as folder:
        (Path(folder) / "inferd.toml").write_text("")
        where = Where(
            home=folder,
            config=Path(folder) / "inferd.toml",
            set=("remote.enabled=false", "local.enabled=true", "backends=[]"),
        )
        try:
            async with open_client(where, tells=False) as client:
                question = {"model": "minilm", "input": "Well?"}
                vectors = await client.post("/v1/embeddings", question, _Vectors)
        except Failure as failure:
            return fail(what, failure.message, failure.hint or "run `make setup`")
    return Check(what=what, found=f"works: a text became {len(vectors.data[0].embedding)} numbers")
