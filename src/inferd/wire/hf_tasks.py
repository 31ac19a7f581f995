"""The HF task wire: `POST /inference` with its spec, here and at other nodes."""

from typing import Unpack

import msgspec

from inferd.core.content import File, Message
from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.tasks import check, encode_message, task_named
from inferd.core.tasks.values import wrong
from inferd.wire import continued, json
from inferd.wire.context import Context
from inferd.wire.hf_errors import InvalidSpec, encode_error
from inferd.wire.hf_results import Encoded, decode_result, encode_result, is_media
from inferd.wire.hf_stream import StreamDecoder, StreamEncoder

__all__ = [
    "Encoded",
    "InvalidSpec",
    "Spec",
    "StreamDecoder",
    "StreamEncoder",
    "decode_request",
    "decode_result",
    "decode_spec",
    "encode_error",
    "encode_result",
    "encode_spec",
    "is_media",
]


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What `/inference` is asked: the form field `spec`."""

    task: str
    model_id: str = ""
    payload: dict[str, object] = {}
    extra_args: dict[str, object] = {}
    continued: str = ""
    """What others have written of the answer."""


def decode_spec(body: bytes) -> Spec:
    """Read a spec.

    Raises:
        InvalidSpec: It isn't one.
    """
    try:
        document = json.request_object(body)
        task = json.name_of(document, "task")
        if not task:
            raise wrong("task", "text", document.get("task"))
        return Spec(
            task=task,
            model_id=json.name_of(document, "model_id"),
            payload=_object(document, "payload"),
            extra_args=_object(document, "extra_args"),
            continued=continued.taken_from(document),
        )
    except InvalidRequest as error:
        raise InvalidSpec(error.message, details=error.details) from error


def decode_request(
    spec: Spec,
    *,
    id: str,  # noqa: A002
    files: tuple[File, ...] = (),
    stream: bool = False,
    **context: Unpack[Context],
) -> InferenceRequest:
    """Check a spec by its task; `stream` in its payload asks for a stream too.

    Raises:
        UnsupportedTask: There is no such task.
        InvalidRequest: A field is missing or wrong; `details["param"]` names it.
    """
    task = task_named(spec.task)
    asked = json.flag_of(spec.payload, "stream")
    payload = {name: value for name, value in spec.payload.items() if name != "stream"}
    inputs, parameters = check(task, payload, spec.extra_args)
    return InferenceRequest(
        id=id,
        task=task.name,
        model=spec.model_id,
        inputs=inputs,
        files=files,
        parameters=parameters,
        stream=stream or asked,
        continued=spec.continued,
        **context,
    )


def encode_spec(request: InferenceRequest) -> bytes:
    """Write the spec that asks another node; never `use_remote`, which is this node's business.

    Raises:
        InvalidRequest: A value can't be written as JSON.
    """
    spec: dict[str, object] = {
        "model_id": request.model,
        "task": task_named(request.task).spelling,
        "payload": {name: _plain(value) for name, value in request.inputs.items()},
        "extra_args": dict(request.parameters),
    }
    if request.continued:
        spec[continued.FIELD] = request.continued
    return json.encode(spec)


def _object(document: dict[str, object], name: str) -> dict[str, object]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, "an object", value)
    return value


def _plain(value: object) -> object:
    if not isinstance(value, tuple):
        return value
    return [encode_message(item) if isinstance(item, Message) else item for item in value]
