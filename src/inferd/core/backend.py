"""The one interface between the gateway and everything that can run a model."""

from collections.abc import Coroutine, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import msgspec

from inferd.core.answer import Answer
from inferd.core.request import InferenceRequest, Tier


class BackendType(StrEnum):
    """What sort of compute a backend is, in the brief's words."""

    GPU = "gpu"
    """This machine's own hardware, accelerated or not."""
    API = "api"
    CLI = "cli"
    P2P = "p2p"
    WEBSOCKET = "websocket"
    MCP = "mcp"
    HYBRID = "hybrid"
    """Another node: it speaks several protocols, and has compute of several sorts behind it."""


class Status(StrEnum):
    """How a backend fares, in the brief's words. Idle is not dead: it stays what it was."""

    INITIALIZING = "initializing"
    """It hasn't been asked anything yet."""
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It fails now and then, or is being tried again: it is asked after its equals."""
    UNHEALTHY = "unhealthy"
    """It failed requests, and is left alone for a while."""
    OFFLINE = "offline"
    """It can't be reached."""
    UNKNOWN = "unknown"
    """What is known of it is too old to go by."""


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend is, whoever asks: it doesn't change while it is open.

    `endpoint` is where it is, without a secret, for people. `continues` are the tasks for which
    it heeds `InferenceRequest.continued`: it writes what comes after that text, and only that.
    A wire's name stands for the requests that came in on it, whatever their task.
    """

    type: BackendType
    endpoint: str = ""
    protocols: frozenset[str] = frozenset({"http"})
    hardware: frozenset[str] = frozenset()
    streams: bool = True
    most_in_batch: int = 1
    continues: frozenset[str] = frozenset()

    def goes_on_with(self, request: InferenceRequest) -> bool:
        """Whether it can write the rest of what another backend has begun to answer."""
        raw = request.raw
        return request.task in self.continues or (raw is not None and raw.wire in self.continues)


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model on offer. `detail` holds JSON-able facts for people: licence, dimension, size."""

    id: str
    tasks: frozenset[str]
    aliases: tuple[str, ...] = ()
    detail: Mapping[str, object] = {}


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a backend can do now.

    `open_tasks` are those for which it will try models that it doesn't list: a remote node
    may know more than it told. The first model that lists a task is that task's default.
    """

    models: tuple[Model, ...] = ()
    open_tasks: frozenset[str] = frozenset()

    @cached_property
    def tasks(self) -> frozenset[str]:
        """Every task that it can be asked for."""
        return self.open_tasks | self.listed_tasks

    @cached_property
    def listed_tasks(self) -> frozenset[str]:
        """Every task that a model is listed for."""
        return frozenset[str]().union(*{model.tasks for model in self.models})

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of its models."""
        return frozenset(model.id for model in self.models)

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        """The id that each name means for a task, of the tasks that were asked for so far."""
        return {}

    def find(self, task: str, name: str) -> str | None:
        """Return the id under which `name` does `task`, or None.

        `name` is an id, an alias, or empty for the task's default.
        """
        if task not in self.tasks:
            return None
        ids = self._names.get(task)
        if ids is None:
            ids = self._names[task] = self._index(task)
        found = ids.get(name)
        return name if found is None and task in self.open_tasks else found

    def _index(self, task: str) -> dict[str, str]:
        ids: dict[str, str] = {}
        for model in self.models:
            if task in model.tasks:
                if not ids:
                    ids[""] = model.id
                ids.setdefault(model.id, model.id)
                for alias in model.aliases:
                    ids.setdefault(alias, model.id)
        return ids


class Backend(Protocol):
    """A local engine, a vendor's API, another node, a peer, a tool.

    A backend runs the request it is given. Who may ask, which backend serves, what to try next
    and what it cost are the gateway's business.
    """

    @property
    def name(self) -> str:
        """The operator's name for it, unique within the node."""
        ...

    @property
    def kind(self) -> str:
        """The module it is an instance of."""
        ...

    @property
    def tier(self) -> Tier:
        """How far from this machine a request's words go with it."""
        ...

    @property
    def traits(self) -> Traits:
        """What sort of backend it is."""
        ...

    @property
    def is_node(self) -> bool:
        """Whether it is another node, that may forward in its turn."""
        ...

    @property
    def wires(self) -> frozenset[str]:
        """The wires whose bodies it passes on as they are, and answers in; see Raw."""
        ...

    @property
    def assumed(self) -> Capabilities:
        """What to expect of it before it has been asked; costs nothing to say."""
        ...

    async def capabilities(self) -> Capabilities:
        """Ask what is on offer now.

        Raises:
            BackendError: It can't be asked.
        """
        ...

    def infer(self, request: InferenceRequest) -> Coroutine[Any, Any, Answer]:
        """Begin to answer. Returning is the commitment; before it, another backend may try.

        `request.model` is one of the ids it offers, or any for an open task. Chunks end with
        exactly one Finish, unless the answer is raw. Cancelling the call frees everything.

        Raises:
            NodeError: The only failures that leave a backend, here or while iterating.
        """
        ...


@runtime_checkable
class LoadsModels(Protocol):
    """A backend whose models the operator may have put into memory, and taken out of it."""

    @property
    def resident(self) -> tuple[str, ...]:
        """The ids of the models that are in memory now."""
        ...

    async def load(self, model: str) -> None:
        """Put a model into memory; it costs nothing where it is there already.

        Raises:
            ModelNotFound: It has none of that id.
            BackendError: It can't be loaded.
        """
        ...

    async def unload(self, model: str) -> None:
        """Take a model out of memory; requests that use it end first, the next loads it again.

        Raises:
            ModelNotFound: It has none of that id.
            BackendError: It can't be asked.
        """
        ...
