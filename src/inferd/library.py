"""inferd inside your own program: `async with inferd.open_node() as node: …`.

The program is the node's local owner: what it asks may go wherever the configuration lets the
owner's words go, and it may open any kind of backend. Nothing listens.
"""

import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TypedDict, Unpack

import msgspec

from inferd.backends import Settings
from inferd.config.load import load
from inferd.config.schema import NodeConfig
from inferd.core.answer import Answer, Served, collect
from inferd.core.backend import Backend, BackendType, Status
from inferd.core.clock import Clock
from inferd.core.content import BytesFile
from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest, Tier, parse_tiers
from inferd.core.result import Media, Result, TextDelta
from inferd.core.tasks import check, check_name, task_named
from inferd.gateway.report import BackendReport, StatusReport
from inferd.node import node as running_node
from inferd.node.bounds import check_backend_name, check_bounds
from inferd.node.compose import Wanted
from inferd.node.home import Home
from inferd.node.roster import DRAIN_SECONDS
from inferd.telemetry.clock import SystemClock
from inferd.wire import vectors

# What only a listener decides, or our own code, is nobody's to set.
_SETTINGS = {*Settings.__struct_fields__} - {"name", "tier", "public_only", "secrets"}
_OF_EVERY_KIND = ("tasks", "priority", "tier")

Config = NodeConfig | Mapping[str, object] | str | Path | None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, and where it came from.

    What a task doesn't give is empty: `text` of what writes, `value` of what labels, finds or
    tabulates, `vectors` of what embeds, `media` of what draws or speaks.
    """

    text: str = ""
    value: object = None
    vectors: list[list[float]] = []
    media: Media | None = None
    model: str = ""
    backend: str = ""
    node: str = ""
    source: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


class Way(TypedDict, total=False):
    """How a request goes.

    `backend` is the only one that may answer; `strategy` orders equals, for this request; `tier`
    is how far its words may go, as in X-Inference-Tier; `timeout` is in seconds.
    """

    backend: str
    strategy: str
    tier: str
    timeout: float


class Node:
    """A node that runs in this program."""

    def __init__(self, node: running_node.Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self.id = node.id
        self.backends = Backends(node)

    async def infer(
        self,
        task: str,
        inputs: object,
        *,
        model: str = "",
        parameters: Mapping[str, object] | None = None,
        files: Mapping[str, bytes] | None = None,
        **way: Unpack[Way],
    ) -> Reply:
        """Run any task, and return the whole answer.

        Args:
            task: A task's name, such as `text-classification`.
            inputs: Its main input, or a mapping of its fields; a chat's messages, or one text.
            model: An id or alias; empty is the task's default.
            parameters: The task's parameters.
            files: Bytes by field: `image`, `audio`, `video`.
            way: `backend`, `strategy`, `tier` and `timeout`; see `Way`.

        Raises:
            NodeError: Whatever stopped it; `hint` says what to do.
            TypeError: `way` names something else.
        """
        request = self._request(task, inputs, model, parameters, files, way)
        async with self._node.gateway.infer(request, self._node.owner) as answer:
            return _reply(await collect(answer), answer.served)

    async def ask(self, text: str, *, model: str = "", **way: Unpack[Way]) -> str:
        """Return what a chat model answers to `text`. Raises what `infer` does."""
        return (await self.infer("chat", text, model=model, **way)).text

    @asynccontextmanager
    async def stream(
        self,
        task: str,
        inputs: object,
        *,
        model: str = "",
        parameters: Mapping[str, object] | None = None,
        **way: Unpack[Way],
    ) -> AsyncGenerator[AsyncIterator[str]]:
        """Lend an answer's text as it is written; leaving early frees everything downstream.

        Raises what `infer` does, on entering or while the text is read.
        """
        request = self._request(task, inputs, model, parameters, None, way)
        request = msgspec.structs.replace(request, stream=True)
        async with self._node.gateway.infer(request, self._node.owner) as answer:
            yield _texts(answer)

    def _request(
        self,
        task: str,
        inputs: object,
        model: str,
        parameters: Mapping[str, object] | None,
        files: Mapping[str, bytes] | None,
        way: Way,
    ) -> InferenceRequest:
        _check_names("argument", way, Way.__annotations__)
        known = task_named(task)
        payload = _payload(known.name, inputs)
        given, steered = check(known, payload, dict(parameters or {}))
        seconds = way.get("timeout")
        return InferenceRequest(
            id=secrets.token_hex(8),
            task=known.name,
            model=check_name("model", model),
            inputs=given,
            parameters=steered,
            files=tuple(BytesFile(field, data) for field, data in (files or {}).items()),
            backend=check_name("backend", way.get("backend", "")),
            strategy=way.get("strategy", ""),
            tiers=_tiers(way.get("tier", "")),
            deadline=None if seconds is None else self._clock.now() + seconds,
        )


class Backends:
    """The node's backends: they come and go while it runs."""

    def __init__(self, node: running_node.Node) -> None:
        self._node = node

    async def register(
        self,
        name: str,
        kind: str = "",
        *,
        instance: Backend | None = None,
        tasks: Sequence[str] = (),
        priority: int = 0,
        tier: str = "",
        **settings: object,
    ) -> BackendReport:
        """Add a backend, and ask it what it offers.

        Args:
            name: Its own name.
            kind: What sort it is, as in `[[backends]]`; not with `instance`.
            instance: A backend of your own: anything of `inferd.core.backend.Backend`'s shape, of
                that name. You close it yourself, after it is unregistered.
            tasks: The only ones that it is used for; empty for all.
            priority: Those with a lower number are asked first.
            tier: How far words travel with it; empty for what its kind says.
            settings: Of a kind: `base_url`, `api_key`, `models` (a list, or public name to the
                upstream's own), `timeout`, `stall`, `options`.

        Raises:
            NameTaken: There is one of that name.
            TypeError: There is no such setting.
            ValueError: There is no such kind, or it can't be set up like this.
        """
        _check_names("setting", settings, _SETTINGS, also=_OF_EVERY_KIND)
        check_backend_name(name)
        roster = self._node.roster
        only = frozenset(task_named(task).name for task in tasks)
        if instance is not None:
            if kind or settings or tier or instance.name != name:
                raise ValueError("an instance has its own name, kind, tier and settings")
            member = await roster.take(name, nullcontext(instance), priority=priority, tasks=only)
        else:
            wanted = _settings(name, tier, settings)
            check_bounds(models=wanted.models, priority=priority, timeout=wanted.timeout)
            want = Wanted(kind=kind, settings=wanted, priority=priority, tasks=only)
            member = await roster.add(want)
        await roster.pool.ask(member)
        return self.get(name)

    async def unregister(self, name: str, drain_seconds: float = DRAIN_SECONDS) -> int:
        """Close a backend once its requests have ended; return how many were cut.

        Raises:
            NoSuchBackend: There is none of that name.
        """
        return await self._node.roster.remove(name, drain_seconds)

    def drain(self, name: str, *, drains: bool = True) -> None:
        """Give a backend no new request, or new ones again. Raises NoSuchBackend."""
        self._node.roster.member(name).drain(drains=drains)

    async def check(self, name: str) -> BackendReport:
        """Ask a backend now what it offers, and return how it fares. Raises NoSuchBackend."""
        await self._node.roster.pool.ask(self._node.roster.member(name))
        return self.get(name)

    def get(self, name: str) -> BackendReport:
        """Return one backend as it stands. Raises NoSuchBackend."""
        self._node.roster.member(name)
        return next(each for each in self.report().backends if each.id == name)

    def list(
        self,
        *,
        type: BackendType | str | None = None,  # noqa: A002 - the brief's word
        status: Status | str | None = None,
        task: str | None = None,
    ) -> list[BackendReport]:
        """Return the backends as they stand, or those of a type, in a status, that do a task.

        Raises:
            ValueError: There is no such type or status.
            UnsupportedTask: There is no such task.
        """
        kind = None if type is None else BackendType(type).value
        state = None if status is None else Status(status).value
        does = None if task is None else task_named(task).name
        return [
            each
            for each in self.report().backends
            if kind in (None, each.type)
            and state in (None, each.status)
            and (does is None or does in each.tasks)
        ]

    def select(
        self,
        task: str,
        model: str = "",
        *,
        preferred_types: Sequence[BackendType | str] = (),
        required_protocols: Sequence[str] = (),
    ) -> BackendReport | None:
        """Return the backend that would be asked now, or None where nobody would be. Nothing runs.

        Of those that speak all `required_protocols`, the first of the preferred types; among
        equals the node's own order, by its rules, its tiers and its strategy.

        Raises:
            UnsupportedTask: There is no such task.
            ValueError: There is no such type.
        """
        types = [BackendType(each).value for each in preferred_types]
        request = InferenceRequest(
            id="select", task=task_named(task).name, model=check_name("model", model)
        )
        explained = self._node.gateway.explain(request, self._node.owner)
        if explained.error:
            return None
        known = {each.id: each for each in self.report().backends}
        found = [
            known[each.backend]
            for each in sorted(explained.candidates, key=lambda each: each.order)
            if each.order and set(required_protocols) <= {*known[each.backend].protocols}
        ]
        found.sort(key=lambda each: types.index(each.type) if each.type in types else len(types))
        return found[0] if found else None

    def report(self) -> StatusReport:
        """Return how all of them stand and what they did, in total and each."""
        return self._node.gateway.report(self._node.owner)


@asynccontextmanager
async def open_node(config: Config = None, *, clock: Clock | None = None) -> AsyncGenerator[Node]:
    """Start a node in this program; leaving stops everything it started.

    Args:
        config: Settings by key (`{"server.home": "/tmp/x", "local.threads": 2}`), a file to read,
            or a whole configuration. None reads inferd.toml and the environment, as `inferd up`.
        clock: Another clock, for tests.

    Raises:
        ConfigError: The configuration can't be used.
        CannotStart: It can't be run, or another node uses its home folder; it says what to do.
    """
    clock = clock or SystemClock()
    loaded = _loaded(config)
    home = Home(loaded.server.home)
    home.prepare()
    with home.claimed():
        async with running_node.open_node(loaded, clock=clock) as node:
            yield Node(node, clock)


def _loaded(config: Config) -> NodeConfig:
    if isinstance(config, NodeConfig):
        return config
    where = Path(config) if isinstance(config, str | Path) else None
    flags = config if isinstance(config, Mapping) else None
    return load(flags=flags, environ=os.environ, path=where, cwd=Path.cwd()).config


def _check_names(
    what: str, given: Collection[str], known: Collection[str], *, also: Sequence[str] = ()
) -> None:
    """Refuse what is misspelt: left out of the question, it would say less than it means.

    Raises:
        TypeError: Something isn't known; it says what is.
    """
    strange = [name for name in given if name not in known]
    if strange:
        listed = ", ".join(sorted({*known, *also}))
        raise TypeError(f"there is no {what} called {strange[0]}: {listed}")


def _settings(name: str, tier: str, given: Mapping[str, object]) -> Settings:
    """Check what is wanted of a kind.

    Raises:
        ValueError: Something in it is of the wrong type.
    """
    models = given.get("models", {})
    if isinstance(models, list | tuple):
        names: list[object] = [*models]
        given = {**given, "models": {str(each): str(each) for each in names}}
    try:
        settings = msgspec.convert({**given, "name": name}, Settings)
    except msgspec.ValidationError as error:
        raise ValueError(f"backend {name}: {error}") from error
    near = parse_tiers(tier) if tier else ()
    return msgspec.structs.replace(settings, tier=max(near) if near else None)


def _tiers(text: str) -> frozenset[Tier] | None:
    try:
        return parse_tiers(text) if text else None
    except ValueError as error:
        raise InvalidRequest(f"tier: {error}", details={"param": "tier"}) from error


def _payload(task: str, inputs: object) -> dict[str, object]:
    if isinstance(inputs, Mapping):
        return {str(name): value for name, value in inputs.items()}
    if task != "chat":
        return {"inputs": inputs}
    is_text = isinstance(inputs, str)
    return {"messages": [{"role": "user", "content": inputs}] if is_text else inputs}


async def _texts(answer: Answer) -> AsyncIterator[str]:
    async for chunk in answer:
        if isinstance(chunk, TextDelta):
            yield chunk.text


def _reply(result: Result, served: Served) -> Reply:
    return Reply(
        text=result.text,
        value=result.value,
        vectors=[] if result.embeddings is None else vectors.rows_of(result.embeddings),
        media=result.media,
        model=result.finish.model or served.model,
        backend=served.backend,
        node=served.node,
        source=served.source,
        input_tokens=result.usage.input_tokens,
        output_tokens=result.usage.output_tokens,
    )
