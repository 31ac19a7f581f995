"""A request's stages, said from whichever thread is at it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from inferd.core.progress import Stage, unheard
from inferd.core.request import InferenceRequest
from inferd.engine.embedded.device import Device
from inferd.engine.embedded.steps import Steps

T = TypeVar("T")


class Loadable(Protocol):
    """A model, or a part of one, that is read into memory when it is first used."""

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory."""
        ...

    def load(self) -> None:
        """Read it; a second call waits for the first."""
        ...


class Resident(Loadable, Protocol):
    """A model, or a part of one, that can be taken out of memory again."""

    def unload(self) -> None:
        """Let go of it; calls that are running finish first."""
        ...


class Telling:
    """What one request's listeners hear. Where there are none, nothing is found out for them."""

    __slots__ = ("_loop", "_tell", "is_heard")

    def __init__(self, request: InferenceRequest) -> None:
        self._tell = request.tell
        self._loop = asyncio.get_running_loop()
        self.is_heard = request.tell is not unheard

    def waits_for(self, device: Device) -> None:
        """Say that the request is queued, if it will be."""
        if self.is_heard and device.running >= device.threads:
            self._tell(Stage.QUEUED, ahead=device.queued)

    def say(self, stage: Stage) -> None:
        """Say it, from any thread."""
        if self.is_heard:
            # The loop may be gone if nobody waited for the thread.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell, stage)

    def running(self) -> None:
        """Say that the model is at it."""
        self.say(Stage.RUNNING)

    def load(self, parts: Sequence[Loadable]) -> None:
        """Load what isn't yet, and say so."""
        missing = [part for part in parts if not part.is_loaded]
        if missing:
            self.say(Stage.LOADING)
        for part in missing:
            part.load()

    def steps(self, parts: Sequence[Loadable], work: Steps[T]) -> Steps[T]:
        """Load, then take the steps, and say both."""
        self.load(parts)
        self.running()
        return (yield from work)
