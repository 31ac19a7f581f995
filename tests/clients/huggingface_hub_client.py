"""What huggingface_hub's InferenceClient does against a node; run in that package's environment."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient

URL, PICTURE, SOUND = sys.argv[1], sys.argv[2], sys.argv[3]
PNG, WAV = Path(PICTURE).read_bytes(), Path(SOUND).read_bytes()
SPEECH = [{"role": "user", "content": "How do I add a backend?"}]
SST = "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
TABLE = {"city": ["Oslo", "Lyon"], "people": ["700000", "520000"]}
IRIS = {name: ["5.1"] for name in ("a", "b", "c", "d")}


def at(model: str, task: str = "") -> str:
    """A model's URL."""
    return f"{URL}/models/{model}" + (f"/pipeline/{task}" if task else "")


def on(model: str, task: str = "") -> InferenceClient:
    """A client of one model."""
    return InferenceClient(model=at(model, task))


client = InferenceClient()
documents = InferenceClient(base_url=f"{URL}/v1")


def shape(array: Any) -> list[int]:
    return list(array.shape)


def picture(image: Any) -> list[object]:
    image.load()
    return [image.format, *image.size]


def streamed() -> list[str]:
    # A stream ends with its client, so that one must be kept.
    with on("openai-community/gpt2") as here:
        return list(here.text_generation("Once", stream=True, max_new_tokens=4))


def streamed_details() -> list[object]:
    with on("openai-community/gpt2") as here:
        *_, last = here.text_generation("Once", stream=True, details=True)
    return [last.generated_text, last.details and last.details.finish_reason]


def chatted(**more: Any) -> str:
    found = documents.chat_completion(SPEECH, **more)
    return found.choices[0].message.content


def chat_streamed() -> str:
    stream = documents.chat_completion(SPEECH, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


async def alongside() -> list[object]:
    async with AsyncInferenceClient(model=at("minilm")) as here:
        vector = await here.feature_extraction("a cat")
        story = [
            text
            async for text in await here.text_generation(
                "Once", stream=True, model=at("openai-community/gpt2")
            )
        ]
    return [shape(vector), "".join(story)]


def refusal(call: Callable[[], object]) -> list[object]:
    """How the client tells of a failure."""
    try:
        call()
    except Exception as error:  # noqa: BLE001
        response = getattr(error, "response", None)
        return [type(error).__name__, getattr(response, "status_code", None), str(error)]
    return ["nothing was refused"]


def by_file() -> object:
    return on("google/vit-base-patch16-224").image_classification(PICTURE)[0].label


def by_router_url() -> object:
    """The Hub's router, with only its host changed."""
    url = f"{URL}/hf-inference/models/{SST}"
    return client.text_classification("I love it", model=url)[0].label


CALLS: dict[str, Callable[[], object]] = {
    "feature_extraction": lambda: shape(on("minilm").feature_extraction("a cat")),
    "sentence_similarity": lambda: on("minilm").sentence_similarity(
        "a cat", other_sentences=["a kitten", "a tax form"]
    ),
    "text_classification": lambda: on("minilm", "text-classification").text_classification(
        "I love it", top_k=1
    ),
    "text_classification(…)": lambda: on(SST).text_classification("I love it"),
    "zero_shot_classification": lambda: client.zero_shot_classification(
        "I can't log in", ["access", "billing"], multi_label=False, model=at("minilm")
    ),
    "question_answering": lambda: on("minilm").question_answering(
        question="Where does she live?", context="She lives in Oslo."
    ),
    "tabular_classification": lambda: on("iris").tabular_classification(IRIS),
    "chat_completion": chatted,
    "chat_completion(model=…)": lambda: chatted(model="inferd-docs"),
    "chat_completion at /models/ID": lambda: (
        on("inferd-docs").chat_completion(SPEECH).choices[0].message.content
    ),
    "chat_completion(stream=True)": chat_streamed,
    "token_classification": lambda: on("dslim/bert-base-NER").token_classification(
        "My name is Sarah"
    ),
    "fill_mask": lambda: on("distilbert/distilroberta-base").fill_mask("Paris is the <mask>."),
    "summarization": lambda: (
        on("facebook/bart-large-cnn").summarization("A long text").summary_text
    ),
    "translation": lambda: on("google-t5/t5-small").translation(
        "Good morning", src_lang="en", tgt_lang="de"
    ),
    "table_question_answering": lambda: on(
        "google/tapas-base-finetuned-wtq"
    ).table_question_answering(TABLE, "How many people live in Oslo?"),
    "text_generation": lambda: on("openai-community/gpt2").text_generation(
        "Once", max_new_tokens=4, do_sample=False
    ),
    "text_generation(details=True)": lambda: (
        on("openai-community/gpt2").text_generation("Once", details=True).generated_text
    ),
    "text_generation(stream=True)": streamed,
    "text_generation(stream=True, details=True)": streamed_details,
    "image_classification": lambda: on("google/vit-base-patch16-224").image_classification(PNG),
    "image_classification(top_k=1)": lambda: on("google/vit-base-patch16-224").image_classification(
        PNG, top_k=1
    ),
    "image_classification(path)": by_file,
    "object_detection": lambda: on("facebook/detr-resnet-50").object_detection(PNG),
    "image_segmentation": lambda: [
        [found.label, *picture(found.mask)]
        for found in on("facebook/detr-resnet-50-panoptic").image_segmentation(PNG)
    ],
    "image_to_text": lambda: (
        on("Salesforce/blip-image-captioning-base").image_to_text(PNG).generated_text
    ),
    "zero_shot_image_classification": lambda: on(
        "openai/clip-vit-large-patch14"
    ).zero_shot_image_classification(PNG, ["a cat", "a dog"]),
    "visual_question_answering": lambda: on(
        "dandelin/vilt-b32-finetuned-vqa"
    ).visual_question_answering(PNG, "How wide?"),
    "document_question_answering": lambda: on(
        "impira/layoutlm-document-qa"
    ).document_question_answering(PNG, "How high?"),
    "text_to_image": lambda: picture(on("stabilityai/sdxl-turbo").text_to_image("A sea", width=16)),
    "image_to_image": lambda: picture(
        on("timbrooks/instruct-pix2pix").image_to_image(PNG, prompt="Make it night")
    ),
    "automatic_speech_recognition": lambda: (
        on("openai/whisper-tiny").automatic_speech_recognition(WAV).text
    ),
    "automatic_speech_recognition(extra_body=…)": lambda: (
        on("openai/whisper-tiny")
        .automatic_speech_recognition(WAV, extra_body={"return_timestamps": False})
        .text
    ),
    "audio_classification": lambda: on("superb/hubert-base-superb-er").audio_classification(WAV),
    "text_to_speech": lambda: [
        part.decode("latin-1")
        for part in (lambda wav: (wav[:4], wav[8:12]))(
            on("facebook/mms-tts-eng").text_to_speech("Hello")
        )
    ],
    "AsyncInferenceClient": lambda: asyncio.run(alongside()),
    "model=…/hf-inference/models/ID": by_router_url,
    "get_endpoint_info": lambda: InferenceClient(provider="hf-inference").get_endpoint_info(
        model=at("minilm")
    )["model_id"],
    "health_check": lambda: InferenceClient(provider="hf-inference").health_check(at("minilm")),
    "refused: unknown model": lambda: refusal(
        lambda: client.summarization("x", model=at("nobody/nothing", "summarization"))
    ),
    "refused: unclear task": lambda: refusal(
        lambda: client.image_classification(PNG, model=at("acme/echo"))
    ),
    "refused: no picture": lambda: refusal(
        lambda: on("google/vit-base-patch16-224").image_classification(b"\x89PNG nonsense")
    ),
    "refused: too long": lambda: refusal(
        lambda: on("google/vit-base-patch16-224").image_classification(PNG + bytes(70 << 20))
    ),
    "refused: too little": lambda: refusal(
        lambda: on("minilm").sentence_similarity("a cat", other_sentences=[])
    ),
}

found: dict[str, object] = {}
for name, call in CALLS.items():
    try:
        found[name] = {"value": call()}
    except Exception as error:  # noqa: BLE001
        found[name] = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(found))
