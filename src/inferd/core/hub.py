"""A hub of models, as the node sees it: what it lists, and how it fails."""

import re
from typing import ClassVar, Literal, Protocol

import msgspec

from inferd.core.errors import ErrorKind, NodeError

HubSort = Literal["trending", "downloads", "likes"]
Cache = Literal["fresh", "stale", "none"]

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_ID = re.compile(rf"(?:{_PART}/)?{_PART}")


def is_model_id(name: str) -> bool:
    """Whether the Hub could have a model of that name: `owner/name`, or an old one's bare name."""
    return ".." not in name and _ID.fullmatch(name) is not None


class HubProvider(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A service that hosts a model now; `task` is the Hub's word for what it does with it."""

    name: str
    task: str = ""


class HubModel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A model as the Hub lists it. None where the Hub doesn't say.

    `size_bytes` is what a download of its weights weighs; `parameters` counts them. `library` and
    `pipeline_tag` are the Hub's words, or empty.
    """

    id: str
    likes: int | None = None
    downloads: int | None = None
    trending_score: float | None = None
    gated: Literal["false", "auto", "manual"] = "false"
    library: str = ""
    pipeline_tag: str = ""
    parameters: int | None = None
    size_bytes: int | None = None
    providers: tuple[HubProvider, ...] = ()


class HubQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: models of one of our tasks, whose names hold every word of `search`."""

    task: str
    search: str = ""
    sort: HubSort = "trending"


class HubFailure(NodeError):
    """The Hub didn't list: it is down, slow, refuses us, or talks nonsense."""

    kind: ClassVar[ErrorKind] = ErrorKind.BACKEND_FAILED
    retryable = True


class HubLimited(HubFailure):
    """The Hub asks us to come back later."""

    kind: ClassVar[ErrorKind] = ErrorKind.RATE_LIMITED


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The models that are known, in the Hub's order, and how good that knowledge is.

    `age` is in seconds; None where nothing is known. `failure` says why it isn't fresh or whole.
    """

    models: tuple[HubModel, ...] = ()
    more: bool = False
    """Whether the Hub has more than these."""
    cache: Cache = "none"
    age: float | None = None
    failure: HubFailure | None = None


class HubListing(Protocol):
    """Where the gateway learns what the Hub has."""

    def known(self, query: HubQuery) -> Listing:
        """Return what is known already; asks nobody."""
        ...

    async def list(self, query: HubQuery, want: int) -> Listing:
        """Return `want` models if the Hub has so many, asking it where need be.

        It waits a bounded time, and never raises what a failing Hub did: that is in `failure`.
        """
        ...
