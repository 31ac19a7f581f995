"""OpenAI's embeddings, with vectors as numbers or as base64."""

import base64
import binascii
from collections.abc import Mapping
from typing import Unpack

import msgspec

from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Chunk, Embeddings, Finish, Result, Usage
from inferd.core.tasks import check
from inferd.wire import json, openai_peek, vectors
from inferd.wire.context import Context, directed
from inferd.wire.openai_errors import encode_error
from inferd.wire.openai_usage import read_usage

__all__ = [
    "WIRE",
    "decode_request",
    "decode_result",
    "encode_error",
    "encode_request",
    "encode_result",
    "encoding_format",
    "take_request",
]

WIRE = "openai.embeddings"
"""The name of this wire in Raw and Answer."""

TASK = "feature-extraction"
_FORMATS = ("float", "base64")


class _Format(msgspec.Struct):
    encoding_format: str | None = None


_format = msgspec.json.Decoder(_Format)


def decode_request(body: bytes, *, id: str, **context: Unpack[Context]) -> InferenceRequest:  # noqa: A002
    """Read a caller's body; `encoding_format` stays in it, to be asked for with that function.

    Raises:
        InvalidRequest: A field is missing or wrong; `details["param"]` names it.
    """
    document = json.request_object(body)
    _check_format(json.text_of(document, "encoding_format", "float"))
    inputs, parameters = _fields(document)
    return InferenceRequest(
        id=id,
        task=TASK,
        model=openai_peek.model_of(json.text_of(document, "model")),
        inputs=inputs,
        parameters=parameters,
        raw=Raw(
            wire=WIRE,
            body=openai_peek.with_one_model(body),
            has_routing=openai_peek.has_routing(document),
        ),
        **context,
    )


def take_request(body: bytes, asked: Context, *, id: str) -> InferenceRequest:  # noqa: A002
    """Peek at a caller's body, and leave the rest to who needs it.

    Raises:
        InvalidRequest: It isn't a JSON object, or a field that was looked at is wrong.
    """
    peek = openai_peek.peek(body)
    if peek is None:
        return decode_request(body, id=id, **asked)
    _check_format(peek.encoding_format or "float")
    model = peek.model or ""
    request = InferenceRequest(
        id=id,
        task=TASK,
        model=openai_peek.model_of(model),
        raw=Raw(
            wire=WIRE,
            body=openai_peek.unambiguous(body, b'"input":', peek.input),
            model=model,
            has_routing=peek.has_routing(),
            read=_read,
        ),
    )
    return directed(request, asked)


def _read(body: bytes) -> tuple[Mapping[str, object], Mapping[str, object]]:
    return _fields(json.request_object(body))


def _fields(document: Mapping[str, object]) -> tuple[Mapping[str, object], Mapping[str, object]]:
    extra = {
        name: value
        for name, value in document.items()
        if name not in {"model", "input", "encoding_format", "stream"} and value is not None
    }
    inputs, _ = check(TASK, {"prompt": _texts(document.get("input"))}, {})
    # Its own fields only: nothing here may stand in for `input`.
    _, parameters = check(TASK, {"prompt": "-", "parameters": extra}, {})
    return inputs, parameters


def _check_format(given: str) -> None:
    if given not in _FORMATS:
        raise InvalidRequest(
            "encoding_format must be float or base64", details={"param": "encoding_format"}
        )


def encoding_format(request: InferenceRequest) -> str:
    """Return how the caller wants its vectors: `float` or `base64`."""
    asked = json.peek(_format, request.raw.body) if request.raw is not None else None
    return (asked and asked.encoding_format) or "float"


def encode_request(request: InferenceRequest) -> bytes:
    """Write the body that asks an upstream, for base64: a quarter of the bytes.

    Raises:
        InvalidRequest: A parameter can't be written as JSON.
    """
    return json.encode(
        {
            **request.parameters,
            "model": request.model,
            "input": request.inputs.get("prompt"),
            "encoding_format": "base64",
        }
    )


def encode_result(result: Result, *, model: str, encoding_format: str = "float") -> bytes:
    """Write the vectors.

    Raises:
        BackendFailed: The result has none.
    """
    embeddings = result.embeddings
    if embeddings is None:
        raise BackendFailed("the backend gave no vectors")
    rows: list[object] = (
        [base64.b64encode(row).decode() for row in vectors.packed_rows(embeddings)]
        if encoding_format == "base64"
        else list(vectors.rows_of(embeddings))
    )
    tokens = result.usage.input_tokens
    return json.encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": row}
                for index, row in enumerate(rows)
            ],
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def decode_result(body: bytes) -> list[Chunk]:
    """Read an upstream's vectors, in order of their `index`, and a Finish.

    Raises:
        BackendFailed: They aren't vectors of one length, one an index.
    """
    document = json.answer_object(body)
    data = document.get("data")
    if not isinstance(data, list) or not data:
        raise BackendFailed("the upstream's answer has no vectors")
    found: dict[int, object] = {}
    for number, row in enumerate(data):
        if not isinstance(row, dict):
            raise BackendFailed("the upstream's answer has rows without vectors")
        index = row.get("index", number)
        found[index if type(index) is int else -1] = row.get("embedding")
    if sorted(found) != list(range(len(data))):
        raise BackendFailed("the upstream's vectors aren't numbered from 0")
    embeddings = _embeddings([found[index] for index in range(len(data))])
    usage = read_usage(document.get("usage")) or Usage()
    return [
        embeddings,
        Finish(
            usage=Usage(input_tokens=usage.input_tokens, units=embeddings.count),
            model=json.told_name(document.get("model")),
        ),
    ]


def _embeddings(rows: list[object]) -> Embeddings:
    texts = [row for row in rows if isinstance(row, str)]
    if not texts:
        return vectors.pack(rows)
    if len(texts) != len(rows):
        raise BackendFailed("the upstream's vectors are partly base64, partly numbers")
    try:
        return vectors.join([base64.b64decode(text, validate=True) for text in texts])
    except (binascii.Error, ValueError) as error:
        raise BackendFailed("the upstream's vectors aren't base64") from error


def _texts(value: object) -> object:
    if isinstance(value, list) and value and all(isinstance(item, int | list) for item in value):
        raise InvalidRequest(
            "input must be text: token ids mean something else to every model",
            details={"param": "input"},
        )
    if not value or not isinstance(value, str | list):
        raise InvalidRequest(
            "input must be text or a list of texts, and not empty", details={"param": "input"}
        )
    for number, item in enumerate(json.list_of(value)):
        if not isinstance(item, str) or not item:
            raise InvalidRequest(
                f"input[{number}] must be text, and not empty", details={"param": "input"}
            )
    return value
