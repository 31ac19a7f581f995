"""Train the sentiment head on MiniLM's vectors of hand-written sentences."""

import json
from pathlib import Path

import numpy as np

from inferd.engine.embedded.minilm import MiniLM
from models.softmax_regression import Fit, Floats, fit

LABELS = ("negative", "neutral", "positive")

PENALTY = 1e-3
"""Chosen by eight-fold cross-validation on the training file alone."""


def read_rows(path: Path) -> tuple[list[str], list[int]]:
    """Return the sentences of a file and their labels' numbers."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [text for _, text in rows], [LABELS.index(label) for label, _ in rows]


def vectors_of(model: MiniLM, texts: list[str]) -> Floats:
    """Embed the sentences, in double precision for the training."""
    return model.embed(texts).astype(np.float64)


def build(model: MiniLM, training: Path, held_out: Path) -> tuple[bytes, float]:
    """Return the head, and its accuracy on sentences that took no part in the training."""
    texts, classes = read_rows(training)
    found = fit(vectors_of(model, texts), classes, penalty=PENALTY)
    unseen, expected = read_rows(held_out)
    return _encode(found), found.accuracy(vectors_of(model, unseen), expected)


def _encode(found: Fit) -> bytes:
    stored = {
        "labels": LABELS,
        "weights": found.weights.round(5).tolist(),
        "bias": found.bias.round(5).tolist(),
    }
    return json.dumps(stored).encode() + b"\n"
