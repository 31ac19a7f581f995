"""What a look brings: each thing in words, and how it is asked where it can be."""

import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

import msgspec

from inferd.core.backend import BackendType, Status
from inferd.core.found import Found, Verdict
from inferd.core.request import Tier


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that was found, and the backend that would ask it; an empty `name`: none would."""

    found: Found
    name: str = ""
    kind: str = ""
    base_url: str = ""
    api_key: str = ""
    models: Mapping[str, str] = {}
    options: Mapping[str, object] = {}
    tier: Tier | None = None

    def __repr__(self) -> str:
        # It may hold a key.
        return f"<Offer {self.found.id} {self.found.verdict}>"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that the node has, as its pool knows it now.

    `reason` says what ails it, if anything does.
    """

    name: str
    kind: str
    type: BackendType
    endpoint: str
    models: tuple[str, ...] = ()
    reason: str = ""
    status: Status = Status.HEALTHY
    is_found: bool = False


class Look(Protocol):
    """One sort of thing to look for."""

    def __call__(self, taken: Sequence[Taken], /) -> Awaitable[Sequence[Offer]]:
        """Return what is there now, and what isn't; `taken` are the node's backends.

        It asks for a few seconds at most, and raises nothing that it can foresee.
        """
        ...


class Taker(Protocol):
    """Whoever makes backends of what is found: the node."""

    def taken(self) -> Sequence[Taken]:
        """Return the backends that the node has now."""
        ...

    async def take(self, offer: Offer) -> str:
        """Make a backend of it, for the local owner until a rule names it; return its name.

        Raises:
            NodeError: It can't be had.
            ValueError: It can't be set up like this.
        """
        ...

    async def drop(self, name: str) -> None:
        """Let a backend go once its requests have ended."""
        ...


def absent(
    key: str,
    name: str,
    kind: str,
    sort: BackendType,
    *,
    reason: str,
    hint: str,
    endpoint: str = "",
) -> Offer:
    """Return what is said of a thing that isn't there."""
    found = Found(
        id=key,
        name=name,
        kind=kind,
        type=sort,
        verdict=Verdict.NOT_THERE,
        reason=reason,
        hint=hint,
        endpoint=endpoint,
    )
    return Offer(found=found)


def toml(name: str, kind: str, fields: Mapping[str, object]) -> str:
    """Return the lines of inferd.toml that list a backend."""
    lines = ["[[backends]]", f"name = {json.dumps(name)}", f"kind = {json.dumps(kind)}"]
    lines += [f"{key} = {_literal(value)}" for key, value in fields.items() if value]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, Mapping):
        inner = [f"{json.dumps(key)} = {_literal(each)}" for key, each in value.items()]
        return f"{{ {', '.join(inner)} }}"
    return json.dumps(value, ensure_ascii=False)
