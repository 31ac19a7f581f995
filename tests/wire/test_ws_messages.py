"""The messages of `/ws`: the brief's, as they were captured, and whatever else comes."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.answer import Served
from inferd.core.errors import BackendFailed, NodeError
from inferd.core.result import Finish
from inferd.wire.ws_details import details_of, finish_of
from inferd.wire.ws_messages import (
    Failed,
    Piece,
    Unreadable,
    decode_asked,
    decode_told,
    encode_told,
    failed,
)
from tests.wire.given import ERRORS, finishes, junk, plain

FEW = settings(max_examples=40, deadline=None)
VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("ws_vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["said"])
def test_what_the_briefs_clients_say_is_read(vector: dict[str, str]) -> None:
    asked = decode_asked(vector["text"])
    assert asked.type == vector["is"]
    document = json.loads(vector["text"])
    assert asked.is_missing == ("inputs" not in document)
    if asked.type == "inference":
        body = json.loads(asked.body(is_chat=False))
        assert body["inputs"] == document["inputs"]
        assert body["parameters"] == document.get("parameters", {})
    else:
        assert asked.names() == document.get("topics")


@pytest.mark.parametrize("text", VECTORS["told"])
def test_what_is_told_is_written_as_it_was_captured(text: str) -> None:
    told = decode_told(text)
    assert told is not None
    assert encode_told(told) == text


@pytest.mark.parametrize("inputs", ["null", '""', ""])
def test_what_is_empty_is_missing(inputs: str) -> None:
    field = f',"inputs":{inputs}' if inputs else ""
    assert decode_asked(f'{{"type":"inference","model":"m"{field}}}').is_missing


@pytest.mark.parametrize("inputs", ["0", "false", "[]", "{}", '" "'])
def test_what_is_not_empty_is_not(inputs: str) -> None:
    assert not decode_asked(f'{{"model":"m","inputs":{inputs}}}').is_missing


def test_a_chats_question_becomes_its_messages() -> None:
    turn = [{"role": "user", "content": "Hi"}]
    for inputs in ("Hi", turn, {"messages": turn}):
        asked = decode_asked(json.dumps({"inputs": inputs, "stream": True}))
        body = json.loads(asked.body(is_chat=True))
        assert body == {"inputs": {"messages": turn}, "parameters": {}, "stream": True}


def test_lists_beyond_reason_are_not_taken_apart() -> None:
    many = decode_asked(json.dumps({"type": "subscribe", "topics": ["status"] * 10_000}))
    with pytest.raises(Unreadable, match="topics"):
        many.names()
    wide = decode_asked(json.dumps({"headers": {str(n): "x" for n in range(10_000)}}))
    with pytest.raises(Unreadable, match="headers"):
        wide.directions()
    with pytest.raises(Unreadable, match="request_id"):
        decode_asked(json.dumps({"request_id": "x" * 200}))


@FEW
@given(junk | plain.map(msgspec.json.encode) | st.text(max_size=40))
def test_anything_is_a_message_or_refused(data: bytes | str) -> None:
    with suppress(Unreadable):
        asked = decode_asked(data)
        asked.names()
        asked.directions()


@FEW
@given(junk | st.text(max_size=40))
def test_anything_from_a_server_is_a_message_or_its_failure(data: bytes | str) -> None:
    with suppress(BackendFailed):
        decode_told(data)


@FEW
@given(plain)
def test_whatever_a_chunk_holds_comes_back(value: object) -> None:
    told = Piece(request_id=1, chunk=value, index=0, timestamp=1.0)
    assert decode_told(encode_told(told)) == told


@pytest.mark.parametrize("error", ERRORS)
def test_failures_say_what_to_do_and_their_kind_to_who_asks(error: NodeError) -> None:
    short = failed("r", error, 1.0, in_full=False)
    assert short.error == "the fact (the advice)"
    assert "details" not in json.loads(encode_told(short))
    full = decode_told(encode_told(failed("r", error, 1.0, in_full=True)))
    assert isinstance(full, Failed)
    assert full.details == {
        "kind": error.kind.value,
        "message": "the fact",
        "hint": "the advice",
    }


@FEW
@given(finishes)
def test_how_an_answer_ended_comes_back(finish: Finish) -> None:
    assert finish_of(details_of(finish, Served())) == finish
