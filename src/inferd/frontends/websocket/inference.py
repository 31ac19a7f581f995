"""One inference on a WebSocket, from its message to its last word."""

import base64
import os
import re
from collections.abc import Mapping

import msgspec
from starlette.datastructures import Headers

from inferd.core.answer import Answer, collect
from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Embeddings, Finish, Media, TextDelta, ToolCallDelta, Value
from inferd.core.tasks import Task, task_named
from inferd.core.tasks.values import check_name
from inferd.frontends._http.bodies import take_apart
from inferd.frontends._http.directions import directions
from inferd.frontends._http.exchange import PIECES_A_TURN, turn
from inferd.frontends.websocket.line import Line
from inferd.wire import hf_client_requests, hf_tasks, vectors
from inferd.wire.ws_details import Details, details_of
from inferd.wire.ws_messages import (
    Answered,
    Asked,
    Complete,
    Piece,
    RequestId,
    Started,
    Told,
    Unreadable,
)

USUAL_TASK = "text-generation"
_CHAT = "chat"
_OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def new_id() -> str:
    """Return an id for a request whose client gave it none."""
    return os.urandom(8).hex()


class Inference:
    """What a client asked, under its own id for it."""

    def __init__(self, asked: Asked, line: Line, headers: Headers) -> None:
        """`headers` are the handshake's: its directions hold where the message says nothing."""
        self.id: RequestId = new_id() if asked.request_id is None else asked.request_id
        self.model = asked.model or ""
        self.task = asked.task or USUAL_TASK
        self.wants_details = asked.details is not False
        self._asked = asked
        self._line = line
        self._headers = headers
        self.route = ""
        """Why it goes where it goes, where that is asked for."""

    async def read(self) -> InferenceRequest:
        """Return the request that it is.

        Raises:
            UnsupportedTask: There is no such task.
            InvalidRequest: A field is missing or wrong.
            PayloadTooLarge: It has more values than the node reads.
        """
        task = task_named(self.task)
        body = self._asked.body(is_chat=task.name == _CHAT)
        return await take_apart(body, lambda: self._read(task, body))

    async def begin(self) -> None:
        """Say that it was taken in.

        Raises:
            CallerLeft: Nobody would hear it.
        """
        await self._line.say(
            Started(
                request_id=self.id,
                model=self.model,
                task=self.task,
                timestamp=self._line.clock.wall(),
            )
        )

    async def tell(self, request: InferenceRequest, answer: Answer) -> Told:
        """Say the answer, all but its last word, which is returned.

        Raises:
            NodeError: It broke off, or can't be told.
            CallerLeft: Nobody would hear it.
        """
        if request.stream:
            return await self._tell_stream(answer)
        result = await collect(answer)
        many = isinstance(request.inputs.get("prompt"), list | tuple)
        encoded = hf_tasks.encode_result(request.task, result, many=many)
        return Answered(
            request_id=self.id,
            result=_embedded(encoded),
            model=result.finish.model or answer.served.model or self.model,
            task=self.task,
            timestamp=self._line.clock.wall(),
            details=self._details(result.finish, answer),
        )

    async def _tell_stream(self, answer: Answer) -> Told:
        index, line = 0, self._line
        details = self._details(None, answer)
        async for chunk in answer:
            if (piece := _piece(chunk)) is not None:
                await line.say(
                    Piece(
                        request_id=self.id,
                        chunk=piece,
                        index=index,
                        timestamp=line.clock.wall(),
                        details=details,
                    )
                )
                index += 1
                details = msgspec.UNSET
                if index % PIECES_A_TURN == 0:
                    await turn()
        if answer.finish is None:
            raise BackendFailed("the answer ended without saying that it was complete")
        return Complete(
            request_id=self.id,
            timestamp=line.clock.wall(),
            details=self._details(answer.finish, answer),
        )

    def _details(self, finish: Finish | None, answer: Answer) -> Details | msgspec.UnsetType:
        if not self.wants_details:
            return msgspec.UNSET
        return details_of(finish, answer.served, self.route)

    def _read(self, task: Task, body: bytes) -> InferenceRequest:
        own = str(self.id)
        return hf_client_requests.decode_request(
            task,
            hf_client_requests.decode(body),
            id=own if _OWN_ID.fullmatch(own) else new_id(),
            model=check_name("model", self.model),
            **directions(_joined(self._headers, self._asked), self._line.clock),
        )


def _joined(headers: Headers, asked: Asked) -> Headers:
    """Return the handshake's headers, but for those that the message has itself.

    Raises:
        InvalidRequest: Those can't be meant.
    """
    try:
        own: Mapping[str, str] = asked.directions()
        if not own:
            return headers
        said = [
            (name.lower().encode("ascii"), text.encode("latin-1")) for name, text in own.items()
        ]
    except (Unreadable, UnicodeEncodeError) as error:
        raise InvalidRequest(
            "headers must be an object of texts", hint='{"X-Inference-Tier": "team"}'
        ) from error
    names = {name for name, _ in said}
    return Headers(raw=[*said, *(pair for pair in headers.raw if pair[0] not in names)])


def _embedded(encoded: hf_tasks.Encoded) -> object:
    """Return a result as it stands within a message; a file in base64."""
    if encoded.content_type == "application/json":
        return msgspec.Raw(encoded.body)
    return _file(encoded.body, encoded.content_type, encoded.filename)


def _file(data: bytes, content_type: str, name: str) -> dict[str, str]:
    packed = base64.b64encode(data).decode()
    return {"content_type": content_type, "name": name, "base64": packed}


def _piece(chunk: Chunk) -> object | None:
    """Return what is told of a chunk: a text as it is, anything else by what it is."""
    match chunk:
        case TextDelta(text):
            return text
        case Finish():
            return None
        case ToolCallDelta():
            return {"tool_call": chunk}
        case Value(value):
            return {"result": value}
        case Embeddings():
            return {"embedding": vectors.rows_of(chunk)}
        case Media(data=data, content_type=content_type, name=name):
            return {"media": _file(data, content_type, name)}
        case bytes():
            raise BackendFailed("a typed answer held raw bytes")
