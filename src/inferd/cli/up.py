"""`inferd up`: the node itself."""

import asyncio
from pathlib import Path

from inferd.cli.failure import Failure
from inferd.cli.program import program
from inferd.cli.settings import SETTINGS, Settings, read
from inferd.config.load import Loaded


def up(*, settings: Settings = SETTINGS) -> None:
    """Start a node and serve until it is told to stop.

    Settings come from these flags, the environment, .env, inferd.toml and the preset, in this
    order; `inferd config show` prints them all.
    """
    loaded = read(settings)

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
    auth = "" if not config.auth.shared_secrets else " -H 'Authorization: Bearer <secret>'"
    # Other commands look for the node in the same home folder.
    home = f" --home {config.server.home}" if loaded.source("server.home").kind == "flag" else ""
    lines = [
        f"inferd serves at {url}",
        f"  try    curl {url}/v1/embeddings{auth} -H 'Content-Type: application/json' "
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


def _remote(loaded: Loaded) -> str:
    nodes = loaded.config.remote.nodes
    if not nodes:
        return "off: everything runs here or not at all"
    names = ", ".join(node.name or node.url.partition("?")[0] for node in nodes)
    return f"on: {names}"


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
