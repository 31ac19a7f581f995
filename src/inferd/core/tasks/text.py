"""Tasks that read text."""

from inferd.core.tasks import parameters as shared
from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Text"
LABELS = "[{label, score}]"

_QUESTION_ANSWERING = Task(
    name="question-answering",
    category=CATEGORY,
    label="Question answering",
    description="Find the answer to a question in a text.",
    inputs=(
        Field(
            name="qa_question",
            kind=FieldKind.TEXT,
            label="Question",
            required=True,
            aliases=("question",),
            example="Where does she live?",
        ),
        Field(
            name="qa_context",
            kind=FieldKind.TEXT,
            label="Context",
            required=True,
            aliases=("context",),
            example="She was born in Lyon and lives in Oslo.",
        ),
    ),
    parameters=(
        shared.TOP_K,
        Field(name="doc_stride", kind=FieldKind.INTEGER, label="Stride", minimum=1),
        Field(
            name="max_answer_len",
            kind=FieldKind.INTEGER,
            label="Max answer length",
            aliases=("max_answer_length",),
            minimum=1,
        ),
        Field(
            name="handle_impossible_answer",
            kind=FieldKind.BOOLEAN,
            label="Allow no answer",
        ),
    ),
    output=Output.ANSWER,
    gives="{answer, score, start, end}",
)

TASKS = (
    Task(
        name="text-classification",
        category=CATEGORY,
        label="Sentiment analysis",
        description="Say which class a text belongs to.",
        aliases=("sentiment-analysis",),
        wire_name="sentiment-analysis",
        inputs=(shared.prompt(example="I love this!"),),
        parameters=(
            shared.TOP_K,
            Field(
                name="function_to_apply",
                kind=FieldKind.STRING,
                label="Function to apply",
                choices=("sigmoid", "softmax", "none"),
            ),
        ),
        output=Output.LABELS,
        gives=LABELS,
    ),
    Task(
        name="token-classification",
        category=CATEGORY,
        label="Token classification",
        description="Find names, places and the like in a text.",
        aliases=("ner",),
        inputs=(shared.prompt(example="My name is Sarah and I live in London."),),
        parameters=(
            Field(
                name="aggregation_strategy",
                kind=FieldKind.STRING,
                label="Aggregation",
                choices=("none", "simple", "first", "average", "max"),
            ),
        ),
        output=Output.SPANS,
        gives="[{entity_group, score, word, start, end}]",
    ),
    Task(
        name="fill-mask",
        category=CATEGORY,
        label="Fill mask",
        description="Guess the hidden word of a sentence.",
        inputs=(
            Field(
                name="mask_sentence",
                kind=FieldKind.TEXT,
                label="Sentence with a mask",
                required=True,
                aliases=("prompt", "inputs", "text"),
                placeholder="Paris is the [MASK] of France.",
                example="Paris is the [MASK] of France.",
            ),
            Field(
                name="mask_sentence_alt",
                kind=FieldKind.TEXT,
                label="The same for models with <mask>",
                placeholder="Paris is the <mask> of France.",
                example="Paris is the <mask> of France.",
            ),
        ),
        parameters=(
            shared.TOP_K,
            Field(
                name="targets",
                kind=FieldKind.STRINGS,
                label="Only these words",
                comma_separated=True,
            ),
        ),
        output=Output.JSON,
        gives="{result_1: [{score, token, token_str, sequence}], result_2}",
    ),
    Task(
        name="zero-shot-classification",
        category=CATEGORY,
        label="Zero-shot classification",
        description="Sort a text into classes that you name.",
        inputs=(
            shared.prompt(aliases=("sequences",), example="I can't log in."),
            shared.candidate_labels("account", "billing", "shipping"),
        ),
        parameters=(
            Field(
                name="multi_label",
                kind=FieldKind.BOOLEAN,
                label="Several labels may hold",
            ),
            shared.HYPOTHESIS,
        ),
        output=Output.LABELS,
        gives="{sequence, labels: [...], scores: [...]}",
    ),
    _QUESTION_ANSWERING,
)
