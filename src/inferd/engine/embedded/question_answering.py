"""Extractive question answering: a span of the context, with where it stands.

Not a model trained to read. Three steps, all visible: the sentences nearest the question are
found by MiniLM and by shared words; patterns propose spans of the kind that the question asks for
(`spans.py`); and the span wins that is typical, stands near the question's own words and in their
clause, and whose addition to the question brings it closest to the sentence. It finds stated facts
in English; it doesn't infer, add up or combine sentences, and it always answers: a low score is
its only doubt.
"""

from typing import NamedTuple, TypedDict

import numpy as np

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import ceilings, checks, lexical, spans
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome
from inferd.engine.embedded.sentences import Sentence, sentences
from inferd.engine.embedded.steps import Steps

SENTENCES_READ = 3
SPANS_READ = 16
SHARPNESS = 0.1
CLAUSE = 0.25
"""What it counts to stand in one clause with the question's words: `was born in Lyon and lives in
Oslo` says two things, and only one is about living."""

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


def answer(
    model: MiniLM, question: str, context: str, *, top_k: int = 1
) -> Steps[Outcome[list[Answer]]]:
    """Return the likeliest spans, the best first: at most `top_k`, at least one.

    Raises:
        InvalidRequest: The question or the context is empty, or `top_k` is less than one.
        PayloadTooLarge: The question or the context is too long.
    """
    asked = checks.text(question, "question")
    if len(asked) > ceilings.QUESTION:
        raise ceilings.question_too_long(len(asked))
    if top_k < 1:
        raise InvalidRequest(f"top_k must be at least 1, not {top_k}")
    parts = yield from _sentences(checks.text(context, "context"))
    vectors, tokens, _ = yield from model.reading([asked, *(part.text for part in parts)])
    known = lexical.content_stems(asked)
    nearness: list[float] = []
    for cosine, part in zip(vectors[1:] @ vectors[0], parts, strict=True):
        stems = lexical.content_stems(part.text)
        nearness.append(float(cosine) + 0.5 * lexical.shared(known, stems))
        yield
    best = sorted(range(len(parts)), key=lambda index: -nearness[index])[:SENTENCES_READ]
    found: list[_Candidate] = []
    for index in best:
        found += yield from _propose(asked, parts, index, nearness[index])
    if not found:
        found = [_Candidate(best[0], 0, len(parts[best[0]].text), nearness[best[0]])]
    found = sorted(found, key=lambda candidate: -candidate.score)[:SPANS_READ]
    filled, more, _ = yield from model.reading(
        [f"{asked} {_text(parts, candidate)}" for candidate in found]
    )
    scores = [
        candidate.score + CLOSENESS * float(vector @ vectors[1 + candidate.sentence])
        for candidate, vector in zip(found, filled, strict=True)
    ]
    return Outcome(_best(parts, found, scores, top_k), tokens + more)


def _sentences(context: str) -> Steps[list[Sentence]]:
    ceilings.check_characters([len(context)])
    found: list[Sentence] = []
    for sentence in sentences(context):
        found.append(sentence)
        ceilings.check_count(len(found), ceilings.SENTENCES, "context", "sentences")
        yield
    return found


def _propose(
    question: str, parts: list[Sentence], index: int, nearness: float
) -> Steps[list[_Candidate]]:
    """Score the spans of one sentence by what can be seen without reading them."""
    sentence = parts[index].text
    known = lexical.content_stems(question)
    shared = [word for word in lexical.words(sentence) if lexical.stem(word.text) in known]
    marks = [word.start for word in shared]
    # A name says whom the sentence is about, in all its clauses.
    telling = [word.start for word in shared if word.text.islower()] or marks
    proposed: list[_Candidate] = []
    for span in spans.candidates(spans.kind_of(question), question, sentence):
        said = [lexical.stem(word.text) for word in lexical.words(sentence[span.start : span.end])]
        repeated = sum(stem in known for stem in said) / max(1, len(said))
        gaps = [max(span.start - mark, mark - span.end, 0) for mark in marks]
        proximity = sum(1 / (1 + gap / 20) for gap in gaps) / len(gaps) if gaps else 0.0
        length = max(0, len(said) - 12) * 0.02
        told = sum(spans.share_clause(sentence, span, mark) for mark in telling)
        score = nearness + 0.6 * span.weight + 0.3 * proximity - 0.3 * repeated - length
        score += CLAUSE * told / max(1, len(telling))
        proposed.append(_Candidate(index, span.start, span.end, score))
        yield
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
