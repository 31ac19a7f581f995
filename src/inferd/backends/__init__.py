"""Everything that can run a model. The `kind` in the configuration is the module's name here.

A kind's module has an `Options` struct, for what only it understands, and
`open_backend(settings, *, node, clock)`, which lends a `core.backend.Backend`.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import msgspec

from inferd.core.backend import Backend
from inferd.core.clock import Clock
from inferd.core.hiding import Secrets
from inferd.core.request import Tier
from inferd.core.result import Chunk

T = TypeVar("T")

STALL = 30.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One backend as its operator wants it. Empty means that the kind decides.

    `models` maps the names that callers use to the upstream's own; `timeout` bounds a whole
    answer; of a stream, the wait for its first piece. `stall` is how long one may be silent after
    that, by default 30 seconds, or `timeout` if that is less. `public_only`: it is asked
    only at addresses of the internet, as whoever wants it may not choose among ours. `secrets` are
    those that stand in `options`: they are never shown.
    """

    name: str
    base_url: str = ""
    api_key: str = ""
    models: Mapping[str, str] = {}
    tier: Tier | None = None
    timeout: float = 120.0
    stall: float | None = None
    public_only: bool = False
    options: Mapping[str, object] = {}
    secrets: tuple[str, ...] = ()

    @property
    def stall_seconds(self) -> float:
        """How long a stream that has begun may be silent."""
        return min(STALL, self.timeout) if self.stall is None else self.stall

    def __repr__(self) -> str:
        # Neither the key nor the options, which may hold another, belong in a log.
        return f"<Settings of {self.name}>"


def kinds() -> list[str]:
    """Return the names of all kinds."""
    return sorted(each.name for each in pkgutil.iter_modules(__path__) if each.name[0] != "_")


def open_kind(
    kind: str, settings: Settings, *, node: str, clock: Clock
) -> AbstractAsyncContextManager[Backend]:
    """Lend a backend of that kind; leaving closes everything it holds.

    `node` is this node's id, for backends that are nodes themselves.

    Raises:
        ValueError: There is no such kind, or it can't be set up like this; here or on entering.
    """
    known = kinds()
    if kind not in known:
        raise ValueError(
            f"backend {settings.name}: there is no kind called {kind!r}; "
            f"kinds are {', '.join(known)}"
        )
    module = importlib.import_module(f"{__name__}.{kind}")
    opened: AbstractAsyncContextManager[Backend] = module.open_backend(
        settings, node=node, clock=clock
    )
    return opened


def read_options(settings: Settings, shape: type[T]) -> T:
    """Read a kind's own options.

    Raises:
        ValueError: One is unknown or wrong.
    """
    try:
        return msgspec.convert(dict(settings.options), shape)
    except msgspec.ValidationError as error:
        raise ValueError(f"backend {settings.name}: options: {error}") from error


def secrets_of(
    settings: Settings, own: Mapping[str, str], inherited: Iterable[str], environ: Mapping[str, str]
) -> Secrets:
    """Return what a program mustn't show: its key, and what only it sees of the environment."""
    seen = (environ.get(name, "") for name in inherited)
    return Secrets(settings.api_key, [*settings.secrets, *own.values(), *seen])


async def each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    """Yield what is already there, as an answer's chunks."""
    for chunk in chunks:
        yield chunk
