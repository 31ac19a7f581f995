"""The models that come with inferd, on this machine's processor."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

from inferd.backends import Settings, read_options
from inferd.backends.local.offers import TASKS, offers
from inferd.backends.local.telling import Telling
from inferd.core.answer import Answer, Served
from inferd.core.backend import Backend, BackendType, Capabilities, Traits
from inferd.core.clock import Clock
from inferd.core.errors import (
    BackendFailed,
    BackendTimeout,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.progress import Stage
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Chunk, TextDelta
from inferd.engine.embedded import weights
from inferd.engine.embedded.device import QUEUE_LIMIT, Device

if TYPE_CHECKING:
    from inferd.backends.local.abilities import Abilities

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`threads` 0 is one a core; `folder` empty is where set-up puts the models."""

    threads: Annotated[int, msgspec.Meta(ge=0)] = 0
    queue: Annotated[int, msgspec.Meta(ge=1)] = QUEUE_LIMIT
    folder: str = ""


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend the embedded models; leaving waits for what the threads are at."""
    options = read_options(settings, Options)
    async with Device(options.threads or None, queue_limit=options.queue) as device:
        yield LocalBackend(settings, options, device, clock)


class LocalBackend:
    """Runs each request in one of the device's threads. Nothing is loaded until it is needed."""

    kind = "local"
    traits = Traits(
        type=BackendType.GPU,
        protocols=frozenset({"in-process"}),
        hardware=frozenset({"cpu"}),
        continues=frozenset({"chat"}),
    )
    is_node = False
    wires = frozenset[str]()

    def __init__(self, settings: Settings, options: Options, device: Device, clock: Clock) -> None:
        self.name = settings.name
        self.tier = Tier.LOCAL if settings.tier is None else settings.tier
        self._folder = Path(options.folder) if options.folder else weights.built_folder()
        self.assumed = Capabilities(models=offers(self._folder))
        self._device = device
        self._clock = clock
        self._abilities: Abilities | None = None

    def __repr__(self) -> str:
        return f"<LocalBackend {self.name} {self._device!r}>"

    async def capabilities(self) -> Capabilities:
        if self._device.is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        models = offers(self._folder)
        if not models:
            weights.require(self._folder, weights.MINILM)
        return Capabilities(models=models)

    async def infer(self, request: InferenceRequest) -> Answer:
        if request.task not in TASKS:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        if request.deadline is not None and request.deadline <= self._clock.now():
            raise BackendTimeout(f"no time was left to ask {self.name}")
        telling = Telling(request)
        telling.waits_for(self._device)
        abilities = await self._opened(telling)
        pieces, finish, warnings = await self._told(abilities.answer(request, telling))
        if request.continued:
            pieces = _rest(pieces, request.continued)
        return Answer(_each((*pieces, finish)), served=Served(warnings=warnings))

    @property
    def resident(self) -> tuple[str, ...]:
        return () if self._abilities is None else self._abilities.resident

    async def load(self, model: str) -> None:
        self._check_offered(model)
        abilities = await self._opened(None)
        await self._told(self._device.run(abilities.load, model))

    async def unload(self, model: str) -> None:
        self._check_offered(model)
        if self._abilities is not None:
            await self._told(self._device.run(self._abilities.unload, model))

    def _check_offered(self, model: str) -> None:
        if model not in {offer.id for offer in offers(self._folder)}:
            raise ModelNotFound(f"{self.name} has no model called {model}")

    async def _opened(self, telling: Telling | None) -> "Abilities":
        return self._abilities or await self._told(self._device.run(self._open, telling))

    def _open(self, telling: Telling | None) -> "Abilities":
        if telling is not None:
            telling.say(Stage.LOADING)
        # numpy costs 70 ms: it is imported here, in the device's thread, by the first who asks.
        from inferd.backends.local.abilities import Abilities

        if self._abilities is None:
            self._abilities = Abilities(self._folder, self._device)
        return self._abilities

    async def _told(self, work: Awaitable[T]) -> T:
        """Wait; whatever goes wrong becomes one of our errors."""
        try:
            return await work
        except NodeError:
            raise
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a runtime's own errors have no common class
            logger.exception("%s failed", self.name)
            raise BackendFailed(f"{self.name} failed; the node's log says why") from error


def _rest(pieces: Iterable[Chunk], text: str) -> tuple[Chunk, ...]:
    """Return what follows `text` in a quotation, which is the same whoever makes it.

    Raises:
        UnsupportedTask: It isn't, here.
    """
    whole = "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
    if not whole.startswith(text):
        raise UnsupportedTask("the documentation here has other words than those that were begun")
    rest = whole.removeprefix(text)
    return (TextDelta(rest),) if rest else ()


async def _each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk
