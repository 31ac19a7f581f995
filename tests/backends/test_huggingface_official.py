"""What we send to the router beside what huggingface_hub sends there, body for body."""

import base64
import json
from contextlib import suppress
from pathlib import Path

import pytest

from inferd.core.content import BytesFile
from inferd.core.errors import NodeError
from inferd.core.request import InferenceRequest
from inferd.wire.hf_inference import file_field
from inferd.wire.hf_inference_providers import WAYS
from tests.backends.fake_hub import PNG, WAV, FakeHub, row
from tests.backends.hub_requests import ANY
from tests.backends.subjects import hub
from tests.clients.environments import python_with, run

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

PROGRAM = Path(__file__).with_name("official_requests.py")
IDS = {"fal-ai": "fal-ai/flux", "replicate": "a/b"}
X: dict[str, object] = {"prompt": "x"}
SPOKEN: dict[str, object] = {"tts_text": "x"}
SIZED: dict[str, object] = {"width": 8, "height": 9}
LABELS: dict[str, object] = {"candidate_labels": ["a", "b"]}

Given = tuple[dict[str, object], dict[str, object]]

OWN: dict[str, Given] = {
    "text-classification": (X, {"top_k": 2}),
    "zero-shot-classification": ({**X, **LABELS}, {"multi_label": True}),
    "token-classification": (X, {"aggregation_strategy": "simple"}),
    "question-answering": ({"qa_question": "q", "qa_context": "c"}, {"top_k": 1}),
    "table-question-answering": ({"table": [["city"], ["Oslo"]], "table_query": "q"}, {}),
    "fill-mask": ({"mask_sentence": "a [MASK]"}, {"top_k": 2}),
    "summarization": (X, {"max_length": 9}),
    "translation": ({**X, "src_lang": "en", "tgt_lang": "fr"}, {}),
    "sentence-similarity": ({"source_sentence": "x", "sentences": ["a"]}, {}),
    "feature-extraction": (X, {"normalize": True}),
    "text-generation": (X, {"max_new_tokens": 5}),
    "text-to-image": (X, SIZED),
    "text-to-speech": (SPOKEN, {}),
    "image-classification": ({}, {}),
    "object-detection": ({}, {"threshold": 0.5}),
    "image-segmentation": ({}, {"threshold": 0.5}),
    "image-to-text": ({}, {}),
    "image-to-image": (X, {}),
    "zero-shot-image-classification": (LABELS, {}),
    "document-question-answering": ({"question": "q"}, {"top_k": 1}),
    "audio-classification": ({}, {}),
    "automatic-speech-recognition": ({}, {}),
}
OTHERS: dict[str, Given] = {
    "text-generation": (X, {"seed": 5}),
    "feature-extraction": (X, {"dimensions": 2}),
    "text-to-image": (X, SIZED),
    "text-to-speech": (SPOKEN, {"voice": "v"}),
    "automatic-speech-recognition": ({}, {}),
}
# What it calls a sound without looking, and what has the picture come with the answer.
OURS_ALONE = {
    "fal-ai text-to-image": {"sync_mode": True},
    "fal-ai automatic-speech-recognition": {
        "audio_url": f"data:audio/x-wav;base64,{base64.b64encode(WAV).decode()}"
    },
}


async def sent(provider: str, task: str) -> object:
    """Return the path and the body that we make of a request."""
    upstream = FakeHub()
    upstream.mappings[ANY] = {provider: row(task, IDS.get(provider, "t/m"))}
    inputs, parameters = OWN[task] if provider == "hf-inference" else OTHERS[task]
    field = file_field(task)
    files = (BytesFile(field, {"image": PNG, "audio": WAV}[field]),) if field else ()
    async with hub(upstream) as subject:
        with suppress(NodeError):
            answer = await subject.backend.infer(
                InferenceRequest(
                    id="r", task=task, model=f"{ANY}:{provider}", inputs=inputs,
                    parameters=parameters, files=files,
                )
            )  # fmt: skip
            answer.close()
    (request,) = upstream.asked
    is_json = request.headers["content-type"] == "application/json"
    body = json.loads(request.body) if is_json else base64.b64encode(request.body).decode()
    return [request.path.removeprefix("/router"), body]


def plain(request: object) -> object:
    """Leave out what says nothing: nulls, empty parameters, and the model's name among them."""
    assert isinstance(request, list)
    path, body = request
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if value is not None}
        if body.get("parameters") in ({}, {"model": ANY}):
            del body["parameters"]
    return [path, body]


async def test_the_router_is_asked_as_its_own_client_asks_it() -> None:
    ways = [f"{name} {task}" for name, task in sorted(WAYS) if task in OTHERS]
    packed = [base64.b64encode(data).decode() for data in (PNG, WAV)]
    said = json.loads(run(python_with("huggingface_hub"), PROGRAM, *packed, *ways))
    assert len(said) == len(OWN) + len(ways)
    for asked, theirs in said.items():
        path, body = theirs
        if more := OURS_ALONE.get(asked):
            theirs = [path, {**body, **more}]
        provider, task = asked.split()
        assert (asked, plain(await sent(provider, task))) == (asked, plain(theirs))
