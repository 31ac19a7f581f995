"""Tasks on text and tables."""

from inferd.core.tasks import parameters as shared
from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Text"
TABULAR = "Tabular"
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

_GENERATION = (
    Task(
        name="chat",
        category=CATEGORY,
        label="Chat",
        description="Continue a conversation.",
        aliases=("conversational", "chat-completion"),
        inputs=(
            Field(
                name="messages",
                kind=FieldKind.MESSAGES,
                label="Messages",
                required=True,
                example=[{"role": "user", "content": "What is inferd?"}],
            ),
        ),
        parameters=(
            Field(
                name="max_tokens",
                kind=FieldKind.INTEGER,
                label="Max tokens",
                aliases=("max_completion_tokens", "max_new_tokens"),
                minimum=1,
            ),
            shared.TEMPERATURE,
            shared.TOP_P,
            shared.STOP,
            shared.SEED,
            Field(name="tools", kind=FieldKind.JSON, label="Tools"),
            Field(name="tool_choice", kind=FieldKind.JSON, label="Tool choice"),
            Field(name="response_format", kind=FieldKind.JSON, label="Response format"),
        ),
        output=Output.TEXT,
        gives="{generated_text}",
        text_key="generated_text",
        streams=True,
    ),
    Task(
        name="text-generation",
        category=CATEGORY,
        label="Text generation",
        description="Continue a text.",
        inputs=(shared.prompt("Prompt", example="Once upon a time"),),
        parameters=(
            *shared.GENERATION,
            Field(
                name="return_full_text",
                kind=FieldKind.BOOLEAN,
                label="Return the prompt too",
            ),
        ),
        output=Output.TEXT,
        gives="{generated_text}",
        text_key="generated_text",
        streams=True,
    ),
    Task(
        name="text2text-generation",
        category=CATEGORY,
        label="Text to text",
        description="Turn one text into another.",
        inputs=(shared.prompt("Prompt", example="translate English to German: Hello"),),
        parameters=shared.GENERATION,
        output=Output.TEXT,
        gives="{generated_text}",
        text_key="generated_text",
        streams=True,
    ),
    Task(
        name="summarization",
        category=CATEGORY,
        label="Summarization",
        description="Shorten a text, keeping what matters.",
        inputs=(shared.prompt(example="A long text that goes on for a while."),),
        parameters=(
            shared.MIN_LENGTH,
            shared.MAX_LENGTH,
            shared.MAX_NEW_TOKENS,
            shared.DO_SAMPLE,
            shared.TEMPERATURE,
        ),
        output=Output.TEXT,
        gives="{summary_text}",
        text_key="summary_text",
        streams=True,
    ),
    Task(
        name="translation",
        category=CATEGORY,
        label="Translation",
        description="Say a text in another language.",
        inputs=(
            shared.prompt(example="Good morning"),
            Field(
                name="src_lang",
                kind=FieldKind.STRING,
                label="From",
                placeholder="eng_Latn",
                example="en",
            ),
            Field(
                name="tgt_lang",
                kind=FieldKind.STRING,
                label="To",
                placeholder="fra_Latn",
                example="fr",
            ),
        ),
        parameters=(shared.MAX_LENGTH, shared.MAX_NEW_TOKENS),
        output=Output.TEXT,
        gives="{translation_text}",
        text_key="translation_text",
        streams=True,
    ),
)

_ANALYSIS = (
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
            shared.CANDIDATE_LABELS,
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

_VECTORS = (
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

_TABULAR = (
    Task(
        name="table-question-answering",
        category=TABULAR,
        label="Table question answering",
        description="Answer a question from a table.",
        inputs=(
            Field(
                name="table",
                kind=FieldKind.TABLE,
                label="Table",
                required=True,
                help="Rows of cells, the header first.",
                example=[["city", "people"], ["Oslo", "700000"], ["Lyon", "520000"]],
            ),
            Field(
                name="table_query",
                kind=FieldKind.TEXT,
                label="Question",
                required=True,
                aliases=("query", "question"),
                example="How many people live in Oslo?",
            ),
        ),
        output=Output.ANSWER,
        gives="{answer, coordinates, cells, aggregator}",
    ),
    Task(
        name="tabular-classification",
        category=TABULAR,
        label="Tabular classification",
        description="Say which class each row of numbers belongs to.",
        inputs=(
            Field(
                name="features",
                kind=FieldKind.ROWS,
                label="Features",
                required=True,
                aliases=("inputs", "data", "table", "rows"),
                example=[[5.1, 3.5, 1.4, 0.2]],
            ),
        ),
        output=Output.LABELS,
        gives="[{label, class_id, score}], one a row",
    ),
)

TASKS = (*_GENERATION, *_ANALYSIS, *_VECTORS, *_TABULAR)
