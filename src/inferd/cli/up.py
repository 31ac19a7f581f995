"""`inferd up`: the node itself."""

import asyncio

from inferd.cli.banner import banner
from inferd.cli.failure import Failure
from inferd.cli.settings import SETTINGS, Settings, read


def up(*, settings: Settings = SETTINGS) -> None:
    """Start a node and serve until it is told to stop.

    Settings come from these flags, the environment, .env, inferd.toml and the preset, in this
    order; `inferd config show` prints them all.
    """
    loaded = read(settings, serves=True)

    from inferd.node.home import CannotStart
    from inferd.node.serve import serve

    def ready(url: str) -> None:
        print(banner(url, loaded), flush=True)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(loaded.config, ready=ready))
    except CannotStart as error:
        raise Failure(error.message, hint=error.hint) from error


def _loop_factory() -> "type[asyncio.AbstractEventLoop]":
    try:
        import uvloop
    except ImportError:
        # Windows' usual loop can't watch a listening socket.
        return asyncio.SelectorEventLoop
    return uvloop.Loop
