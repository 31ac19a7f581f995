"""OpenAI's completions of a text."""

import json

import pytest

from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest, opened
from inferd.core.result import Finish, TextDelta, Usage
from inferd.wire import openai_text


def read(**fields: object) -> InferenceRequest:
    return opened(openai_text.take_request(json.dumps(fields).encode(), {}, id="1"))


def test_a_text_is_continued() -> None:
    request = read(model="m", prompt="Once", max_tokens=5, stream=True, user="me")
    assert (request.task, request.model, request.stream) == ("text-generation", "m", True)
    assert request.inputs == {"prompt": "Once"}
    assert request.parameters == {"max_new_tokens": 5, "user": "me"}


def test_the_rest_of_a_body_is_read_only_where_it_is_needed() -> None:
    body = b'{"prompt":[[1,2],[3]],"logprobs":3,"model":"m","max_tokens":7}'
    request = openai_text.take_request(body, {}, id="1")
    assert request.raw is not None
    assert (request.raw.body, request.raw.model, request.raw.most_tokens) == (body, "m", 7)
    with pytest.raises(InvalidRequest):
        opened(request)


def test_an_echo_is_the_prompt_before_its_continuation() -> None:
    assert read(prompt="Once", echo=True).parameters == {"return_full_text": True}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "n": 2}, "n"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": "a", "logprobs": 0}, "logprobs"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "echo": "yes"}, "echo"),
        ({"prompt": "a", "model": 7}, "model"),
        ({"prompt": "a", "stream": "yes"}, "stream"),
    ],
)
def test_what_one_continuation_has_no_place_for_is_named(
    fields: dict[str, object], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.details["param"] == param


def test_a_body_that_is_read_whole_still_asks_for_usage() -> None:
    for odd in ({}, {"max_tokens": 5.0}):
        body = {"prompt": "a", "stream": True, "stream_options": {"include_usage": True}, **odd}
        raw = openai_text.take_request(json.dumps(body).encode(), {}, id="1").raw
        assert raw is not None
        assert raw.wants_usage


def test_a_list_of_one_text_is_that_text() -> None:
    assert read(prompt=["Once"], n=1, suffix=None).inputs == {"prompt": "Once"}


def test_a_stream_is_of_text_completions() -> None:
    encoder = openai_text.ChunkEncoder("c", "m", 7, include_usage=True)
    finish = Finish(usage=Usage(input_tokens=1, output_tokens=2))
    events = encoder.encode(TextDelta("Hi")) + encoder.encode(finish)
    rows = [json.loads(line[6:]) for line in events.split(b"\n\n") if line]
    assert {row["object"] for row in rows} == {"text_completion"}
    assert [row["choices"] and row["choices"][0]["text"] for row in rows] == ["Hi", "", []]
    assert [row["choices"] and row["choices"][0]["finish_reason"] for row in rows[:2]] == [
        None,
        "stop",
    ]
    assert rows[2]["usage"]["total_tokens"] == 3
