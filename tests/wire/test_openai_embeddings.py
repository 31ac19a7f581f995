"""OpenAI's embeddings wire, both ends."""

import base64
import struct
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Embeddings, Finish, Result, Usage
from inferd.wire import openai_embeddings as wire
from inferd.wire.vectors import packed_rows
from tests.wire.given import junk, parameters, plain, some_words

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
embeddings = st.integers(1, 4).flatmap(
    lambda size: st.lists(
        st.lists(floats, min_size=size, max_size=size), min_size=1, max_size=4
    ).map(
        lambda rows: Embeddings(
            data=b"".join(struct.pack(f"<{size}f", *row) for row in rows), dimension=size
        )
    )
)


def asked(**fields: object) -> bytes:
    return msgspec.json.encode({"model": "m", "input": "hi"} | fields)


def test_a_request_is_read_and_keeps_its_bytes() -> None:
    body = asked(dimensions=8, encoding_format="base64", user=None, x_odd=1)
    request = wire.decode_request(body, id="1", hops=("a",))
    assert request == InferenceRequest(
        id="1",
        task="feature-extraction",
        model="m",
        inputs={"prompt": "hi"},
        parameters={"dimensions": 8, "x_odd": 1},
        hops=("a",),
        raw=Raw(wire="openai.embeddings", body=body),
    )
    assert wire.encoding_format(request) == "base64"


def test_numbers_are_the_format_when_none_is_named() -> None:
    assert wire.encoding_format(wire.decode_request(asked(), id="1")) == "float"
    assert wire.encoding_format(InferenceRequest(id="1", task="chat")) == "float"


@given(some_words | st.lists(some_words, min_size=1, max_size=3), parameters)
def test_what_was_encoded_is_decoded(text: str | list[str], extra: dict[str, object]) -> None:
    sent = InferenceRequest(
        id="1",
        task="feature-extraction",
        model="m",
        inputs={"prompt": text},
        parameters=extra,
    )
    read = wire.decode_request(wire.encode_request(sent), id="1")
    assert msgspec.structs.replace(read, raw=None) == sent


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"input": None}, "input", "not empty"),
        ({"input": ""}, "input", "not empty"),
        ({"input": []}, "input", "not empty"),
        ({"input": {"a": 1}}, "input", "a list of texts"),
        ({"input": ["a", ""]}, "input", r"input\[1\]"),
        ({"input": ["a", 1]}, "input", r"input\[1\]"),
        ({"input": [1, 2]}, "input", "token ids"),
        ({"input": [[1, 2]]}, "input", "token ids"),
        ({"encoding_format": "hex"}, "encoding_format", "float or base64"),
        ({"encoding_format": 1}, "encoding_format", "text"),
        ({"dimensions": 0}, "dimensions", "at least 1"),
        ({"model": 1}, "model", "text"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], param: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        wire.decode_request(asked(**fields), id="1")
    assert caught.value.details["param"] == param


@given(junk | plain.map(lambda value: asked(input=value)))
def test_no_request_raises_anything_but_invalid_request(body: bytes) -> None:
    with suppress(InvalidRequest):
        wire.decode_request(body, id="1")


@given(embeddings, st.sampled_from(["float", "base64"]), st.integers(0, 1000))
def test_a_result_is_read_back(sent: Embeddings, encoding_format: str, tokens: int) -> None:
    finish = Finish(usage=Usage(input_tokens=tokens, units=sent.count), model="m")
    body = wire.encode_result(
        Result(finish=finish, embeddings=sent), model="m", encoding_format=encoding_format
    )
    assert wire.decode_result(body) == [sent, finish]


def test_the_body_is_exactly_openais() -> None:
    result = Result(
        finish=Finish(usage=Usage(input_tokens=2)),
        embeddings=Embeddings(data=struct.pack("<2f", 1, 2), dimension=2),
    )
    assert wire.encode_result(result, model="m") == (
        b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,2.0]}],'
        b'"model":"m","usage":{"prompt_tokens":2,"total_tokens":2}}'
    )


def test_vectors_are_put_in_order() -> None:
    rows = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    read = wire.decode_result(msgspec.json.encode({"data": rows}))[0]
    assert isinstance(read, Embeddings)
    assert read.data == struct.pack("<2f", 1, 2)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [1],
        [{}],
        [{"embedding": []}],
        [{"embedding": [1]}, {"embedding": [1, 2]}],
        [{"embedding": [1]}, {"embedding": "AAAAAA=="}],
        [{"embedding": "!"}],
        [{"embedding": "é"}],
        [{"embedding": "AAAA"}],
        [{"embedding": base64.b64encode(struct.pack("<f", float("nan"))).decode()}],
        [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}],
        [{"index": "x", "embedding": [1]}],
        [{"embedding": [1e300]}],
    ],
)
def test_what_is_no_vector_is_a_failure(rows: list[object]) -> None:
    with pytest.raises(BackendFailed):
        wire.decode_result(msgspec.json.encode({"data": rows}))


@given(junk)
def test_no_answer_raises_anything_but_backend_failed(body: bytes) -> None:
    with suppress(BackendFailed):
        wire.decode_result(body)


def test_a_result_without_vectors_is_a_failure() -> None:
    with pytest.raises(BackendFailed):
        wire.encode_result(Result(finish=Finish()), model="m")
    assert packed_rows(Embeddings(data=b"", dimension=0)) == []
