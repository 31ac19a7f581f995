"""Tasks that take or give images, or take films."""

from inferd.core.tasks import parameters as shared
from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Vision"
MULTIMODAL = "Multimodal"
LABELS = "[{label, score}]"
BOXES = "[{label, score, box: {xmin, ymin, xmax, ymax}}]"
MASKS = "{masks: [{score, label, mask_base64}]}"

_QUESTION = Field(
    name="question",
    kind=FieldKind.TEXT,
    label="Question",
    required=True,
    aliases=("prompt", "text"),
    example="What is on the table?",
)

_MULTIMODAL = (
    Task(
        name="image-text-to-text",
        category=MULTIMODAL,
        label="Image and text to text",
        description="Answer a prompt about an image.",
        inputs=(shared.prompt("Prompt", example="Describe this image."),),
        files=(shared.IMAGE,),
        parameters=shared.GENERATION,
        output=Output.TEXT,
        gives="{generated_text}",
        text_key="generated_text",
        streams=True,
    ),
    Task(
        name="visual-question-answering",
        category=MULTIMODAL,
        label="Visual question answering",
        description="Answer a question about an image.",
        aliases=("vqa",),
        inputs=(_QUESTION,),
        files=(shared.IMAGE,),
        parameters=(shared.TOP_K,),
        output=Output.ANSWER,
        gives="[{answer, score}]",
    ),
    Task(
        name="document-question-answering",
        category=MULTIMODAL,
        label="Document question answering",
        description="Answer a question about a scanned page.",
        inputs=(_QUESTION,),
        files=(shared.IMAGE,),
        parameters=(
            shared.TOP_K,
            Field(name="lang", kind=FieldKind.STRING, label="Language"),
        ),
        output=Output.ANSWER,
        gives="[{answer, score, start, end}]",
    ),
)

_MAKING = (
    Task(
        name="text-to-image",
        category=CATEGORY,
        label="Text to image",
        description="Draw what a text says.",
        aliases=("image-generation",),
        inputs=(shared.prompt("Prompt", example="A lighthouse at dawn, watercolour"),),
        parameters=shared.DIFFUSION,
        output=Output.IMAGE,
        gives="a PNG image",
    ),
    Task(
        name="image-to-image",
        category=CATEGORY,
        label="Image to image",
        description="Change an image as a text says.",
        inputs=(shared.prompt("Prompt", required=False, example="Make it night"),),
        files=(shared.IMAGE,),
        parameters=(
            Field(name="strength", kind=FieldKind.NUMBER, label="Strength", minimum=0, maximum=1),
            *shared.DIFFUSION,
        ),
        output=Output.IMAGE,
        gives="a PNG image",
    ),
    Task(
        name="depth-estimation",
        category=CATEGORY,
        label="Depth estimation",
        description="Say how far away each pixel is.",
        files=(shared.IMAGE,),
        output=Output.IMAGE,
        gives="a PNG image",
    ),
    Task(
        name="image-segmentation",
        category=CATEGORY,
        label="Image segmentation",
        description="Outline what is in an image.",
        files=(shared.IMAGE,),
        parameters=(
            shared.THRESHOLD,
            Field(
                name="mask_threshold",
                kind=FieldKind.NUMBER,
                label="Mask threshold",
                minimum=0,
                maximum=1,
            ),
            Field(
                name="subtask",
                kind=FieldKind.STRING,
                label="Kind of segmentation",
                choices=("instance", "panoptic", "semantic"),
            ),
        ),
        output=Output.MASKS,
        gives=MASKS,
    ),
    Task(
        name="mask-generation",
        category=CATEGORY,
        label="Mask generation",
        description="Outline every object, without naming it.",
        files=(shared.IMAGE,),
        parameters=(
            Field(name="points_per_batch", kind=FieldKind.INTEGER, label="Points", minimum=1),
        ),
        output=Output.MASKS,
        gives=MASKS,
    ),
)

_READING = (
    Task(
        name="image-to-text",
        category=CATEGORY,
        label="Image to text",
        description="Describe an image, or read what it says.",
        files=(shared.IMAGE,),
        parameters=(shared.MAX_NEW_TOKENS,),
        output=Output.TEXT,
        gives="{generated_text}",
        text_key="generated_text",
    ),
    Task(
        name="image-classification",
        category=CATEGORY,
        label="Image classification",
        description="Say what an image shows.",
        files=(shared.IMAGE,),
        parameters=(shared.TOP_K,),
        output=Output.LABELS,
        gives=LABELS,
    ),
    Task(
        name="zero-shot-image-classification",
        category=CATEGORY,
        label="Zero-shot image classification",
        description="Sort an image into classes that you name.",
        inputs=(shared.candidate_labels("cat", "dog"),),
        files=(shared.IMAGE,),
        parameters=(shared.HYPOTHESIS,),
        output=Output.LABELS,
        gives=LABELS,
    ),
    Task(
        name="object-detection",
        category=CATEGORY,
        label="Object detection",
        description="Find things in an image.",
        files=(shared.IMAGE,),
        parameters=(shared.THRESHOLD,),
        output=Output.BOXES,
        gives=BOXES,
    ),
    Task(
        name="zero-shot-object-detection",
        category=CATEGORY,
        label="Zero-shot object detection",
        description="Find things that you name in an image.",
        inputs=(shared.candidate_labels("cat", "dog"),),
        files=(shared.IMAGE,),
        parameters=(shared.THRESHOLD, shared.TOP_K),
        output=Output.BOXES,
        gives=BOXES,
    ),
    Task(
        name="image-feature-extraction",
        category=CATEGORY,
        label="Image feature extraction",
        description="Turn an image into a vector.",
        files=(shared.IMAGE,),
        parameters=(
            Field(name="pool", kind=FieldKind.BOOLEAN, label="One vector for the whole image"),
        ),
        output=Output.EMBEDDING,
        gives="{embedding: [...]}",
    ),
    Task(
        name="video-classification",
        category=CATEGORY,
        label="Video classification",
        description="Say what happens in a film.",
        files=(shared.VIDEO,),
        parameters=(
            shared.TOP_K,
            Field(name="num_frames", kind=FieldKind.INTEGER, label="Frames", minimum=1),
            Field(
                name="frame_sampling_rate",
                kind=FieldKind.INTEGER,
                label="Every nth frame",
                minimum=1,
            ),
        ),
        output=Output.LABELS,
        gives=LABELS,
    ),
)

TASKS = (*_MULTIMODAL, *_MAKING, *_READING)
