"""What a look around this machine finds: programs, servers, keys and hardware that run models."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from inferd.core.backend import BackendType


class Verdict(StrEnum):
    """What became of a thing that was looked for."""

    USABLE = "usable"
    """It could answer, and nothing uses it: looking is all that was asked for."""
    IN_USE = "in use"
    """A backend of this node asks it; `Found.backend` names it."""
    NEEDS_KEY = "needs a key"
    OFF = "off"
    """It is there, and can't be asked as it stands; `reason` says why, `hint` what to do."""
    NOT_THERE = "not there"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked for, in words for people; it holds no secret.

    `id` stays the same from look to look. `kind` is the backend's kind that asks such a thing,
    empty where none does (hardware). `toml` are the lines of inferd.toml that keep it, empty where
    there are none to write.
    """

    id: str
    name: str
    kind: str
    type: BackendType
    verdict: Verdict
    reason: str
    endpoint: str = ""
    """Where it is: an address, or the path of a program."""
    hint: str = ""
    models: tuple[str, ...] = ()
    toml: str = ""
    backend: str = ""
    """The backend of this node that asks it; empty where none does."""
    version: str = ""


class Findings(Protocol):
    """What discovery knows: reading it asks nobody, so that it may be read at every turn."""

    @property
    def is_on(self) -> bool:
        """Whether anything is looked for at all."""
        ...

    @property
    def looked_at(self) -> float | None:
        """When the last look ended, on the node's clock; None before the first has."""
        ...

    @property
    def found(self) -> Sequence[Found]:
        """What was found at the last look, what is usable first."""
        ...


class Looker(Findings, Protocol):
    """Discovery, for whoever may have it look at once."""

    async def look(self) -> None:
        """Look once, now: some seconds at most."""
        ...
