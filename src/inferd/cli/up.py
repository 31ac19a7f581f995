"""`inferd up`: the node itself."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

from inferd.cli.failure import Failure
from inferd.cli.program import program
from inferd.cli.settings import SETTINGS, Settings, read
from inferd.config.load import Loaded
from inferd.config.server import Server


def up(*, settings: Settings = SETTINGS) -> None:
    """Start a node and serve until it is told to stop.

    Settings come from these flags, the environment, .env, inferd.toml and the preset, in this
    order; `inferd config show` prints them all.
    """
    loaded = read(settings, serves=True)

    from inferd.node import CannotStart, serve

    def ready(url: str) -> None:
        print(banner(url, loaded), flush=True)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(loaded.config, ready=ready))
    except CannotStart as error:
        raise Failure(error.message, hint=error.hint) from error


def banner(url: str, loaded: Loaded) -> str:
    """Return what a person wants to know of a node that has just started."""
    config = loaded.config
    file = config.server.unix_socket
    via = f"--unix-socket {file} " if file else ""
    auth = f" -H 'Authorization: Bearer <{key}>'" if (key := _key(loaded)) else ""
    # Other commands look for the node in the same home folder.
    home = f" --home {config.server.home}" if loaded.source("server.home").kind == "flag" else ""
    lines = [
        f"inferd serves at {file or url}",
        *(f"  others {each}, from other machines" for each in _from_afar(url, config.server)),
        f"  try    curl {via}{url}/v1/embeddings{auth} -H 'Content-Type: application/json' "
        """-d '{"model": "minilm", "input": "Hello"}'""",
        f"  or     {program()} run sentiment-analysis 'The food was wonderful'{home}",
        f"  state  {_short(config.server.home)}",
        f"  remote {_remote(loaded)}",
    ]
    lines += [f"  note   {warning}" for warning in loaded.warnings]
    lines += [
        f"  note   {key.path} has no effect yet: it waits for {key.awaits}"
        for key in loaded.awaiting()
    ]
    return "\n".join(lines)


def _key(loaded: Loaded) -> str:
    """Return what a caller must show: nothing where this machine's programs need no key."""
    auth = loaded.config.auth
    if auth.shared_secrets:
        return "secret"
    # Who signs in has a session; a program of the owner's has the node's own token.
    return "the token in node.json" if auth.login_user is not None else ""


def _from_afar(url: str, server: Server) -> Iterator[str]:
    """Yield the address that other machines use, where the node listens on all of its own."""
    if server.host not in ("0.0.0.0", "::") or server.unix_socket is not None:
        return
    scheme, port = url.partition(":")[0], url.rpartition(":")[2]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Nothing is sent: the system only chooses the address that it would be sent from.
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
    except OSError:
        address = socket.gethostname()
    yield f"{scheme}://{address}:{port}"


def _remote(loaded: Loaded) -> str:
    nodes = loaded.config.remote.nodes
    if not nodes:
        return "off: everything runs here or not at all"
    names = ", ".join(node.name or node.url.partition("?")[0] for node in nodes)
    return f"on: {names}"


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _loop_factory() -> "type[asyncio.AbstractEventLoop]":
    try:
        import uvloop
    except ImportError:
        # Windows' usual loop can't watch a listening socket.
        return asyncio.SelectorEventLoop
    return uvloop.Loop
