"""What a node tells the next of a text that was begun, on each wire that carries it."""

import json

import pytest

from inferd.core.content import Message
from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.kept import MOST_KEPT
from inferd.core.request import InferenceRequest
from inferd.wire import continued, hf_tasks, openai_chat, openai_text, openai_text_client

SAID = 'begun "thus"\n'
CHAT = InferenceRequest(id="r", task="chat", inputs={"messages": (Message(role="user", text="x"),)})
TEXT = InferenceRequest(id="r", task="text-generation", model="m", inputs={"prompt": "x"})


@pytest.mark.parametrize("is_odd", [False, True])
def test_chat_and_completions_carry_it_in_a_field(is_odd: bool) -> None:
    # A field that can't be peeked at makes the whole body be read.
    odd = {"user": "u"} if not is_odd else {"encoding_format": 5}
    for body, take in (
        (openai_chat.encode_request(CHAT), openai_chat.take_request),
        (openai_text_client.encode_request(TEXT), openai_text.take_request),
    ):
        sent = json.dumps(json.loads(body) | odd).encode()
        request = take(continued.with_text(sent, SAID), {}, id="r")
        assert request.continued == SAID
        raw = request.raw
        assert raw is not None
        parameters = request.parameters if raw.read is None else raw.read(raw.body)[1]
        assert parameters == odd


def test_so_does_a_task() -> None:
    asked = InferenceRequest(id="r", task="text-generation", inputs={"prompt": "x"}, continued=SAID)
    spec = hf_tasks.decode_spec(hf_tasks.encode_spec(asked))
    request = hf_tasks.decode_request(spec, id="r")
    assert (request.continued, request.parameters) == (SAID, {})


@pytest.mark.parametrize("text", ["x" * (MOST_KEPT + 1), 5, ["x"]])
def test_what_is_none_or_too_long_is_refused(text: object) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], continued.FIELD: text})
    with pytest.raises(InvalidRequest):
        openai_chat.take_request(body.encode(), {}, id="r")


def test_a_node_that_begins_anew_is_found_out() -> None:
    continued.check(continued.said_of(SAID), SAID)
    for header in ("", "0", "x"):
        with pytest.raises(BackendFailed):
            continued.check(header, SAID)


def test_a_completion_goes_on_behind_prompt_and_text() -> None:
    asked = InferenceRequest(
        id="r",
        task="text-generation",
        model="m",
        inputs={"prompt": "ask "},
        parameters={"max_new_tokens": 3, "do_sample": False, "return_full_text": False},
        continued="one ",
        stream=True,
    )
    assert json.loads(openai_text_client.encode_request(asked)) == {
        "model": "m",
        "prompt": "ask one ",
        "max_tokens": 3,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
