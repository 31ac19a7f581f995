"""Sentence similarity: how close in meaning each sentence is to one source."""

from inferd.engine.embedded import checks
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome
from inferd.engine.embedded.steps import Steps


def compare(
    model: MiniLM, source_sentence: str, sentences: list[str]
) -> Steps[Outcome[list[float]]]:
    """Return the cosine of each sentence with the source, in their order.

    Raises:
        InvalidRequest: A text is missing or empty.
        PayloadTooLarge: There are too many, or too long ones.
    """
    source = checks.text(source_sentence, "source_sentence")
    others = checks.texts(sentences, "sentences")
    vectors, tokens, _ = yield from model.reading([source, *others])
    return Outcome([float(cosine) for cosine in vectors[1:] @ vectors[0]], tokens)
