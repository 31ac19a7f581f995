"""The models that come with inferd, as data."""

from collections.abc import Mapping

import msgspec

from inferd.engine.embedded import ceilings, weights

DIMENSION = 384
WINDOW = 256


class EmbeddedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that needs no download, and what people ask about it.

    `max_tokens` is what it reads at once; longer texts are read in windows, not cut. Zero means
    that it doesn't read text. `files` must be present for it to run. `most` is what one request may
    hold, by unit.
    """

    id: str
    tasks: tuple[str, ...]
    files: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    licence: str
    about: str
    max_tokens: int = 0
    dimension: int = 0
    size_bytes: int
    most: Mapping[str, int] = {}


MINILM = EmbeddedModel(
    id="sentence-transformers/all-MiniLM-L6-v2",
    aliases=("minilm",),
    tasks=(
        "feature-extraction",
        "sentence-similarity",
        "text-ranking",
        "zero-shot-classification",
        "text-classification",
        "question-answering",
    ),
    files=(weights.MINILM, weights.VOCABULARY, weights.SENTIMENT),
    licence="Apache-2.0",
    about="Sentence embeddings in 8-bit integers, and what can be done with them. English.",
    max_tokens=WINDOW,
    dimension=DIMENSION,
    size_bytes=24_700_000,
    most={"texts": ceilings.TEXTS, "labels": ceilings.LABELS},
)

IRIS = EmbeddedModel(
    id="iris",
    tasks=("tabular-classification",),
    files=(weights.IRIS,),
    licence="Apache-2.0",
    about="Fisher's irises by sepal and petal: a logistic regression for numeric input.",
    size_bytes=1_000,
    most={"rows": ceilings.ROWS},
)

DOCS = EmbeddedModel(
    id="inferd-docs",
    tasks=("chat",),
    files=(weights.MINILM, weights.VOCABULARY, weights.PASSAGES, weights.PASSAGE_VECTORS),
    licence="Apache-2.0",
    about="Answers questions about inferd by quoting its documentation. Generates nothing.",
    max_tokens=WINDOW,
    size_bytes=500_000,
)

MODELS = (MINILM, IRIS, DOCS)


def find(name: str) -> EmbeddedModel | None:
    """Return the model with this id or alias."""
    for model in MODELS:
        if name == model.id or name in model.aliases:
            return model
    return None
