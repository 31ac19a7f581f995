"""Tasks that compare texts."""

from inferd.core.tasks import parameters as shared
from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Text"

TASKS = (
    Task(
        name="feature-extraction",
        category=CATEGORY,
        label="Feature extraction",
        description="Turn texts into vectors.",
        aliases=("text-embedding", "embeddings"),
        inputs=(
            shared.prompt(
                "Text", kind=FieldKind.TEXTS, aliases=("input",), example="A cat sat on a mat."
            ),
        ),
        parameters=(
            shared.NORMALIZE,
            shared.TRUNCATE,
            Field(name="dimensions", kind=FieldKind.INTEGER, label="Dimensions", minimum=1),
            Field(name="prompt_name", kind=FieldKind.STRING, label="Prompt name"),
        ),
        output=Output.EMBEDDING,
        gives="{embedding: [...]}",
    ),
    Task(
        name="sentence-similarity",
        category=CATEGORY,
        label="Sentence similarity",
        description="Say how close sentences are to one sentence.",
        inputs=(
            Field(
                name="source_sentence",
                kind=FieldKind.TEXT,
                label="Sentence",
                required=True,
                aliases=("sentence",),
                example="A cat sat on a mat.",
            ),
            Field(
                name="sentences",
                kind=FieldKind.STRINGS,
                label="Compare with",
                required=True,
                aliases=("other_sentences",),
                example=["A kitten lay on a rug.", "Stocks fell."],
            ),
        ),
        output=Output.SCORES,
        gives="[score]",
    ),
    Task(
        name="text-ranking",
        category=CATEGORY,
        label="Text ranking",
        description="Order texts by how well they answer a query.",
        aliases=("rerank", "sentence-ranking"),
        inputs=(
            Field(
                name="query",
                kind=FieldKind.TEXT,
                label="Query",
                required=True,
                example="How do I log in?",
            ),
            Field(
                name="texts",
                kind=FieldKind.STRINGS,
                label="Texts",
                required=True,
                aliases=("documents",),
                example=["Press the key icon.", "Our office is in Oslo."],
            ),
        ),
        parameters=(
            Field(name="top_n", kind=FieldKind.INTEGER, label="Top n", minimum=1),
            Field(
                name="return_documents",
                kind=FieldKind.BOOLEAN,
                label="Return the texts",
                aliases=("return_text",),
            ),
        ),
        output=Output.SCORES,
        gives="[{index, score, text?}]",
    ),
)
