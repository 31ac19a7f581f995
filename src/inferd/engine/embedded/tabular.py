"""Tabular classification: Fisher's irises, told apart by four measurements in centimetres."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import ceilings, weights
from inferd.engine.embedded.runtime import open_session
from inferd.engine.embedded.steps import Steps

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
LABELS = ("setosa", "versicolor", "virginica")

_AT_ONCE = 512
_LARGEST = float(np.finfo(np.float32).max)


class ClassScore(TypedDict):
    """A class and how likely it is."""

    label: str
    score: float


class Classified(TypedDict):
    """The likeliest class, each class's probability in the model's order, and best first."""

    class_id: int
    label: str
    probabilities: list[float]
    scores: list[ClassScore]


class _Loaded(NamedTuple):
    session: "InferenceSession"
    labels: tuple[str, ...]


class Iris:
    """A logistic regression, trained at set-up. Any thread may call it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def __repr__(self) -> str:
        return f"<Iris {'loaded' if self.is_loaded else 'not loaded'}>"

    @property
    def is_present(self) -> bool:
        """Whether set-up has built it."""
        return weights.is_present(self._folder, weights.IRIS)

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory."""
        return self._loaded is not None

    def load(self) -> None:
        """Read the model into memory, once.

        Raises:
            ModelDataMissing: Set-up has not built it.
        """
        self._ready()

    def unload(self) -> None:
        """Let go of the model; calls that are running finish first."""
        with self._lock:
            self._loaded = None

    def classify(self, rows: object) -> Steps[list[Classified]]:
        """Classify each row: its four measurements in the order of `FEATURES`.

        Raises:
            InvalidRequest: A row is not four finite numbers.
            PayloadTooLarge: There are too many.
            ModelDataMissing: Set-up has not built it.
        """
        values = yield from _checked(rows)
        loaded = self._ready()
        found: list[Classified] = []
        for start in range(0, len(values), _AT_ONCE):
            found += _run(loaded, values[start : start + _AT_ONCE])
            yield
        return found

    def _ready(self) -> _Loaded:
        loaded = self._loaded
        if loaded is None:
            with self._lock:
                loaded = self._loaded or _load(self._folder)
                self._loaded = loaded
        return loaded


def _run(loaded: _Loaded, values: list[list[float]]) -> list[Classified]:
    chosen, shares = loaded.session.run(
        ["label", "probabilities"], {"features": np.array(values, np.float32)}
    )
    return [
        _classified(loaded.labels, int(index), [float(share) for share in row])
        for index, row in zip(np.asarray(chosen), np.asarray(shares), strict=True)
    ]


def _checked(rows: object) -> Steps[list[list[float]]]:
    """Return the rows as floats; the message of a refusal says what is expected."""
    if isinstance(rows, str) or not isinstance(rows, Sequence) or not rows:
        raise InvalidRequest(f"inputs must be a list of rows; a row is {_expected()}")
    ceilings.check_count(len(rows), ceilings.ROWS, "inputs", "rows")
    checked: list[list[float]] = []
    for index, row in enumerate(rows):
        checked.append(_check_row(row, index))
        if index % _AT_ONCE == 0:
            yield
    return checked


def _check_row(row: object, index: int) -> list[float]:
    if isinstance(row, str) or not isinstance(row, Sequence):
        raise InvalidRequest(f"row {index} is not a list; a row is {_expected()}")
    if len(row) != len(FEATURES):
        raise InvalidRequest(f"row {index} has {len(row)} numbers; a row is {_expected()}")
    return [_check_number(value, index, name) for name, value in zip(FEATURES, row, strict=True)]


def _check_number(value: object, index: int, name: str) -> float:
    # A bool is an int to Python, and no measurement to anyone.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"{name} in row {index} is not a number; a row is {_expected()}")
    # The model reads 32-bit floats: what overflows there is not finite either.
    if not abs(value) <= _LARGEST:
        raise InvalidRequest(f"{name} in row {index} is not finite; a row is {_expected()}")
    return float(value)


def _expected() -> str:
    return f"{len(FEATURES)} finite numbers: {', '.join(FEATURES)}"


def _load(folder: Path) -> _Loaded:
    session = open_session(weights.require(folder, weights.IRIS))
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    return _Loaded(session, tuple(labels))


def _classified(labels: Sequence[str], index: int, shares: list[float]) -> Classified:
    order = sorted(range(len(labels)), key=lambda place: -shares[place])
    return {
        "class_id": index,
        "label": labels[index],
        "probabilities": shares,
        "scores": [{"label": labels[place], "score": shares[place]} for place in order],
    }
