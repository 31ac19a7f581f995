"""Tasks that write text."""

from inferd.core.tasks import parameters as shared
from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Text"

TASKS = (
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
