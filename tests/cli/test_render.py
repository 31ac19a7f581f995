"""What results look like."""

import io

import pytest
from rich.console import Console

from inferd.cli.render import draw
from inferd.cli.screen import printable
from inferd.core.tasks import task_named


def drawn(task: str, result: object, **inputs: object) -> str:
    out = io.StringIO()
    Console(file=out, width=100, markup=False, highlight=False).print(
        draw(task_named(task), result, inputs)
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("task", "result", "shown"),
    [
        (
            "image-classification",
            {"result": [{"label": "cat", "score": 0.5}]},
            "cat  ████████████░",
        ),
        ("zero-shot-classification", {"labels": ["a"], "scores": [1]}, "a  ████"),
        (
            "token-classification",
            {"result": [{"entity_group": "PER", "word": "Ada", "score": 1, "start": 0, "end": 3}]},
            "0–3",
        ),
        ("text-ranking", {"result": [{"index": 0, "score": 0.25, "text": "one"}]}, "0.250  one"),
        ("feature-extraction", {"embedding": [3.0, 4.0]}, "2 numbers, length 5.000: [3.0000"),
        ("question-answering", {"answer": "Oslo", "score": 0.9}, "Oslo  0.900"),
        ("visual-question-answering", {"result": [{"answer": "", "score": 0.9}]}, "(no answer)"),
        (
            "object-detection",
            {"result": [{"label": "cat", "score": 0.9, "box": {"xmin": 1, "ymin": 2}}]},
            "xmin 1, ymin 2",
        ),
        (
            "image-segmentation",
            {"masks": [{"label": "cat", "score": 1, "mask_base64": "AAAA"}]},
            "cat  ████",
        ),
        ("chat", {"generated_text": "Hello [bold]"}, "Hello [bold]"),
        ("fill-mask", {"result_1": [], "result_2": None}, '"result_1": []'),
        ("image-classification", {"result": "odd"}, '"odd"'),
    ],
)
def test_each_kind_of_output_is_drawn(task: str, result: object, shown: str) -> None:
    assert shown in drawn(task, result)


def test_a_ranking_takes_its_texts_from_what_was_asked() -> None:
    lines = drawn("sentence-similarity", {"result": [0.1, 0.9]}, sentences=["a", "b"]).splitlines()
    assert [line.split() for line in lines[1:]] == [["1", "0.900", "b"], ["2", "0.100", "a"]]


def test_a_models_words_do_not_drive_the_terminal() -> None:
    assert printable("a\x1b[31m\x9bb\r\nc\td") == "a[31mb\nc\td"
    assert "\x1b" not in drawn("chat", {"generated_text": "\x1b]0;title\x07"})
