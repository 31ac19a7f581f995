"""The iris classifier: right, and clear about what it expects."""

import csv
import math
from pathlib import Path

import pytest

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.engine.embedded.steps import finish
from inferd.engine.embedded.tabular import FEATURES, LABELS, Iris
from inferd.engine.embedded.weights import ModelDataMissing

ROWS = Path(__file__).parents[2] / "scripts" / "models" / "iris.csv"


@pytest.fixture(scope="module")
def iris(data: Path) -> Iris:
    return Iris(data)


def test_nearly_every_iris_is_told_right(iris: Iris) -> None:
    with ROWS.open(encoding="utf-8", newline="") as file:
        names, *rows = list(csv.reader(file))
    assert tuple(names[:-1]) == FEATURES
    answers = finish(iris.classify([[float(value) for value in row[:-1]] for row in rows]))
    right = sum(answer["label"] == row[-1] for answer, row in zip(answers, rows, strict=True))
    assert right / len(rows) >= 0.95


def test_an_answer_has_class_label_and_probabilities(iris: Iris) -> None:
    (answer,) = finish(iris.classify([[5.1, 3.5, 1.4, 0.2]]))
    assert (answer["class_id"], answer["label"]) == (0, "setosa")
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert answer["scores"][0] == {"label": "setosa", "score": answer["probabilities"][0]}
    assert [entry["score"] for entry in answer["scores"]] == sorted(
        answer["probabilities"], reverse=True
    )
    assert tuple(LABELS) == ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "list of rows"),
        ("5.1", "list of rows"),
        ([5.1, 3.5, 1.4, 0.2], "row 0 is not a list"),
        ([[5.1, 3.5, 1.4]], "row 0 has 3 numbers; a row is 4 finite numbers: sepal_length"),
        ([[5.1, 3.5, 1.4, 0.2], [1, 2, 3, 4, 5]], "row 1 has 5 numbers"),
        ([[5.1, math.nan, 1.4, 0.2]], "sepal_width in row 0 is not finite"),
        ([[5.1, 3.5, math.inf, 0.2]], "petal_length in row 0 is not finite"),
        ([[5.1, 3.5, 1e300, 0.2]], "petal_length in row 0 is not finite"),
        ([[5.1, 3.5, 1.4, "wide"]], "petal_width in row 0 is not a number"),
        ([[5.1, 3.5, 1.4, True]], "petal_width in row 0 is not a number"),
        ([[10**400, 3.5, 1.4, 0.2]], "sepal_length in row 0 is not finite"),
    ],
)
def test_a_bad_row_is_told_what_is_expected(iris: Iris, rows: object, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        finish(iris.classify(rows))


def test_it_can_be_let_go_and_says_when_it_is_missing(data: Path, tmp_path: Path) -> None:
    model = Iris(data)
    assert (model.is_present, repr(model)) == (True, "<Iris not loaded>")
    model.load()
    assert model.is_loaded
    model.unload()
    assert not model.is_loaded
    with pytest.raises(ModelDataMissing, match="make setup"):
        Iris(tmp_path).load()


def test_too_many_rows_are_refused(iris: Iris) -> None:
    with pytest.raises(PayloadTooLarge, match="more than 100,000 rows, the most for one"):
        finish(iris.classify([[5.1, 3.5, 1.4, 0.2]] * 100_001))


def test_many_rows_are_read_in_steps(iris: Iris) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2]] * 1500
    assert len(finish(iris.classify(rows))) == 1500
    assert len([*iris.classify(rows)]) == 3 + 3
