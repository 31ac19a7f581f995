# pyright: basic, reportMissingImports=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportPossiblyUnboundVariable=false
"""What huggingface_hub would send to the router, as JSON; run in that package's environment."""

import base64
import json
import sys
from collections.abc import Callable
from typing import Any

import huggingface_hub.inference._providers as providers
from huggingface_hub import InferenceClient
from huggingface_hub.hf_api import InferenceProviderMapping
from huggingface_hub.inference._providers import _common, hf_inference

PNG, WAV = (base64.b64decode(packed) for packed in sys.argv[1:3])
ROUTER = "https://router.huggingface.co"
MODEL = "acme/any"
IDS = {"fal-ai": "fal-ai/flux", "replicate": "a/b"}
LABELS = ["a", "b"]
SIZED = {"width": 8, "height": 9}

OWN: dict[str, Callable[[InferenceClient], object]] = {
    "text-classification": lambda c: c.text_classification("x", top_k=2),
    "zero-shot-classification": lambda c: c.zero_shot_classification("x", LABELS, multi_label=True),
    "token-classification": lambda c: c.token_classification("x", aggregation_strategy="simple"),
    "question-answering": lambda c: c.question_answering("q", "c", top_k=1),
    "table-question-answering": lambda c: c.table_question_answering({"city": ["Oslo"]}, "q"),
    "fill-mask": lambda c: c.fill_mask("a [MASK]", top_k=2),
    "summarization": lambda c: c.summarization("x", generate_parameters={"max_length": 9}),
    "translation": lambda c: c.translation("x", src_lang="en", tgt_lang="fr"),
    "sentence-similarity": lambda c: c.sentence_similarity("x", ["a"]),
    "feature-extraction": lambda c: c.feature_extraction("x", normalize=True),
    "text-generation": lambda c: c.text_generation("x", max_new_tokens=5),
    "text-to-image": lambda c: c.text_to_image("x", **SIZED),
    "text-to-speech": lambda c: c.text_to_speech("x"),
    "image-classification": lambda c: c.image_classification(PNG),
    "object-detection": lambda c: c.object_detection(PNG, threshold=0.5),
    "image-segmentation": lambda c: c.image_segmentation(PNG, threshold=0.5),
    "image-to-text": lambda c: c.image_to_text(PNG),
    "image-to-image": lambda c: c.image_to_image(PNG, prompt="x"),
    "zero-shot-image-classification": lambda c: c.zero_shot_image_classification(PNG, LABELS),
    "document-question-answering": lambda c: c.document_question_answering(PNG, "q", top_k=1),
    "audio-classification": lambda c: c.audio_classification(WAV),
    "automatic-speech-recognition": lambda c: c.automatic_speech_recognition(WAV),
}
OTHERS: dict[str, Callable[[InferenceClient], object]] = {
    "text-generation": lambda c: c.text_generation("x", seed=5),
    "feature-extraction": lambda c: c.feature_extraction("x", dimensions=2),
    "text-to-image": lambda c: c.text_to_image("x", **SIZED),
    "text-to-speech": lambda c: c.text_to_speech("x", extra_body={"voice": "v"}),
    "automatic-speech-recognition": lambda c: c.automatic_speech_recognition(WAV),
}


class Caught(Exception):
    """A request that was made and isn't sent."""


def caught(provider: str, task: str, call: Callable[[InferenceClient], object]) -> object:
    """Return the path and the body that the client makes of a call."""
    mapping = InferenceProviderMapping(
        provider=provider,
        hf_model_id=MODEL,
        providerId=IDS.get(provider, "t/m"),
        status="live",
        task=task,
    )
    for module in (_common, providers):
        setattr(module, "_fetch_inference_provider_mapping", lambda _: [mapping])  # noqa: B010
    client = InferenceClient(MODEL, provider=provider, api_key="hf_x")

    def catch(request: Any, **_: object) -> None:
        raise Caught(request)

    client._inner_post = catch
    try:
        call(client)
    except Caught as made:
        request: Any = made.args[0]
    body = request.json
    if body is None and request.headers.get("content-type") == "application/json":
        body = json.loads(bytes(request.data))
    elif body is None:
        body = base64.b64encode(request.data).decode()
    return [request.url.removeprefix(ROUTER), body]


hf_inference._check_supported_task = lambda *_: None
said: dict[str, object] = {}
for task, call in OWN.items():
    said[f"hf-inference {task}"] = caught("hf-inference", task, call)
for asked in sys.argv[3:]:
    provider, task = asked.split()
    said[asked] = caught(provider, task, OTHERS[task])
print(json.dumps(said))
