"""Callers' JSON, counted before it is read."""

import msgspec
import pytest

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.wire import json

MANY = json.MOST_VALUES
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


class Known(msgspec.Struct):
    here: int = 0


known = msgspec.json.Decoder(Known)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"1," * MANY + b"1]",
        b"[" + b"{}," * MANY + b"{}]",
        b"[" + b'"",' * MANY + b'""]',
        b"[" + b'"\\"",' * MANY + b'""]',
        b"{" + b'"a":1,' * MANY + b'"a":1}',
        b"[" * MANY + b"[]" + b"]" * MANY,
        b'["' + b"," * MANY + b'",' + b"1," * MANY + b"1]",
    ],
)
def test_too_many_values_are_refused_before_one_is_made(body: bytes) -> None:
    with pytest.raises(PayloadTooLarge, match="more than 250,000 values") as refused:
        json.request_value(body)
    assert refused.value.hint
    with pytest.raises(PayloadTooLarge):
        json.with_fields(body, {})


@pytest.mark.parametrize("text", ["," * (MANY + 9), "[{" * MANY, '",' * MANY, '\\",\\' * MANY])
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    assert json.request_object(json.encode({"text": text})) == {"text": text}


def test_as_many_values_as_may_be_are_read() -> None:
    # The list's own bracket is one.
    body = json.encode([1] * MANY)
    assert json.request_value(body) == [1] * MANY


def test_json_that_nests_too_deep_is_refused() -> None:
    for read in (json.request_value, json.request_object):
        with pytest.raises(InvalidRequest, match="nests too deep") as refused:
            read(DEEP)
        assert refused.value.hint
    with pytest.raises(InvalidRequest, match="nests too deep"):
        json.with_fields(DEEP, {})
    assert json.request_fields(known, DEEP) is None


def test_fields_that_are_asked_for_are_read_and_nothing_else() -> None:
    assert json.request_fields(known, b'{"there": [1], "here": 2}') == Known(here=2)
    assert json.request_fields(known, b"no JSON") is None
    with pytest.raises(InvalidRequest, match="can't be read"):
        json.request_fields(known, b'{"here": "2"}')


def test_what_is_no_json_is_called_by_its_name() -> None:
    with pytest.raises(InvalidRequest, match=r"^Table isn't JSON"):
        json.request_value(b"{", name="Table")
