"""Zero-shot classification: which of the caller's labels fits a text, by closeness in meaning.

The text is compared with each label put into the template. That tells topics apart well; it is
not entailment, and can't tell `happy` from `not happy` as a model trained for that would.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import ceilings, checks
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome, Vectors
from inferd.engine.embedded.steps import Steps

TEMPLATE = "This example is {}."
TEMPERATURE = 0.05
"""Cosines of right and wrong labels lie about 0.1 apart: that becomes odds of seven to one."""

UNRELATED = 0.15
"""With `multi_label`, the cosine that makes a label as likely as not."""


class Classified(TypedDict):
    """As the zero-shot pipeline answers: labels and their scores, the best first."""

    sequence: str
    labels: list[str]
    scores: list[float]


def classify(
    model: MiniLM,
    texts: list[str],
    candidate_labels: Sequence[str] | str,
    *,
    hypothesis_template: str = TEMPLATE,
    multi_label: bool = False,
) -> Steps[Outcome[list[Classified]]]:
    """Score the labels for each text: sharing one between them, or each on its own.

    Of a text, the first `ceilings.CLASSIFIED` tokens are read.

    Raises:
        InvalidRequest: No labels or texts, or a template with no place for the label.
        PayloadTooLarge: There are too many, or too long ones.
    """
    sequences = checks.texts(texts, "inputs")
    labels = _labels(candidate_labels)
    if "{}" not in hypothesis_template:
        raise InvalidRequest("hypothesis_template must contain {} where the label goes")
    places = hypothesis_template.count("{}")
    ceilings.check_characters(len(hypothesis_template) + places * len(each) for each in labels)
    hypotheses = [hypothesis_template.replace("{}", label) for label in labels]
    vectors, tokens, is_cut = yield from model.reading(
        [*sequences, *hypotheses], most=ceilings.CLASSIFIED
    )
    cosines = vectors[: len(sequences)] @ vectors[len(sequences) :].T
    scores = _independent(cosines) if multi_label else _shared(cosines)
    return Outcome(
        [_best_first(text, labels, row) for text, row in zip(sequences, scores, strict=True)],
        tokens,
        is_cut,
    )


def _labels(given: Sequence[str] | str) -> list[str]:
    if isinstance(given, str):
        ceilings.check_characters([len(given)])
        given = [part.strip() for part in given.split(",")]
    return list(
        dict.fromkeys(checks.texts(given, "candidate_labels", most=ceilings.LABELS, unit="labels"))
    )


def _shared(cosines: Vectors) -> Vectors:
    raised = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / TEMPERATURE)
    return raised / raised.sum(axis=1, keepdims=True)


def _independent(cosines: Vectors) -> Vectors:
    return np.reciprocal(1 + np.exp((UNRELATED - cosines) / TEMPERATURE))


def _best_first(text: str, labels: Sequence[str], scores: Vectors) -> Classified:
    order = sorted(range(len(labels)), key=lambda index: -scores[index])
    return {
        "sequence": text,
        "labels": [labels[index] for index in order],
        "scores": [float(scores[index]) for index in order],
    }
