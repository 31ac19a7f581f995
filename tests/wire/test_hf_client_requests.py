"""What Hugging Face's clients send, matched with the task that is meant."""

import base64
import json
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest
from inferd.core.tasks import TASKS, check
from inferd.wire import file_kinds
from inferd.wire import hf_client_requests as wire
from tests.wire.test_file_kinds import HEADS, PNG

IMAGE, SOUND = base64.b64encode(PNG).decode(), base64.b64encode(HEADS["audio/wav"]).decode()


def asked(**document: Any) -> wire.Asked:
    return wire.decode(json.dumps(document).encode())


def read(task: str, **document: Any) -> Any:
    return wire.decode_request(TASKS[task], asked(**document), id="1", model="m")


@pytest.mark.parametrize(
    ("document", "task"),
    [
        ({"inputs": {"question": "a", "context": "b"}}, "question-answering"),
        ({"inputs": {"source_sentence": "a", "sentences": ["b"]}}, "sentence-similarity"),
        ({"inputs": "a", "parameters": {"candidate_labels": ["b"]}}, "zero-shot-classification"),
        ({"inputs": ["a", "b"]}, "feature-extraction"),
        ({"inputs": {"query": "q", "table": {"a": ["1"]}}}, "table-question-answering"),
        ({"table": {"a": ["1"]}, "parameters": {}}, "tabular-classification"),
        ({"inputs": {"data": {"a": ["1"]}}}, "tabular-classification"),
        ({"messages": [{"role": "user", "content": "a"}]}, "chat"),
        ({"inputs": "a", "parameters": {"return_full_text": False}}, "text-generation"),
        ({"inputs": "a", "parameters": {"tgt_lang": "de"}}, "translation"),
    ],
)
def test_a_shape_that_only_one_task_has_names_it(document: dict[str, Any], task: str) -> None:
    assert wire.fitting(TASKS, asked(**document), "") == [task]


@pytest.mark.parametrize(
    ("document", "accept", "tasks"),
    [
        ({"inputs": "a", "stream": True}, "", {"summarization", "text-generation", "translation"}),
        ({"inputs": "a"}, "image/png", {"text-to-image"}),
        ({"inputs": "a"}, "audio/wav", {"text-to-speech", "text-to-audio"}),
        ({"inputs": {"image": IMAGE, "question": "q"}}, "",
         {"visual-question-answering", "document-question-answering"}),
        ({"inputs": IMAGE, "parameters": {"candidate_labels": ["a"]}}, "",
         {"zero-shot-image-classification", "zero-shot-object-detection"}),
        ({"inputs": SOUND}, "", {"automatic-speech-recognition", "audio-classification"}),
        ({"inputs": 7}, "", set()),
    ],
)  # fmt: skip
def test_a_shape_of_several_tasks_leaves_those(
    document: dict[str, Any], accept: str, tasks: set[str]
) -> None:
    found = set(wire.fitting(TASKS, asked(**document), accept))
    assert found - {"text2text-generation"} == tasks


@pytest.mark.parametrize(
    ("kind", "accept", "some", "none"),
    [
        ("image/png", "", "image-classification", "visual-question-answering"),
        ("image/png", "image/png", "image-to-image", "image-classification"),
        ("audio/wav", "", "automatic-speech-recognition", "video-classification"),
        ("video/webm", "", "automatic-speech-recognition", "image-classification"),
        ("video/webm", "", "video-classification", "text-to-speech"),
    ],
)
def test_a_file_alone_leaves_the_tasks_that_need_no_more(
    kind: str, accept: str, some: str, none: str
) -> None:
    found = wire.fitting(TASKS, wire.Sent(content_type=kind), accept)
    assert some in found
    assert none not in found


def test_what_says_how_to_answer_is_no_parameter() -> None:
    request = read(
        "text-generation",
        inputs="a",
        parameters={"details": True, "model": "http://x", "max_new_tokens": 3, "typical_p": 0.9},
        options={"use_cache": False, "wait_for_model": True},
        stream=True,
    )
    assert request.inputs == {"prompt": "a"}
    assert request.parameters == {"max_new_tokens": 3, "typical_p": 0.9}
    assert request.stream
    assert asked(inputs="a", parameters={"details": True}).details


def test_a_stream_of_what_does_not_stream_is_whole() -> None:
    assert not read("text-classification", inputs="a", stream=True).stream


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": IMAGE, "image": IMAGE, "question": "q", "parameters": {"top_k": 2}},
        {"inputs": {"image": IMAGE, "question": "q"}, "parameters": {"top_k": 2}},
        {"inputs": IMAGE, "parameters": {"question": "q", "top_k": 2}},
    ],
)
async def test_a_picture_and_its_question_come_in_three_ways(document: dict[str, Any]) -> None:
    request = read("visual-question-answering", **document)
    assert (request.inputs, request.parameters) == ({"question": "q"}, {"top_k": 2})
    [file] = request.files
    assert (file.field, file.name, file.content_type) == ("image", "image.png", "image/png")
    assert b"".join([piece async for piece in file.read()]) == PNG


def test_a_prompt_beside_a_picture_stays_a_prompt() -> None:
    request = read("image-text-to-text", inputs="What is it?", image=IMAGE)
    assert request.inputs == {"prompt": "What is it?"}
    assert len(request.files) == 1


def test_a_tables_cells_are_numbers_where_they_must_be() -> None:
    table = {"a": ["5.1", "4"], "b": [3, "2"]}
    request = read("tabular-classification", table=table)
    assert request.inputs == {"features": [[5.1, 3.0], [4.0, 2.0]]}


@pytest.mark.parametrize(
    ("task", "document", "param"),
    [
        ("image-classification", {"inputs": "garbage!"}, "inputs"),
        ("image-classification", {"inputs": SOUND}, "image"),
        ("image-classification", {"parameters": {"top_k": 1}}, "image"),
        ("image-classification", {"inputs": {"image": "garbage!"}}, "image"),
        ("text-classification", {"inputs": IMAGE}, "inputs"),
        ("text-classification", {"inputs": 7}, "prompt"),
        ("text-classification", {"inputs": "a", "parameters": [1]}, "parameters"),
        ("text-classification", {"inputs": "a", "options": "fast"}, "options"),
        ("text-classification", {}, "prompt"),
        ("tabular-classification", {"table": {"a": ["x"]}}, "features[0][0]"),
    ],
)
def test_what_is_wrong_is_named(task: str, document: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(task, **document)
    assert caught.value.details["param"] == param


@pytest.mark.parametrize(
    ("names", "document", "task"),
    [
        (TASKS, {"inputs": {"source_sentence": "a", "sentences": []}}, "sentence-similarity"),
        (TASKS, {"inputs": 7}, ""),
        (["question-answering", "chat"], {"inputs": {"question": 7}}, "question-answering"),
    ],
)
def test_the_nearest_task_says_what_is_wrong(
    names: list[str], document: dict[str, Any], task: str
) -> None:
    assert wire.nearest(names, asked(**document)) == task


@given(
    st.dictionaries(
        st.sampled_from(["inputs", "parameters", "options", "stream", "image", "table", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_json_is_read_or_refused(document: dict[str, Any]) -> None:
    with suppress(InvalidRequest):
        came = wire.decode(json.dumps(document).encode())
        wire.nearest(TASKS, came)
        for name in wire.fitting(TASKS, came, ""):
            assert wire.decode_request(TASKS[name], came, id="", model="").task == name


def test_a_task_is_found_by_the_beginning_of_a_list_and_read_by_all_of_it() -> None:
    came = asked(inputs={"data": [[1, 2]] * 1000 + [["x", "y"]]})
    assert wire.fitting(TASKS, came, "") == ["tabular-classification"]
    with pytest.raises(InvalidRequest, match="finite number, but text came") as caught:
        wire.decode_request(TASKS["tabular-classification"], came, id="1", model="m")
    assert caught.value.details["param"] == "features[1000][0]"


def test_no_name_is_compared_with_others_to_find_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(sys.modules[check.__module__], "check_spelling", compare)
    assert "text-generation" in wire.fitting(TASKS, asked(inputs="a", odd=1), "")


def test_more_names_than_any_task_has_are_refused_before_a_task_is_sought() -> None:
    with pytest.raises(InvalidRequest, match="256 at most"):
        asked(inputs="a", **{f"odd{number}": 1 for number in range(300)})


def test_a_text_is_taken_for_a_file_once_and_not_for_each_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unpacked: list[str] = []
    unpack = file_kinds.unpack

    def note(name: str, text: str) -> tuple[bytes, str]:
        unpacked.append(text)
        return unpack(name, text)

    monkeypatch.setattr(file_kinds, "unpack", note)
    wire.fitting(TASKS, asked(inputs="a long text"), "")
    assert len(unpacked) == 1
