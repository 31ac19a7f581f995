"""Bodies that are peeked at: one model, whoever reads it."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.core.request import InferenceRequest, opened
from inferd.wire import json as json_of_ours
from inferd.wire import openai_chat, openai_embeddings, openai_peek

HI = '"messages":[{"role":"user","content":"Hi"}]'


def body_of(request: InferenceRequest) -> bytes:
    assert request.raw is not None
    return request.raw.body


@pytest.mark.parametrize(
    "text",
    [
        '{"model":"m",%s}',
        '{"model": "m", %s, "temperature": 1}',
        '{%s,"model":"m"}',
        '{ "model" : "m" , %s }',
        '{"metadata":{"a":[1,2]},%s}',
    ],
)
def test_a_plain_body_keeps_every_byte(text: str) -> None:
    for messages in (HI, HI.replace("Hi", r"\"model\" \u006d \"messages\":[ é \\")):
        body = (text % messages).encode()
        assert body_of(openai_chat.take_request(body, {}, id="1")) == body


@pytest.mark.parametrize(
    "text",
    [
        '{"model":"a","model":"b",%s}',
        '{%s,"model":"a","model":"b"}',
        '{"mod\\u0065l":"a","model":"b",%s}',
        '{"model":"b","Model":"a",%s}',
        '{"MODEL":"a",%s,"model":"b"}',
        '{"messages":[],"model":"a",%s,"model":"b"}',
    ],
)
def test_a_body_with_two_models_is_passed_on_with_the_one_that_was_checked(text: str) -> None:
    request = openai_chat.take_request((text % HI).encode(), {}, id="1")
    sent = json.loads(body_of(request), object_pairs_hook=list)
    assert request.model == "b"
    assert [value for name, value in sent if name.lower() == "model"] == ["b"]


@pytest.mark.parametrize("odd", ['"max_tokens":5.5', '"stream_options":7', '"max_tokens":null'])
def test_nor_can_a_field_that_is_odd_make_anybody_look_away(odd: str) -> None:
    body = f'{{"model":"b","Model":"a",{odd},{HI}}}'.encode()
    try:
        request = openai_chat.take_request(body, {}, id="1")
    except InvalidRequest:
        return
    assert (request.model, b"Model" in body_of(request)) == ("b", False)


def test_nothing_of_a_body_is_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(600):
            body = f'{{"model":"m",{HI},"metadata":{{"note":"{number:0800}"}}}}'.encode()
            assert body_of(openai_chat.take_request(body, {}, id="1")) == body
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 64 << 10


@given(st.text(), st.text(), st.booleans())
def test_what_is_passed_on_says_what_was_read(text: str, extra: str, escape: bool) -> None:
    document = {"x": extra, "messages": [{"role": "user", "content": text}], "model": "m"}
    body = json.dumps(document, ensure_ascii=escape).encode(errors="replace")
    request = openai_chat.take_request(body, {}, id="1")
    assert json.loads(body_of(request)) == json.loads(body)
    assert request.model == "m"


def test_what_was_left_unread_is_read_when_it_is_needed() -> None:
    whole = b'{"messages":[{"role":"user","content":"Hi"}],"max_tokens":5,"user":"me"}'
    peeked = openai_chat.take_request(whole, {}, id="1")
    assert (peeked.inputs, peeked.parameters) == ({}, {})
    assert peeked.raw is not None
    assert peeked.raw.most_tokens == 5
    read, full = opened(peeked), openai_chat.decode_request(whole, id="1")
    assert (read.inputs, read.parameters) == (full.inputs, full.parameters)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"", b"\xff", b'{"model":7}', b'{"stream":"yes","messages":[]}', b"[" * 5000],
)
def test_what_is_wrong_with_what_is_looked_at_is_said(body: bytes) -> None:
    for wire in (openai_chat, openai_embeddings):
        with pytest.raises(InvalidRequest):
            wire.take_request(body, {}, id="1")


def test_token_ids_are_for_who_knows_them() -> None:
    request = openai_embeddings.take_request(b'{"input":[1,2],"model":"m"}', {}, id="1")
    assert body_of(request) == b'{"input":[1,2],"model":"m"}'
    with pytest.raises(InvalidRequest, match="token ids"):
        opened(request)


@pytest.mark.parametrize("name", openai_peek.ROUTING)
@pytest.mark.parametrize("odd", ["", '"encoding_format":7,', '"stream":null,'])
def test_fields_that_name_other_models_are_seen_wherever_they_stand(name: str, odd: str) -> None:
    escaped = f"\\u{ord(name[0]):04x}{name[1:]}"
    for body in (
        f'{{"model":"m",{odd}{HI},"{name}":["x"]}}',
        f'{{"{escaped}":null,{odd}"model":"m",{HI}}}',
    ):
        raw = openai_chat.take_request(body.encode(), {}, id="1").raw
        assert raw is not None
        assert raw.has_routing
    for quiet in (f'{{"model":"{name}",{HI}}}', f'{{"model":"m","metadata":{{"{name}":1}},{HI}}}'):
        raw = openai_chat.take_request(quiet.encode(), {}, id="1").raw
        assert raw is not None
        assert not raw.has_routing


def test_named_fields_are_counted_and_numbers_are_not() -> None:
    many = json_of_ours.MOST_VALUES
    numbers = f'{{"model":"m","input":[{"1," * (2 * many)}1]}}'.encode()
    assert body_of(openai_embeddings.take_request(numbers, {}, id="1")) == numbers
    text = f'{{"model":"m","input":"{"a:" * (2 * many)}"}}'.encode()
    assert body_of(openai_embeddings.take_request(text, {}, id="1")) == text
    one = ',"a":1'
    fields = f'{{"model":"m",{HI}{one * many}}}'.encode()
    with pytest.raises(PayloadTooLarge, match="250,000 named fields"):
        openai_chat.take_request(fields, {}, id="1")
    fewer = f'{{"model":"m","Model":"n",{HI}{one * 60_000}}}'.encode()
    with pytest.raises(PayloadTooLarge, match="50,000 named fields"):
        openai_chat.take_request(fewer, {}, id="1")
