"""Another node over HTTP: an inferd, or any server of the HF task API that the brief describes."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import msgspec

from inferd.backends import Settings, each, read_options
from inferd.backends._http import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    EVENTS,
    JSON,
    JSON_BYTES,
    MAX_BYTES,
    OpenAIWire,
    Upstream,
    ask_openai,
    check_content,
    decode_listing,
    decoded,
    marks_of,
    open_upstream,
    reading,
    typed_stream,
)
from inferd.core.answer import Answer, Served
from inferd.core.backend import Backend, BackendType, Capabilities, Model, Traits
from inferd.core.clock import Clock
from inferd.core.content import File
from inferd.core.errors import BackendFailed, ModelNotFound, UnsupportedTask
from inferd.core.request import InferenceRequest, Tier, opened, tiers_up_to
from inferd.core.result import Chunk, Finish
from inferd.core.tasks import TASKS, task_named
from inferd.http1.client import Body, Response
from inferd.wire import continued, files_header, hf_tasks, json, multipart, usage_header
from inferd.wire.failures import node_failure

_MOST_SECONDS = 86_400.0
_WRITES = frozenset({"chat", "text-generation", COMPLETIONS.name})
_EVERY_TASK = Capabilities(open_tasks=frozenset(TASKS))


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`retries`: how often a connection that fails is tried again."""

    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 1


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend a connection pool to the node; its address may end in `/inference` or not."""
    options = read_options(settings, Options)
    if not settings.base_url:
        raise ValueError(f"backend {settings.name}: base_url is missing: where is the node?")
    with open_upstream(
        settings,
        settings.base_url.rstrip("/").removesuffix("/inference"),
        clock=clock,
        what=f"{settings.name} isn't an inferd",
        retries=options.retries,
        explain=node_failure,
    ) as upstream:
        yield RemoteNodeBackend(settings, upstream, node)


class RemoteNodeBackend:
    """Forwards a request with its files, and says whom it has passed."""

    kind = "remote_node"
    is_node = True
    wires = frozenset({CHAT.name, COMPLETIONS.name, EMBEDDINGS.name})
    assumed = _EVERY_TASK

    def __init__(self, settings: Settings, upstream: Upstream, node: str) -> None:
        self.name = settings.name
        self.tier = Tier.TEAM if settings.tier is None else settings.tier
        self.traits = Traits(type=BackendType.HYBRID, endpoint=str(upstream.url), continues=_WRITES)
        self._models = dict(settings.models)
        self._upstream = upstream
        self._node = node
        self._is_original = False

    def __repr__(self) -> str:
        return f"<RemoteNodeBackend {self.name} {self._upstream!r}>"

    async def capabilities(self) -> Capabilities:
        try:
            _, body = await self._upstream.read("GET", "/v1/models")
        except ModelNotFound:
            return await self._tasks_of_original()
        self._is_original = False
        offers = [
            Model(id=row.name, tasks=row.tasks, aliases=row.aliases)
            for row in decode_listing(body)
            if row.tasks
        ]
        return Capabilities(
            models=tuple(map(_known, self._renamed(offers))), open_tasks=_EVERY_TASK.open_tasks
        )

    async def infer(self, request: InferenceRequest) -> Answer:
        task = TASKS.get(request.task)
        if task is None:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        if request.continued and self._is_original:
            raise UnsupportedTask(f"{self.name} can't go on with what another has begun")
        model = self._models.get(request.model, request.model)
        if (wire := self._wire_of(request)) is not None:
            return await self._ask_openai(request, wire, model)
        request = opened(request)
        parameters = {
            name: value for name, value in request.parameters.items() if name != "use_remote"
        }
        stream = request.stream and task.streams
        asked = msgspec.structs.replace(request, model=model, parameters=parameters, stream=stream)
        return await self._ask_task(asked)

    def _wire_of(self, request: InferenceRequest) -> OpenAIWire | None:
        """Return which of OpenAI's endpoints is asked; None where the task itself is."""
        if request.task == "chat":
            return CHAT
        if self._is_original:
            return None
        spoken = "" if request.raw is None else request.raw.wire
        if spoken == COMPLETIONS.name:
            return COMPLETIONS
        if spoken == EMBEDDINGS.name:
            return EMBEDDINGS
        if request.task == "feature-extraction":
            # The task takes one text, that wire several.
            return None if isinstance(request.inputs.get("prompt"), str) else EMBEDDINGS
        return None

    async def _ask_openai(self, request: InferenceRequest, wire: OpenAIWire, model: str) -> Answer:
        if "use_remote" in request.parameters:
            rest = {**request.parameters}
            del rest["use_remote"]
            request = msgspec.structs.replace(request, parameters=rest)
        if request.continued:
            wire = _REST[wire.name]
            request = msgspec.structs.replace(request, raw=None)
        return await ask_openai(
            self._upstream,
            request,
            wire,
            model=model,
            prefix="/v1",
            headers=self._directions(request),
            served=partial(self._served_of, request) if request.continued else self._served,
        )

    async def _ask_task(self, request: InferenceRequest) -> Answer:
        boundary = multipart.new_boundary()
        response = await self._upstream.ask(
            "POST",
            "/inference",
            accept=EVENTS if request.stream else JSON,
            headers=[
                ("content-type", multipart.content_type_of(boundary)),
                *_announced(request.files),
                *self._directions(request),
            ],
            more=marks_of(request),
            body=_form(request, boundary),
            deadline=request.deadline,
        )
        content_type = response.header("content-type")
        with reading(response):
            check_content(response, f"{self.name} isn't an inferd")
            served = self._served_of(request, response)
            if content_type.lower().startswith(EVENTS):
                decoder = hf_tasks.StreamDecoder(self._upstream.told)
                answer = typed_stream(response, decoder, served=served)
            else:
                is_media = hf_tasks.is_media(content_type)
                body = await response.read(MAX_BYTES if is_media else JSON_BYTES)
                response.close()
                name = _file_name(response.header("content-disposition"))
                decode = partial(
                    hf_tasks.decode_result, request.task, content_type, body, name=name
                )
                result = await decoded(decode, len(body))
                answer = Answer(each(_accounted(result, response)), served=served)
        answer.sent_bytes = response.sent_bytes
        return answer

    def _directions(self, request: InferenceRequest) -> list[tuple[str, str]]:
        """Say whom the request has passed, and how far and how long it may go on."""
        headers = [("x-inference-hops", ",".join((*request.hops, self._node)))]
        if request.tiers is not None:
            headers.append(("x-inference-tier", _tiers(request.tiers)))
        left = self._upstream.left(request.deadline)
        if left is not None:
            headers.append(("x-inference-timeout", f"{min(left, _MOST_SECONDS):.6f}"))
        return headers

    def _served_of(self, request: InferenceRequest, response: Response) -> Served:
        """As `_served`, of one that may have been asked for a rest.

        Raises:
            BackendFailed: It was, and begins anew.
        """
        if request.continued:
            continued.check(response.header(continued.HEADER), request.continued)
        return self._served(response)

    def _served(self, response: Response) -> Served:
        """Read who answered; a node that doesn't say is known by its address."""
        node = response.header("x-inference-node") or self._upstream.url.authority
        return Served(
            node=node,
            nodes=_listed(response, "x-inference-nodes") or (node,),
            seen=_listed(response, "x-inference-seen-by"),
            model=response.header("x-inference-model"),
            warnings=tuple(
                self._upstream.hide(text.encode()).decode()
                for text in response.values("x-inference-warning")
            ),
        )

    async def _tasks_of_original(self) -> Capabilities:
        """Ask the brief's original, which lists its tasks and no models."""
        _, body = await self._upstream.read("GET", "/models")
        document = json.answer(body)
        listed = document.get("available_tasks") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise BackendFailed(f"{self.name} isn't an inferd: it lists neither models nor tasks")
        self._is_original = True
        names = {name for name in listed if isinstance(name, str)}
        return Capabilities(open_tasks=_canonical(names))

    def _renamed(self, offers: Iterable[Model]) -> list[Model]:
        """Keep the models that the operator named, under the names he gave them."""
        if not self._models:
            return list(offers)
        there = {name: model for model in offers for name in (*model.aliases, model.id)}
        return [
            msgspec.structs.replace(there[theirs], id=ours, aliases=())
            for ours, theirs in self._models.items()
            if theirs in there
        ]


def _for_rest(wire: OpenAIWire) -> OpenAIWire:
    """Return the wire with what was written so far in a field beside the question."""

    def encode(request: InferenceRequest) -> bytes:
        assert wire.encode is not None
        whole = msgspec.structs.replace(request, continued="")
        return continued.with_text(wire.encode(whole), request.continued)

    return msgspec.structs.replace(wire, encode=encode)


_REST = {wire.name: _for_rest(wire) for wire in (CHAT, COMPLETIONS)}


def _accounted(result: list[Chunk], response: Response) -> list[Chunk]:
    """Put what the node says it took, and by which model, into the finish."""
    usage = usage_header.decode_usage(response.header(usage_header.NAME))
    model = response.header("x-inference-model")
    return [
        msgspec.structs.replace(chunk, usage=usage, model=chunk.model or model)
        if isinstance(chunk, Finish)
        else chunk
        for chunk in result
    ]


def _known(model: Model) -> Model:
    return msgspec.structs.replace(model, tasks=_canonical(model.tasks))


def _canonical(names: Iterable[str]) -> frozenset[str]:
    """Return the tasks that this node knows too, by its names."""
    found: set[str] = set()
    for name in names:
        try:
            found.add(task_named(name).name)
        except UnsupportedTask:
            continue
    return frozenset(found)


def _tiers(tiers: frozenset[Tier]) -> str:
    """Write a ceiling or a set. There, this machine's words are on theirs: `local` is theirs."""
    allowed = tiers | {Tier.LOCAL}
    ceiling = max(allowed)
    if allowed == tiers_up_to(ceiling):
        return ceiling.label
    return ",".join(tier.label for tier in sorted(allowed))


def _listed(response: Response, header: str) -> tuple[str, ...]:
    names = (name.strip() for line in response.values(header) for name in line.split(","))
    return tuple(name for name in names if name)


def _announced(files: tuple[File, ...]) -> list[tuple[str, str]]:
    """Say which files will come, so that the next node may begin before they are all there."""
    fields = files_header.encode_files(file.field for file in files)
    return [(files_header.NAME.lower(), fields)] if fields else []


def _form(request: InferenceRequest, boundary: bytes) -> Body:
    """Return the spec and the files, read only as they are sent."""
    spec = multipart.encode_field(
        boundary, "spec", hf_tasks.encode_spec(request), content_type="application/json"
    )
    heads = [
        multipart.encode_file_head(boundary, file.field, file.name, file.content_type)
        for file in request.files
    ]
    sizes = [(head, file.size_bytes) for head, file in zip(heads, request.files, strict=True)]
    return Body(
        pieces=partial(_pieces, spec, list(zip(heads, request.files, strict=True)), boundary),
        size_bytes=multipart.content_length(boundary, [spec], sizes),
    )


async def _pieces(
    spec: bytes, files: list[tuple[bytes, File]], boundary: bytes
) -> AsyncIterator[bytes]:
    yield spec
    for head, file in files:
        yield head
        pieces = file.read()
        try:
            async for piece in pieces:
                yield piece
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        yield multipart.FILE_TAIL
    yield multipart.closing(boundary)


def _file_name(disposition: str) -> str:
    _, _, rest = disposition.partition('filename="')
    return rest.partition('"')[0].replace("\\", "/").rpartition("/")[2][:255]
