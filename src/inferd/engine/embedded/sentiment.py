"""Text classification by sentiment: negative, neutral or positive.

A softmax over MiniLM's vector, trained at set-up on the sentences in `scripts/models`. It is
small: plain reviews and messages it tells apart, dry irony it often doesn't.
"""

import threading
from pathlib import Path
from typing import NamedTuple, TypedDict

import msgspec
import numpy as np

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import ceilings, checks, weights
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome, Vectors
from inferd.engine.embedded.steps import Steps


class LabelScore(TypedDict):
    """A label and how likely it is."""

    label: str
    score: float


class _File(msgspec.Struct, frozen=True):
    labels: list[str]
    weights: list[list[float]]
    bias: list[float]


class _Head(NamedTuple):
    labels: tuple[str, ...]
    weights: Vectors
    bias: Vectors


class Sentiment:
    """The head on top of a sentence model."""

    def __init__(self, folder: Path, model: MiniLM) -> None:
        self._folder = folder
        self._model = model
        self._lock = threading.Lock()
        self._head: _Head | None = None

    @property
    def is_present(self) -> bool:
        """Whether set-up has built it."""
        return self._model.is_present and weights.is_present(self._folder, weights.SENTIMENT)

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory, with the sentence model."""
        return self._head is not None and self._model.is_loaded

    def load(self) -> None:
        """Read it into memory, and the sentence model, once.

        Raises:
            ModelDataMissing: Set-up has not built it.
        """
        self._ready()
        self._model.load()

    def unload(self) -> None:
        """Let go of what stands on the sentence model, which stays; running calls finish first."""
        with self._lock:
            self._head = None

    def classify(
        self, texts: list[str], *, top_k: int | None = None
    ) -> Steps[Outcome[list[list[LabelScore]]]]:
        """Return every label with its score for each text, the likeliest first.

        Of a text, the first `ceilings.CLASSIFIED` tokens are read.

        Raises:
            InvalidRequest: A text is missing or empty, or `top_k` is less than one.
            PayloadTooLarge: There are too many, or too long ones.
            ModelDataMissing: Set-up has not built it.
        """
        checked = checks.texts(texts, "inputs")
        if top_k is not None and top_k < 1:
            raise InvalidRequest(f"top_k must be at least 1, not {top_k}")
        head = self._ready()
        vectors, tokens, is_cut = yield from self._model.reading(checked, most=ceilings.CLASSIFIED)
        scores = vectors @ head.weights + head.bias
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = raised / raised.sum(axis=1, keepdims=True)
        found = [_best_first(head.labels, row)[:top_k] for row in shares]
        return Outcome(found, tokens, is_cut)

    def _ready(self) -> _Head:
        head = self._head
        if head is None:
            with self._lock:
                head = self._head or _load(self._folder)
                self._head = head
        return head


def _load(folder: Path) -> _Head:
    path = weights.require(folder, weights.SENTIMENT)
    stored = msgspec.json.decode(path.read_bytes(), type=_File)
    return _Head(
        tuple(stored.labels),
        np.array(stored.weights, np.float32),
        np.array(stored.bias, np.float32),
    )


def _best_first(labels: tuple[str, ...], scores: Vectors) -> list[LabelScore]:
    pairs = sorted(zip(labels, scores, strict=True), key=lambda pair: -pair[1])
    return [{"label": label, "score": float(score)} for label, score in pairs]
