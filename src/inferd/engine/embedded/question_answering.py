"""Extractive question answering: a span of the context, with where it stands.

Not a model trained to read. Three steps, all visible: the sentences nearest the question are
found by MiniLM and by shared words; patterns propose spans of the kind that the question asks for
(`spans.py`); and the span wins that is typical, stands near the question's own words, and whose
addition to the question brings it closest to the sentence. It finds stated facts in English; it
doesn't infer, add up or combine sentences, and it always answers: a low score is its only doubt.
"""

from typing import NamedTuple, TypedDict

import numpy as np

from inferd.engine.embedded import checks, lexical, spans
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome
from inferd.engine.embedded.sentences import Sentence, sentences

SENTENCES_READ = 3
SPANS_READ = 16
SHARPNESS = 0.1
CLOSENESS = 0.7
"""What the closeness of question and span to the sentence counts; more favours long spans."""


class Answer(TypedDict):
    """A span of the context: `context[start:end] == answer`."""

    answer: str
    score: float
    start: int
    end: int


class _Candidate(NamedTuple):
    sentence: int
    start: int
    end: int
    score: float


def answer(model: MiniLM, question: str, context: str, *, top_k: int = 1) -> Outcome[list[Answer]]:
    """Return the likeliest spans, the best first: at most `top_k`, at least one.

    Raises:
        ValueError: The question or the context is empty, or `top_k` is less than one.
    """
    asked = checks.text(question, "question")
    parts = sentences(checks.text(context, "context"))
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    vectors, tokens = model.read([asked, *(part.text for part in parts)])
    known = lexical.content_stems(asked)
    nearness = [
        float(cosine) + 0.5 * lexical.shared(known, lexical.content_stems(part.text))
        for cosine, part in zip(vectors[1:] @ vectors[0], parts, strict=True)
    ]
    best = sorted(range(len(parts)), key=lambda index: -nearness[index])[:SENTENCES_READ]
    found = [
        candidate for index in best for candidate in _propose(asked, parts, index, nearness[index])
    ]
    if not found:
        found = [_Candidate(best[0], 0, len(parts[best[0]].text), nearness[best[0]])]
    found = sorted(found, key=lambda candidate: -candidate.score)[:SPANS_READ]
    filled, more = model.read([f"{asked} {_text(parts, candidate)}" for candidate in found])
    scores = [
        candidate.score + CLOSENESS * float(vector @ vectors[1 + candidate.sentence])
        for candidate, vector in zip(found, filled, strict=True)
    ]
    return Outcome(_best(parts, found, scores, top_k), tokens + more)


def _propose(question: str, parts: list[Sentence], index: int, nearness: float) -> list[_Candidate]:
    """Score the spans of one sentence by what can be seen without reading them."""
    sentence = parts[index].text
    known = lexical.content_stems(question)
    marks = [word.start for word in lexical.words(sentence) if lexical.stem(word.text) in known]
    proposed: list[_Candidate] = []
    for span in spans.candidates(spans.kind_of(question), question, sentence):
        said = [lexical.stem(word.text) for word in lexical.words(sentence[span.start : span.end])]
        repeated = sum(stem in known for stem in said) / max(1, len(said))
        gaps = [max(span.start - mark, mark - span.end, 0) for mark in marks]
        proximity = sum(1 / (1 + gap / 20) for gap in gaps) / len(gaps) if gaps else 0.0
        length = max(0, len(said) - 12) * 0.02
        score = nearness + 0.6 * span.weight + 0.3 * proximity - 0.3 * repeated - length
        proposed.append(_Candidate(index, span.start, span.end, score))
    return proposed


def _text(parts: list[Sentence], candidate: _Candidate) -> str:
    return parts[candidate.sentence].text[candidate.start : candidate.end]


def _best(
    parts: list[Sentence], found: list[_Candidate], scores: list[float], top_k: int
) -> list[Answer]:
    shares = np.exp((np.array(scores) - max(scores)) / SHARPNESS)
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:top_k]
    return [
        {
            "answer": _text(parts, found[index]),
            "score": float(shares[index]),
            "start": parts[found[index].sentence].start + found[index].start,
            "end": parts[found[index].sentence].start + found[index].end,
        }
        for index in order
    ]
