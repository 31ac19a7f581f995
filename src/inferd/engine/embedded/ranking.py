"""Text ranking: which texts answer a query best."""

from typing import NotRequired, TypedDict

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import checks
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome
from inferd.engine.embedded.steps import Steps


class Ranked(TypedDict):
    """A text's place in the list that was given, and its cosine with the query."""

    index: int
    score: float
    text: NotRequired[str]


def rank(
    model: MiniLM,
    query: str,
    texts: list[str],
    *,
    top_n: int | None = None,
    return_text: bool = False,
) -> Steps[Outcome[list[Ranked]]]:
    """Return the texts, the best first.

    Raises:
        InvalidRequest: A text is missing or empty, or `top_n` is less than one.
        PayloadTooLarge: There are too many, or too long ones.
    """
    wanted = checks.text(query, "query")
    offered = checks.texts(texts, "texts")
    if top_n is not None and top_n < 1:
        raise InvalidRequest(f"top_n must be at least 1, not {top_n}")
    vectors, tokens, _ = yield from model.reading([wanted, *offered])
    cosines = [float(cosine) for cosine in vectors[1:] @ vectors[0]]
    order = sorted(range(len(offered)), key=lambda index: -cosines[index])[:top_n]
    ranked: list[Ranked] = [{"index": index, "score": cosines[index]} for index in order]
    if return_text:
        for entry in ranked:
            entry["text"] = offered[entry["index"]]
    return Outcome(ranked, tokens)
