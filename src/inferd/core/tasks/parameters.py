"""Fields that several tasks share."""

from inferd.core.tasks.model import Field, FieldKind, FileField

IMAGE = FileField(name="image", label="Image", accept="image/*")
AUDIO = FileField(name="audio", label="Audio", accept="audio/*")
VIDEO = FileField(name="video", label="Video", accept="video/*")


def prompt(
    label: str = "Text",
    *,
    kind: FieldKind = FieldKind.TEXT,
    aliases: tuple[str, ...] = (),
    required: bool = True,
    example: str = "",
) -> Field:
    """Return the main text of a task, under every name that clients give it."""
    return Field(
        name="prompt",
        kind=kind,
        label=label,
        required=required,
        aliases=("inputs", "text", *aliases),
        example=example,
    )


def candidate_labels(*example: str) -> Field:
    """Return the classes that a caller names."""
    return Field(
        name="candidate_labels",
        kind=FieldKind.STRINGS,
        label="Candidate labels",
        required=True,
        comma_separated=True,
        placeholder=", ".join(example),
        help="A list, or one text with commas.",
        example=list(example),
    )


HYPOTHESIS = Field(
    name="hypothesis_template",
    kind=FieldKind.STRING,
    label="Hypothesis template",
    placeholder="This example is {}.",
    help="A sentence with {} where a label goes.",
)
TOP_K = Field(name="top_k", kind=FieldKind.INTEGER, label="Top k", minimum=1)
"""How many results a classifier gives."""

SAMPLING_TOP_K = Field(
    name="top_k",
    kind=FieldKind.INTEGER,
    label="Top k",
    minimum=0,
    help="Sample from this many likeliest tokens.",
)
THRESHOLD = Field(name="threshold", kind=FieldKind.NUMBER, label="Threshold", minimum=0, maximum=1)
SEED = Field(name="seed", kind=FieldKind.INTEGER, label="Seed")
TEMPERATURE = Field(
    name="temperature",
    kind=FieldKind.NUMBER,
    label="Temperature",
    minimum=0,
    help="Higher is more varied.",
)
TOP_P = Field(name="top_p", kind=FieldKind.NUMBER, label="Top p", minimum=0, maximum=1)
STOP = Field(
    name="stop",
    kind=FieldKind.STRINGS,
    label="Stop sequences",
    aliases=("stop_sequences",),
    help="End before any of these.",
)
MAX_NEW_TOKENS = Field(
    name="max_new_tokens",
    kind=FieldKind.INTEGER,
    label="Max new tokens",
    aliases=("max_tokens",),
    minimum=1,
    placeholder="256",
)
DO_SAMPLE = Field(name="do_sample", kind=FieldKind.BOOLEAN, label="Sample")
REPETITION_PENALTY = Field(
    name="repetition_penalty", kind=FieldKind.NUMBER, label="Repetition penalty", minimum=0
)
GENERATION = (
    MAX_NEW_TOKENS,
    TEMPERATURE,
    TOP_P,
    SAMPLING_TOP_K,
    STOP,
    SEED,
    DO_SAMPLE,
    REPETITION_PENALTY,
)
MIN_LENGTH = Field(name="min_length", kind=FieldKind.INTEGER, label="Min length", minimum=0)
MAX_LENGTH = Field(name="max_length", kind=FieldKind.INTEGER, label="Max length", minimum=1)
NORMALIZE = Field(
    name="normalize", kind=FieldKind.BOOLEAN, label="Normalize", help="Vectors of length one."
)
TRUNCATE = Field(
    name="truncate", kind=FieldKind.BOOLEAN, label="Truncate", help="Cut texts that are too long."
)
IMAGE_SIZE = (
    Field(name="width", kind=FieldKind.INTEGER, label="Width", minimum=1),
    Field(name="height", kind=FieldKind.INTEGER, label="Height", minimum=1),
)
DIFFUSION = (
    Field(name="negative_prompt", kind=FieldKind.TEXT, label="Negative prompt"),
    Field(name="num_inference_steps", kind=FieldKind.INTEGER, label="Inference steps", minimum=1),
    Field(name="guidance_scale", kind=FieldKind.NUMBER, label="Guidance scale", minimum=0),
    *IMAGE_SIZE,
    SEED,
)
