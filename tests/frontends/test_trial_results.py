"""Whatever a place answers can be drawn: as a text, scores, a file or JSON."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.backend import Model
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest
from inferd.core.result import Embeddings, Finish, Media, Result, TextDelta, Value
from inferd.core.tasks import TASKS
from inferd.frontends.web import figures
from inferd.frontends.web.shell import environment
from inferd.frontends.web.trial_results import shown
from inferd.wire import hf_tasks
from tests.frontends.browsers import Browser
from tests.frontends.fakes import FakeBackend, says
from tests.frontends.nodes import open_node

NAMES = st.sampled_from(
    ["labels", "scores", "label", "score", "index", "answer", "text", "box", "start", "result",
     "generated_text", "embedding"]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 10**9, -1])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e308, -1e308, 5e-324])
    | st.text(max_size=5)
)
ANYTHING = st.recursive(
    LEAVES,
    lambda items: (
        st.lists(items, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=3), items, max_size=4)
    ),
    max_leaves=12,
)
DRAWN = (
    "{% import '_ui.html' as u %}{% from '_result.html' import result with context %}"
    "{{ result(shown) }}"
)


def drawn(request: InferenceRequest, result: Result) -> str:
    return environment().from_string(DRAWN).render(shown=shown(request, result))


def asked(task: str, **inputs: object) -> InferenceRequest:
    return InferenceRequest(id="r", task=task, model="m", inputs=inputs)


@given(st.sampled_from(sorted(TASKS)), ANYTHING)
def test_any_json_of_another_node_is_drawn(task: str, value: object) -> None:
    body = msgspec.json.encode(value)
    try:
        chunks = hf_tasks.decode_result(task, "application/json", body)
    except NodeError:
        return
    result = Result(finish=Finish())
    for chunk in chunks:
        match chunk:
            case Value(each):
                result = msgspec.structs.replace(result, value=each)
            case TextDelta(text):
                result = msgspec.structs.replace(result, text=result.text + text)
            case Embeddings():
                result = msgspec.structs.replace(result, embeddings=chunk)
            case _:
                pass
    for inputs in ({}, {"prompt": "a"}, {"prompt": ["a"]}, {"texts": ["x", "y"]}):
        assert "<h3>Result</h3>" in drawn(asked(task, **inputs), result)


@given(st.sampled_from(sorted(TASKS)), ANYTHING)
def test_any_value_is_drawn(task: str, value: object) -> None:
    for inputs in ({}, {"sentences": ["x"]}):
        assert "<h3>Result</h3>" in drawn(
            asked(task, **inputs), Result(finish=Finish(), value=value)
        )


@pytest.mark.parametrize(
    "value",
    [
        {"labels": 5, "scores": 3},
        {"labels": None, "scores": None},
        {"labels": ["a", "b"], "scores": [1.0]},
        {"labels": ["a"], "scores": ["high"]},
        {"labels": ["a"], "scores": [True]},
        [{"label": "a", "score": 10**400}],
        [{"label": "a", "score": 1e308}, {"label": "b", "score": -1e308}],
        [{"label": {"a": 1}, "score": 0.5}],
        [{"label": "a", "score": float("inf")}],
        [{"label": "a", "score": 0.5}] * 1001,
    ],
    ids=str,
)
def test_what_is_no_table_is_json(value: object) -> None:
    request = asked("zero-shot-classification")
    assert shown(request, Result(finish=Finish(), value=value))["kind"] == "json"


def test_what_can_t_be_json_is_told() -> None:
    request = asked("text-classification")
    assert "JSON" in drawn(request, Result(finish=Finish(), value={"a": object()}))


def test_what_nests_deep_isn_t_drawn_a_thousand_times_as_wide() -> None:
    value: object = [1] * 1000
    for _ in range(500):
        value = [value]
    text = shown(asked("tabular-classification"), Result(finish=Finish(), value=value))["text"]
    assert isinstance(text, str)
    assert len(text) < 10_000


def test_quotes_are_set_apart() -> None:
    text = "I quote:\n\n> Press <b>Ctrl-C</b>\n> (now)\n\n— docs"
    page = drawn(asked("chat"), Result(finish=Finish(), text=text))
    assert (
        '<blockquote class="quoted"><p class="prose">Press &lt;b&gt;Ctrl-C&lt;/b&gt;\n(now)' in page
    )
    assert '<p class="prose">— docs</p>' in page


def test_a_file_of_an_odd_type_is_only_saved() -> None:
    media = Media(data=b"x", content_type='text/html"><b>')
    page = drawn(asked("text-to-image"), Result(finish=Finish(), media=media))
    assert "<b>" not in page
    assert "download=" in page


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "1 ms"), (0.024, "24 ms"), (0.9994, "999 ms"), (0.9996, "1.00 s"), (12.34, "12.3 s")],
)
def test_times_are_written_as_the_scripts_do(seconds: float, said: str) -> None:
    assert figures.duration(seconds) == said


async def test_an_odd_result_comes_with_its_receipt() -> None:
    model = Model(id="tiny", tasks=frozenset(TASKS))
    odd = FakeBackend(says(Value({"labels": 5, "scores": 3}), Finish()), "here", models=(model,))
    fields = {"task": "zero-shot-classification", "model": "tiny"}
    typed = {"field.prompt": "a", "field.candidate_labels": "x, y"}
    async with open_node(odd) as node, Browser(node) as browser:
        await browser.visit("/?task=zero-shot-classification&run=tiny")
        answer = await browser.send_form("/try", {**fields, **typed})
    assert answer.status_code == 200
    assert "&#34;labels&#34;: 5" in answer.text
    assert "Seen by <b>" in answer.text
