"""Which answers' rest may be asked for, and what is asked then."""

from collections.abc import Mapping

import pytest

from inferd.core.content import Message
from inferd.core.request import InferenceRequest
from inferd.gateway.rest import is_plain, rest_of

NOTHING: Mapping[str, object] = {}
TURN = (Message(role="user", text="x"),)


def ask(parameters: Mapping[str, object] = NOTHING, task: str = "chat") -> InferenceRequest:
    inputs = {"messages": TURN} if task == "chat" else {"prompt": "x"}
    return InferenceRequest(
        id="r", task=task, inputs=inputs, parameters=parameters, stream=True, deadline=9.0
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 0.2, "seed": 1, "stop": ["."], "max_tokens": 9},
        {"n": 1, "best_of": None, "tools": [], "logprobs": False, "echo": False},
        {"response_format": {"type": "text"}, "details": True},
    ],
)
def test_plain_text_goes_on(parameters: dict[str, object]) -> None:
    assert is_plain(ask(parameters))
    assert is_plain(ask(parameters, "text-generation"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"tools": [{}]},
        {"functions": [{}]},
        {"response_format": {"type": "json_object"}},
        {"response_format": "json"},
        {"n": 2},
        {"best_of": 3},
        {"logprobs": True},
        {"logprobs": 5},
        {"guided_json": {"type": "object"}},
        {"grammar": "root"},
        {"regex": "[ab]+"},
        {"ebnf": "root ::= a"},
        {"structural_tag": "{}"},
        {"echo": True},
        {"return_full_text": True},
        {"suffix": "end"},
        {"continue_final_message": True},
        {"audio": {"voice": "a"}},
    ],
)
def test_anything_else_does_not(parameters: dict[str, object]) -> None:
    assert not is_plain(ask(parameters))


def test_other_tasks_and_turns_that_the_caller_began_do_not() -> None:
    assert not is_plain(ask(task="summarization"))
    begun = InferenceRequest(
        id="r", task="chat", inputs={"messages": (*TURN, Message(role="assistant", text="y"))}
    )
    assert not is_plain(begun)


def test_the_rest_is_shorter_by_what_was_written_and_has_no_deadline() -> None:
    rest = rest_of(ask({"max_tokens": 10, "max_completion_tokens": 9, "seed": 1}), "one two", 2)
    assert rest is not None
    assert (rest.continued, rest.deadline) == ("one two", None)
    assert rest.parameters == {"max_tokens": 8, "max_completion_tokens": 7, "seed": 1}


def test_what_was_begun_twice_is_gone_on_with_from_its_very_beginning() -> None:
    once = rest_of(ask(), "one ", 1)
    assert once is not None
    twice = rest_of(once, "two ", 1)
    assert twice is not None
    assert twice.continued == "one two "


def test_nothing_is_left_where_all_was_written() -> None:
    assert rest_of(ask({"max_tokens": 2}), "one two", 2) is None
