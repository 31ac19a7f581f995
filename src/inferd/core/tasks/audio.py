"""Tasks that take or give sound."""

from inferd.core.tasks import parameters as shared
from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Audio"
LABELS = "[{label, score}]"

TASKS = (
    Task(
        name="automatic-speech-recognition",
        category=CATEGORY,
        label="Speech recognition",
        description="Write down what is said.",
        aliases=("audio-transcription", "asr"),
        files=(shared.AUDIO,),
        parameters=(
            Field(
                name="return_timestamps",
                kind=FieldKind.JSON,
                label="Timestamps",
                help="true, or `word`.",
            ),
            Field(name="language", kind=FieldKind.STRING, label="Language", placeholder="en"),
        ),
        output=Output.TEXT,
        gives="{text}",
        text_key="text",
    ),
    Task(
        name="audio-classification",
        category=CATEGORY,
        label="Audio classification",
        description="Say what a recording holds.",
        files=(shared.AUDIO,),
        parameters=(shared.TOP_K,),
        output=Output.LABELS,
        gives=LABELS,
    ),
    Task(
        name="zero-shot-audio-classification",
        category=CATEGORY,
        label="Zero-shot audio classification",
        description="Sort a recording into classes that you name.",
        inputs=(shared.candidate_labels("speech", "music"),),
        files=(shared.AUDIO,),
        parameters=(shared.HYPOTHESIS,),
        output=Output.LABELS,
        gives=LABELS,
    ),
    Task(
        name="text-to-speech",
        category=CATEGORY,
        label="Text to speech",
        description="Say a text aloud.",
        inputs=(
            Field(
                name="tts_text",
                kind=FieldKind.TEXT,
                label="Text",
                required=True,
                aliases=("prompt", "inputs", "text", "input"),
                example="Hello there.",
            ),
        ),
        parameters=(
            Field(name="voice", kind=FieldKind.STRING, label="Voice"),
            Field(name="speed", kind=FieldKind.NUMBER, label="Speed", minimum=0),
        ),
        output=Output.AUDIO,
        gives="a WAV sound",
    ),
    Task(
        name="text-to-audio",
        category=CATEGORY,
        label="Text to audio",
        description="Make the sound or music that a text describes.",
        inputs=(
            Field(
                name="tta_prompt",
                kind=FieldKind.TEXT,
                label="Prompt",
                required=True,
                aliases=("prompt", "inputs", "text"),
                example="Rain on a tin roof",
            ),
        ),
        parameters=(
            Field(name="duration", kind=FieldKind.NUMBER, label="Length in seconds", minimum=0),
            shared.SEED,
        ),
        output=Output.AUDIO,
        gives="a WAV sound",
    ),
)
