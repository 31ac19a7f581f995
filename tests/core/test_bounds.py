"""How much of a payload is looked at."""

import sys
from collections.abc import Callable

import pytest

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.core.tasks import TASKS, Task, check, example, fits
from inferd.core.tasks.check import MOST_NAMES, MOST_UNKNOWN
from inferd.core.tasks.messages import MOST_MESSAGES
from inferd.core.tasks.values import MOST_TEXTS

LABELS = {"inputs": "a"}


@pytest.fixture
def spelled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were compared with known ones."""
    names: list[str] = []

    def note(task: Task, name: str) -> None:
        names.append(name)

    monkeypatch.setattr(sys.modules[check.__module__], "check_spelling", note)
    return names


def odd(count: int) -> dict[str, object]:
    return {f"odd{number}": 1 for number in range(count)}


def test_more_unknown_names_than_a_backend_could_want_are_refused(spelled: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="64 at most") as refused:
        check("summarization", example("summarization"), odd(MOST_UNKNOWN + 1))
    assert refused.value.details["param"] == "odd0"
    assert not spelled


def test_only_a_few_unknown_names_are_compared_with_known_ones(spelled: list[str]) -> None:
    _, parameters = check("summarization", example("summarization"), odd(MOST_UNKNOWN))
    assert parameters == odd(MOST_UNKNOWN)
    assert len(spelled) == 16


@pytest.mark.parametrize(
    "payload",
    [
        lambda: odd(MOST_NAMES + 1),
        lambda: {"inputs": odd(MOST_NAMES + 1)},
        lambda: {"inputs": "a", "parameters": odd(MOST_NAMES)},
    ],
)
def test_more_names_than_any_task_has_are_refused(payload: Callable[[], dict[str, object]]) -> None:
    with pytest.raises(InvalidRequest, match="256 at most can be read"):
        check("summarization", payload(), {})


def test_whether_a_payload_fits_is_seen_without_what_the_task_does_not_know(
    spelled: list[str],
) -> None:
    task = TASKS["text-classification"]
    assert fits(task, {"inputs": "a", "topk": 1, "odd": float("inf")})
    assert not fits(task, {"odd": 1})
    assert not spelled


def test_long_lists_are_refused_by_their_length() -> None:
    with pytest.raises(PayloadTooLarge, match="more than 20,000 texts"):
        check("feature-extraction", {"inputs": [None] * (MOST_TEXTS + 1)}, {})
    with pytest.raises(PayloadTooLarge, match="more than 20,000 texts"):
        labels = "," * MOST_TEXTS
        check("zero-shot-classification", {**LABELS, "candidate_labels": labels}, {})
    with pytest.raises(PayloadTooLarge, match="more than 10,000 messages"):
        check("chat", {"messages": [None] * (MOST_MESSAGES + 1)}, {})


@pytest.mark.parametrize("labels", ["a, b,a", ["a", "b", "a"]])
def test_a_label_that_is_named_twice_is_one_class(labels: object) -> None:
    given = {**LABELS, "candidate_labels": labels}
    inputs, _ = check("zero-shot-classification", given, {})
    assert inputs["candidate_labels"] == ["a", "b"]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"inputs": [[1, float("inf")]]}, "features[0][1] must be a finite number, and no larger"),
        ({"inputs": [[1, 10**400]]}, "features[0][1] must be a finite number, and no larger"),
        ({"inputs": [[1, "2"]]}, "features[0][1] must be a finite number, but text came"),
        ({"inputs": [[1, True]]}, "features[0][1] must be a finite number, but a boolean came"),
    ],
)
def test_a_number_that_is_not_finite_is_not_called_a_number(
    payload: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check("tabular-classification", payload, {})
    assert str(refused.value).startswith(said)
