"""What is asked, by whom, and how far its words may travel."""

from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum

import msgspec

from inferd.core.content import File
from inferd.core.progress import Tell, unheard


class Tier(IntEnum):
    """How far from this machine words may travel; each includes those before it."""

    LOCAL = 0
    PEER = 1
    TEAM = 2
    CLOUD = 3

    @property
    def label(self) -> str:
        """The tier's name in configuration and headers."""
        return self.name.lower()


ALL_TIERS = frozenset(Tier)


def tiers_up_to(ceiling: Tier) -> frozenset[Tier]:
    """Return the tiers from `local` to `ceiling`."""
    return frozenset(tier for tier in Tier if tier <= ceiling)


def parse_tiers(text: str) -> frozenset[Tier]:
    """Read a ceiling (`team`) or an exact set (`local,team`).

    Raises:
        ValueError: A name isn't a tier.
    """
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    unknown = [name.lower() for name in names if name not in Tier.__members__]
    if unknown or not names:
        known = ", ".join(tier.label for tier in Tier)
        raise ValueError(f"no tier called {', '.join(unknown) or text!r}; tiers are {known}")
    if len(names) == 1:
        return tiers_up_to(Tier[names[0]])
    return frozenset(Tier[name] for name in names)


class Place(StrEnum):
    """The caller's word on where to run: the brief's `use_remote`, absent, true or false."""

    ANY = "any"
    LOCAL = "local"
    REMOTE = "remote"


class Action(StrEnum):
    """What a principal may be allowed to do."""

    INFER = "infer"
    LIST = "list"
    USAGE = "usage"
    ADMIN = "admin"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much: None is unlimited."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int | None = None
    per_model: bool = False
    """Whether each model has a count of its own."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: `owner`, `secret:<id>`; keys, peers and MCP clients by the same shape."""

    id: str
    tiers: frozenset[Tier] = ALL_TIERS
    """Where its words may go when neither the request nor a rule says."""


OWNER = Principal(id="owner")


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own bytes, for a backend that speaks the same wire.

    Where `read` is given, the body has only been peeked at: a backend of another wire needs what
    `read` makes of it first, the request's inputs and parameters.
    """

    wire: str
    body: bytes
    model: str = ""
    """The model that `body` names, and that a backend which calls it otherwise replaces."""
    most_tokens: int | None = None
    """The most that it asks to be written, where it says so."""
    wants_usage: bool = False
    """Whether it asks for usage at the end of a stream."""
    has_routing: bool = False
    """Whether it has fields by which some upstreams are told of other models than `model`."""
    read: Callable[[bytes], tuple[Mapping[str, object], Mapping[str, object]]] | None = None


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question, whatever it came in as.

    `inputs` and `parameters` are keyed by the task's field names (core/tasks.py), already checked.
    `deadline` is on the node's clock; `hops` lists the nodes it came through, oldest first.
    """

    id: str
    task: str
    model: str = ""
    """A model id or alias; empty asks for the task's default."""
    inputs: Mapping[str, object] = {}
    files: tuple[File, ...] = ()
    parameters: Mapping[str, object] = {}
    stream: bool = False
    place: Place = Place.ANY
    tiers: frozenset[Tier] | None = None
    deadline: float | None = None
    hops: tuple[str, ...] = ()
    backend: str = ""
    """The only backend of this node that may answer; empty is any. Another node never sees it."""
    strategy: str = ""
    """The strategy by which equals are ordered, for this request; empty is the node's own."""
    hedge: bool = False
    """Whether a second backend may be asked where the first is late; the loser is cancelled."""
    fresh: bool = False
    """Whether nothing kept may answer it, nor its answer be kept: the caller's `no-store`."""
    explain: bool = False
    """Whether the answer is to say why it came from where it did."""
    continued: str = ""
    """What another backend has written of the answer already: only the rest is wanted."""
    raw: Raw | None = None
    tell: Tell = unheard
    """Where a backend says that it loads, that it runs. Called a few times, never per chunk."""
    trace: bytes = b""
    """The caller's W3C `traceparent`, or this node's own span in it; empty where there is none."""


def opened(request: InferenceRequest) -> InferenceRequest:
    """Return the request with its inputs and parameters read, for a backend of another wire.

    Raises:
        NodeError: What the caller sent can't be read.
    """
    raw = request.raw
    if raw is None or raw.read is None:
        return request
    inputs, parameters = raw.read(raw.body)
    return msgspec.structs.replace(
        request,
        inputs=inputs,
        parameters=parameters,
        raw=msgspec.structs.replace(raw, read=None),
    )
