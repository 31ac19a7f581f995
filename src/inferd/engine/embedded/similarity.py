"""Sentence similarity: how close in meaning each sentence is to one source."""

from inferd.engine.embedded import checks
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Outcome


def compare(model: MiniLM, source_sentence: str, sentences: list[str]) -> Outcome[list[float]]:
    """Return the cosine of each sentence with the source, in their order.

    Raises:
        ValueError: A text is missing or empty.
    """
    source = checks.text(source_sentence, "source_sentence")
    others = checks.texts(sentences, "sentences")
    vectors, tokens = model.read([source, *others])
    return Outcome([float(cosine) for cosine in vectors[1:] @ vectors[0]], tokens)
