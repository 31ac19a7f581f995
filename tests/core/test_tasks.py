"""What each task takes, and what it says when it gets something else."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.content import Message
from inferd.core.errors import InvalidRequest, UnsupportedTask
from inferd.core.tasks import (
    TASKS,
    FieldKind,
    Output,
    check,
    example,
    form,
    json_schema,
    missing_files,
    supported_tasks,
    task_named,
    unused_files,
)
from inferd.core.tasks.values import MAX_DEPTH, READERS, kind_of

ORIGINALS = [
    "text-generation",
    "text2text-generation",
    "summarization",
    "translation",
    "sentiment-analysis",
    "token-classification",
    "feature-extraction",
    "text-to-image",
    "zero-shot-classification",
    "image-text-to-text",
    "image-to-image",
    "question-answering",
    "fill-mask",
    "table-question-answering",
    "visual-question-answering",
    "document-question-answering",
    "zero-shot-image-classification",
    "zero-shot-object-detection",
    "image-to-text",
    "image-classification",
    "object-detection",
    "image-segmentation",
    "image-feature-extraction",
    "depth-estimation",
    "mask-generation",
    "automatic-speech-recognition",
    "audio-classification",
    "zero-shot-audio-classification",
    "text-to-speech",
    "text-to-audio",
    "video-classification",
]

OURS = ["chat", "sentence-similarity", "tabular-classification", "text-ranking"]

REQUIRED = [
    (task.name, field.name) for task in TASKS.values() for field in task.inputs if field.required
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_every_task_of_the_original_and_our_four_are_there() -> None:
    assert {task_named(name).spelling for name in ORIGINALS} == set(ORIGINALS)
    assert len(TASKS) == len(ORIGINALS) + len(OURS) == 35
    assert set(OURS) <= set(TASKS)


def test_supported_tasks_are_sorted_and_spelt_both_ways() -> None:
    names = supported_tasks()
    assert names == sorted(names)
    assert {"sentiment-analysis", "text-classification", *ORIGINALS, *OURS} == set(names)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_known_by_its_name_and_by_every_alias(name: str) -> None:
    task = TASKS[name]
    assert all(task_named(alias) is task for alias in (name, task.spelling, *task.aliases))


def test_no_name_means_two_tasks() -> None:
    names = [name for task in TASKS.values() for name in {task.name, task.spelling, *task.aliases}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", TASKS)
def test_no_name_means_two_fields_of_a_task(name: str) -> None:
    fields = TASKS[name].inputs + TASKS[name].parameters
    names = [known for field in fields for known in (field.name, *field.aliases)]
    assert len(names) == len(set(names))


def test_an_unknown_task_names_the_close_one_and_lists_all() -> None:
    with pytest.raises(UnsupportedTask) as caught:
        task_named("text-generaton")
    assert caught.value.hint == "did you mean text-generation?"
    assert caught.value.details == {
        "task": "text-generaton",
        "supported_tasks": supported_tasks(),
    }


def test_an_unknown_task_of_any_length_is_not_echoed_whole() -> None:
    with pytest.raises(UnsupportedTask) as caught:
        task_named("x" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", TASKS)
def test_the_example_of_a_task_is_accepted_as_it_is(name: str) -> None:
    inputs, parameters = check(name, example(name), {})
    assert set(inputs) == set(example(name))
    assert parameters == {}


@pytest.mark.parametrize(("task", "field"), REQUIRED)
@pytest.mark.parametrize("absent", ["gone", None, ""])
def test_a_required_field_that_is_missing_is_named(
    task: str, field: str, absent: str | None
) -> None:
    payload = example(task)
    del payload[field]
    if absent != "gone":
        payload[field] = absent
    with pytest.raises(InvalidRequest, match=field) as caught:
        check(task, payload, {})
    assert caught.value.details["param"] == field


@pytest.mark.parametrize(("task", "field"), REQUIRED)
def test_a_field_of_the_wrong_kind_is_named_and_not_echoed(task: str, field: str) -> None:
    with pytest.raises(InvalidRequest, match=field) as caught:
        check(task, example(task) | {field: {"secret": 1}}, {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", TASKS)
def test_every_alias_of_a_field_is_the_field(name: str) -> None:
    wanted = example(name)
    for field in TASKS[name].inputs:
        for alias in field.aliases:
            payload = {key: value for key, value in wanted.items() if key != field.name}
            assert check(name, {**payload, alias: wanted[field.name]}, {}) == check(
                name, wanted, {}
            )


def test_parameters_come_from_the_payload_its_group_and_the_extras() -> None:
    payload = {"inputs": "hi", "top_k": 1, "seed": 1, "parameters": {"top_k": 2, "odd": [1]}}
    inputs, parameters = check("text-generation", payload, {"top_k": 3, "new": True})
    assert inputs == {"prompt": "hi"}
    assert parameters == {"top_k": 3, "seed": 1, "odd": [1], "new": True}


def test_errors_use_the_tasks_own_name() -> None:
    with pytest.raises(InvalidRequest, match=r"^text-classification needs prompt") as caught:
        check("sentiment-analysis", {}, {})
    assert "task=text-classification " in caught.value.hint


def test_hugging_face_clients_nest_their_inputs() -> None:
    asked = {"inputs": {"question": "who?", "context": "me"}, "parameters": {"top_k": 2}}
    assert check("question-answering", asked, {}) == (
        {"qa_question": "who?", "qa_context": "me"},
        {"top_k": 2},
    )
    asked = {"inputs": "I", "parameters": {"candidate_labels": ["a", "b"]}}
    assert check("zero-shot-classification", asked, {}) == (
        {"prompt": "I", "candidate_labels": ["a", "b"]},
        {},
    )
    asked = {"inputs": {"table": {"a": ["1", "2"], "b": ["3", "4"]}, "query": "sum of a"}}
    assert check("table-question-answering", asked, {}) == (
        {"table": [["a", "b"], ["1", "3"], ["2", "4"]], "table_query": "sum of a"},
        {},
    )


@pytest.mark.parametrize(
    ("task", "field", "given", "read"),
    [
        ("zero-shot-classification", "candidate_labels", "cat, dog ,, ", ["cat", "dog"]),
        ("text-generation", "stop", ",", [","]),
        ("text-generation", "stop_sequences", ["a", "b"], ["a", "b"]),
        ("text-generation", "max_new_tokens", 5.0, 5),
        ("feature-extraction", "prompt", "one", "one"),
        ("feature-extraction", "prompt", ["one", "two"], ["one", "two"]),
        ("sentence-similarity", "sentences", "one", ["one"]),
        ("tabular-classification", "features", [1, 2], [[1.0, 2.0]]),
        ("tabular-classification", "features", [[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]),
        ("tabular-classification", "features", {"a": [1, 3], "b": [2, 4]}, [[1, 2], [3, 4]]),
        ("chat", "messages", "hi", (Message(role="user", text="hi"),)),
        ("chat", "tools", [{"type": "function"}], [{"type": "function"}]),
    ],
)
def test_a_value_is_read_by_its_kind(task: str, field: str, given: object, read: object) -> None:
    inputs, parameters = check(task, example(task) | {field: given}, {})
    assert read in [*inputs.values(), *parameters.values()]


@pytest.mark.parametrize(
    ("task", "field", "given", "message"),
    [
        ("text-generation", "temperature", -1, "temperature must be at least 0, but -1 came"),
        ("text-generation", "top_p", 2, "top_p must be at least 0 and at most 1, but 2 came"),
        ("text-generation", "temperature", math.nan, "temperature must be a finite number"),
        ("text-generation", "temperature", 10**400, "temperature must be a finite number"),
        ("text-generation", "temperature", True, "a finite number, but a boolean came"),
        ("text-generation", "temperature", "hot", "a finite number, but text came"),
        ("text-generation", "max_new_tokens", 1.5, "must be a whole number"),
        ("text-generation", "do_sample", 1, "must be true or false, but a number came"),
        ("text-generation", "stop", [1], r"stop\[0\] must be text"),
        ("text-generation", "stop", [], "an empty list came"),
        ("text-generation", "stop", 1, "must be a list of texts, but a number came"),
        ("text-generation", "odd", [{"a": math.inf}], "odd must be a finite number"),
        ("text-generation", "odd", object(), "isn't JSON"),
        ("text-generation", "parameters", [], "parameters must be an object"),
        ("token-classification", "aggregation_strategy", "x", "must be one of none, simple"),
        ("feature-extraction", "prompt", 1, "text or a list of texts, but a number came"),
        ("zero-shot-classification", "candidate_labels", " , ", "must be a list of texts"),
        ("tabular-classification", "features", [1, "2"], r"\[1\] must be a finite number"),
        ("tabular-classification", "features", [[1], [1, 2]], "has 2 numbers, but the first"),
        ("tabular-classification", "features", [[1], 2], "must be a list of numbers"),
        ("tabular-classification", "features", [math.inf], "must be a finite number"),
        ("tabular-classification", "features", 1, "a list of rows of numbers, but a number"),
        ("tabular-classification", "features", {}, "columns of the same length"),
        ("tabular-classification", "features", {"a": 1}, "an object of columns"),
        ("table-question-answering", "table", [["a"], ["b", "c"]], "2 cells, but the header has 1"),
        ("table-question-answering", "table", [[["a"]]], "plain cells"),
        ("table-question-answering", "table", [[]], r"table\[0\] must be a list of cells"),
        ("table-question-answering", "table", "a,b", "the header first, but text came"),
        ("chat", "messages", [], "a list of messages, but an empty list"),
        ("chat", "messages", [1], r"messages\[0\] must be an object"),
        ("chat", "messages", [{"content": "x"}], r"messages\[0\].role is missing"),
        ("chat", "messages", [{"role": 1}], r"messages\[0\].role must be text"),
        ("chat", "messages", [{"role": "user", "content": 1}], "must be a list of objects"),
        ("chat", "messages", [{"role": "user", "content": ["x"]}], r"content\[0\]"),
    ],
)
def test_a_wrong_value_is_explained(task: str, field: str, given: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        check(task, example(task) | {field: given}, {})
    assert field in str(caught.value.details["param"])


def test_what_nests_too_deep_is_refused() -> None:
    value: object = 1
    for _ in range(MAX_DEPTH + 5):
        value = [value]
    with pytest.raises(InvalidRequest, match="nests too deep"):
        check("text-generation", {"prompt": "x", "odd": value}, {})


def test_a_long_value_is_never_echoed() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check("text-generation", {"prompt": "x", "top_p": 10**300}, {})
    assert len(str(caught.value)) < 200


@given(st.sampled_from(sorted(TASKS)), st.dictionaries(st.text(max_size=8), json_values))
def test_no_payload_raises_anything_but_invalid_request(
    name: str, payload: dict[str, object]
) -> None:
    names = [field.name for field in TASKS[name].inputs + TASKS[name].parameters]
    values = list(payload.values())
    with suppress(InvalidRequest):
        check(name, payload, dict(zip(names, values, strict=False)))


def test_an_empty_optional_field_of_a_form_is_absent() -> None:
    inputs, parameters = check(
        "translation", {"prompt": "hi", "src_lang": "", "max_length": None}, {}
    )
    assert inputs == {"prompt": "hi"}
    assert parameters == {}


def test_a_conversation_keeps_its_pieces() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    inputs, _ = check(
        "chat",
        {
            "messages": [
                Message(role="system", text="be brief"),
                {"role": "user", "name": "ann", "content": [{"type": "text", "text": "a"}, image]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "1", "content": "42"},
            ]
        },
        {},
    )
    assert inputs["messages"] == (
        Message(role="system", text="be brief"),
        Message(role="user", name="ann", text="a", parts=(image,)),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", tool_call_id="1", text="42"),
    )


def test_files_that_are_missing_or_unused_are_named() -> None:
    assert missing_files("image-classification", set()) == ("image",)
    assert missing_files("image-classification", {"image"}) == ()
    assert unused_files("text-generation", {"image", "audio"}) == ("audio", "image")
    assert unused_files(TASKS["video-classification"], {"video"}) == ()


@pytest.mark.parametrize("name", TASKS)
def test_a_form_has_every_field_with_a_widget(name: str) -> None:
    drawn, task = form(name), TASKS[name]
    assert list(drawn)[:6] == ["category", "label", "description", "inputs", "files", "advanced"]
    for part, fields in (
        ("inputs", task.inputs),
        ("files", task.files),
        ("advanced", task.parameters),
    ):
        rows = drawn[part]
        assert isinstance(rows, list)
        assert [row["name"] for row in rows] == [field.name for field in fields]
        assert all(row["type"] for row in rows)


def test_a_field_with_choices_is_drawn_as_a_select() -> None:
    rows = form("token-classification")["advanced"]
    assert isinstance(rows, list)
    assert rows[0]["type"] == "select"
    assert rows[0]["choices"] == ["none", "simple", "first", "average", "max"]


@pytest.mark.parametrize("name", TASKS)
def test_a_schema_requires_what_the_task_requires(name: str) -> None:
    schema = json_schema(name)
    assert schema["required"] == [field.name for field in TASKS[name].inputs if field.required]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_that_gives_text_says_under_which_key(name: str) -> None:
    task = TASKS[name]
    assert bool(task.text_key) == (task.output is Output.TEXT)
    assert task.text_key in task.gives


def test_every_kind_can_be_read() -> None:
    assert set(FieldKind) - set(READERS) == {FieldKind.MESSAGES}
    assert kind_of(None) == "nothing"
    assert kind_of({}) == "an object"
