"""Inferences asked of another server over WebSockets."""

from collections.abc import AsyncIterator, Mapping

import msgspec

from inferd.backends import Settings, each
from inferd.backends.ws_node.lines import Line, Lines
from inferd.core.answer import Answer, Served
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.clock import Clock
from inferd.core.content import Message
from inferd.core.errors import (
    BackendFailed,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.hiding import Secrets
from inferd.core.request import InferenceRequest, Tier, opened, tiers_up_to
from inferd.core.result import Chunk, Finish, TextDelta
from inferd.core.tasks import TASKS, Task, encode_message, missing_files
from inferd.http1.sweep import FOREVER
from inferd.wire import hf_tasks, json
from inferd.wire.failures import node_failure, shortened
from inferd.wire.ws_details import Details, finish_of
from inferd.wire.ws_messages import Answered, Complete, Failed, Piece, Status, Told, Wrong

_DOABLE = frozenset(name for name in TASKS if not missing_files(name, ()))
"""Files don't go over this protocol."""
_FAILED = 500
_MOST_SECONDS = 86_400.0


class WsNodeBackend:
    """Asks one question on each WebSocket, and reads on only as its caller does."""

    kind = "ws_node"
    is_node = True
    wires: frozenset[str] = frozenset()

    def __init__(self, settings: Settings, lines: Lines, *, node: str, clock: Clock) -> None:
        self.name = settings.name
        self.tier = Tier.TEAM if settings.tier is None else settings.tier
        self.traits = Traits(
            type=BackendType.WEBSOCKET,
            endpoint=lines.address,
            protocols=frozenset({"websocket"}),
        )
        self.assumed = self._offered = self._offer(_DOABLE, settings.models)
        self._models = settings.models
        self._timeout = settings.timeout
        self._stall = settings.stall_seconds
        self._lines = lines
        self._node = node
        self._clock = clock

    def __repr__(self) -> str:
        return f"<WsNodeBackend {self.name} {self._lines!r}>"

    async def capabilities(self) -> Capabilities:
        if self._lines.is_at_work:
            # Then it is there, and its requests tell how it fares.
            return self._offered
        line = await self._lines.take(self._timeout)
        try:
            await line.say(json.encode({"type": "status", "details": "full"}).decode())
            told = await line.hear()
            while not isinstance(told, Status | Wrong):
                told = await line.hear()
        except BaseException:
            self._lines.cut(line)
            raise
        self._lines.give(line)
        if isinstance(told, Wrong):
            # It may be asked, and doesn't tell what it has.
            return self.assumed
        listed = json.list_of(json.object_of(told.backend_status).get("supported_tasks"))
        names = frozenset(name for name in listed if isinstance(name, str))
        self._offered = self._offer(names & _DOABLE or _DOABLE, self._models)
        return self._offered

    async def infer(self, request: InferenceRequest) -> Answer:
        task = TASKS.get(request.task)
        if task is None or task.name not in _DOABLE or request.files:
            raise UnsupportedTask(
                f"{self.name} doesn't do {request.task}: no files go over a WebSocket"
            )
        if self._models and request.model not in self._models:
            raise ModelNotFound(f"{self.name} doesn't have {request.model}")
        request = opened(request)
        stream = request.stream and task.streams
        seconds = self._seconds(request.deadline)
        body = json.encode(self._message(request, task, stream=stream, seconds=seconds))
        line, first, sent_bytes = await self._ask(body, seconds)
        try:
            answer = self._answer(line, first, task)
        except BaseException as error:
            self._lines.give(line)
            if isinstance(error, NodeError):
                error.sent_bytes = sent_bytes
            raise
        answer.sent_bytes = sent_bytes
        return answer

    async def _ask(self, body: bytes, seconds: float) -> tuple[Line, Told, int]:
        """Send a question; return its line, the first word of the answer, and the bytes sent."""
        text, sent_bytes = body.decode(), 0
        while True:
            line: Line | None = None
            try:
                line = await self._lines.take(seconds)
                sent_bytes += len(body)
                await line.say(text)
                return line, await self._first(line), sent_bytes
            except BaseException as error:
                if line is not None:
                    self._lines.cut(line)
                if isinstance(error, NodeError):
                    error.sent_bytes = sent_bytes
                # One that was kept may have been closed without our seeing it: once more, anew.
                was_closed = isinstance(error, BackendFailed | BackendUnavailable)
                if not was_closed or line is None or line.is_late or not line.is_kept:
                    raise

    async def _first(self, line: Line) -> Told:
        while True:
            told = await line.hear()
            if isinstance(told, Piece | Complete | Answered | Failed | Wrong):
                return told

    def _answer(self, line: Line, first: Told, task: Task) -> Answer:
        match first:
            case Answered():
                chunks = _whole(task, first.result)
                chunks[-1] = _finish(first.details, chunks[-1])
                self._lines.give(line)
                return Answer(each(chunks), served=self._served(first.details))
            case Piece() | Complete():
                served = self._served(first.details)
                stream = _Stream(self._lines, line, first, self._stall)
                return Answer(stream.chunks(), free=stream.close, served=served)
            case _:
                raise _failure(first, self._lines.secrets)

    def _message(
        self, request: InferenceRequest, task: Task, *, stream: bool, seconds: float
    ) -> Mapping[str, object]:
        headers = {"X-Inference-Hops": ",".join((*request.hops, self._node))}
        if request.tiers is not None:
            headers["X-Inference-Tier"] = _tiers(request.tiers)
        if request.deadline is not None:
            headers["X-Inference-Timeout"] = f"{min(seconds, _MOST_SECONDS):.6f}"
        parameters = {
            name: value for name, value in request.parameters.items() if name != "use_remote"
        }
        return {
            "type": "inference",
            "request_id": request.id,
            "model": self._models.get(request.model, request.model),
            "task": task.name,
            "inputs": _inputs(request.inputs),
            "parameters": parameters,
            "stream": stream,
            "details": True,
            "headers": headers,
        }

    def _seconds(self, deadline: float | None) -> float:
        """Return how long an answer may take to begin."""
        if deadline is None:
            return self._timeout
        left = deadline - self._clock.now()
        if left <= 0:
            raise BackendTimeout(f"no time was left to ask {self.name}")
        return min(left, self._timeout)

    def _served(self, details: Details | msgspec.UnsetType) -> Served:
        if isinstance(details, msgspec.UnsetType):
            return Served(node=self.name, nodes=(self.name,))
        hide = self._lines.secrets.hide
        node = hide(details.node) or self.name
        return Served(
            node=node,
            nodes=tuple(map(hide, details.nodes)) or (node,),
            seen=tuple(map(hide, details.seen_by)),
            model=hide(details.model),
            warnings=tuple(map(hide, details.warnings)),
        )

    def _offer(self, tasks: frozenset[str], models: Mapping[str, str]) -> Capabilities:
        if models:
            return Capabilities(models=tuple(Model(id=name, tasks=tasks) for name in models))
        return Capabilities(open_tasks=tasks)


class _Stream:
    """The rest of a streamed answer."""

    def __init__(self, lines: Lines, line: Line, first: Told, stall: float) -> None:
        self._lines = lines
        self._line: Line | None = line
        self._first = first
        self._stall = stall
        line.deadline = FOREVER

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Yield its chunks.

        Raises:
            NodeError: It broke off.
        """
        told: Told = self._first
        while (line := self._line) is not None:
            match told:
                case Piece(chunk=str(text)):
                    yield TextDelta(text)
                case Piece(chunk=chunk):
                    for each_chunk in hf_tasks.StreamDecoder().feed(json.encode(chunk)):
                        yield each_chunk
                case Complete(details=details):
                    self._give_back()
                    yield _finish(details, None)
                    return
                case Failed() | Wrong():
                    self._give_back()
                    raise _failure(told, self._lines.secrets)
                case _:
                    pass
            line.wait(self._stall)
            told = await line.hear()
            line.deadline = FOREVER

    def close(self) -> None:
        """Break off, unless it is over."""
        line, self._line = self._line, None
        if line is not None:
            self._lines.cut(line)

    def _give_back(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._lines.give(line)


def _inputs(inputs: Mapping[str, object]) -> object:
    """Return a question as every server of this protocol takes it: a lone text by itself."""
    plain = {name: _plain(value) for name, value in inputs.items()}
    if len(plain) == 1:
        [value] = plain.values()
        if isinstance(value, str | list):
            return value
    return plain


def _plain(value: object) -> object:
    if not isinstance(value, tuple | list):
        return value
    return [encode_message(item) if isinstance(item, Message) else item for item in value]


def _whole(task: Task, result: object) -> list[Chunk]:
    """Read a whole result; a file is an object with its bytes in base64."""
    if "base64" in json.object_of(result):
        return [*hf_tasks.StreamDecoder().feed(json.encode({"media": result})), Finish()]
    return hf_tasks.decode_result(task, "application/json", json.encode(result))


def _finish(details: Details | msgspec.UnsetType, otherwise: Chunk | None) -> Finish:
    if not isinstance(details, msgspec.UnsetType):
        return finish_of(details)
    return otherwise if isinstance(otherwise, Finish) else Finish()


def _failure(told: Told, secrets: Secrets) -> NodeError:
    """Read why nothing came of a question."""
    match told:
        case Failed(details=dict(details)):
            after = details.get("retry_after")
            return node_failure(
                _FAILED,
                secrets.hide_in(json.encode(details)),
                retry_after=after if isinstance(after, int | float) else None,
            )
        case Failed(error=error):
            why = shortened(secrets.hide(error)) or "it does not say why"
            return BackendFailed(f"the remote failed: {why}")
        case Wrong(message=message):
            why = shortened(secrets.hide(message))
            return BackendRefused(f"the remote refused the request: {why}")
        case _:
            return BackendFailed("the remote said something that isn't due")


def _tiers(tiers: frozenset[Tier]) -> str:
    """Write a ceiling or a set. There, this machine's words are on theirs: `local` is theirs."""
    allowed = tiers | {Tier.LOCAL}
    ceiling = max(allowed)
    if allowed == tiers_up_to(ceiling):
        return ceiling.label
    return ",".join(tier.label for tier in sorted(allowed))
