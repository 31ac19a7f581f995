"""A provider's own words, and where its results are fetched from."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Mapping

import pytest

from inferd.core.content import BytesFile
from inferd.core.errors import BackendFailed
from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from inferd.wire.hf_inference_providers import WAYS
from tests.backends.fake_hub import PNG, WAV, FakeHub, row
from tests.backends.fakes import SECRET
from tests.backends.hub_requests import ANY, ask, folded
from tests.backends.subjects import Subject, hub
from tests.http1.upstream import BOUND


@pytest.fixture
def upstream() -> FakeHub:
    return FakeHub()


@pytest.fixture
async def subject(upstream: FakeHub) -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), hub(upstream) as subject:
        yield subject


B64 = {"data": [{"b64_json": base64.b64encode(PNG).decode()}]}
VECTORS = {"data": [{"index": 0, "embedding": [1.0, 2.0]}], "usage": {"prompt_tokens": 3}}
TEXT = {"choices": [{"text": "hi", "finish_reason": "length"}], "usage": {"prompt_tokens": 2}}
IMAGE_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
SOUND_URL = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
FAL_SOUND_URL = SOUND_URL.replace("audio/wav", "audio/x-wav")
SIZED: dict[str, object] = {"width": 8, "height": 9, "num_inference_steps": 4}

Case = tuple[str, str, dict[str, object], dict[str, object], object]

CASES: Mapping[tuple[str, str], Case] = {
    **{
        (name, "text-generation"): (
            path,
            "t/m",
            {"max_new_tokens": 5, "do_sample": False},
            {"prompt": "x", "model": "t/m", "max_tokens": 5, "temperature": 0},
            TEXT,
        )
        for name, path in (
            ("together", "/together/v1/completions"),
            ("novita", "/novita/v3/openai/completions"),
            ("featherless-ai", "/featherless-ai/v1/completions"),
            ("deepinfra", "/deepinfra/v1/openai/completions"),
        )
    },
    **{
        (name, "feature-extraction"): (
            path, "t/m", {"dimensions": 2}, {"input": "x", "model": "t/m", "dimensions": 2}, VECTORS
        )
        for name, path in (
            ("together", "/together/v1/embeddings"),
            ("scaleway", "/scaleway/v1/embeddings"),
            ("deepinfra", "/deepinfra/v1/openai/embeddings"),
        )
    },
    ("together", "text-to-image"): (
        "/together/v1/images/generations", "t/m", SIZED,
        {"prompt": "x", "model": "t/m", "response_format": "base64", "steps": 4, "width": 8,
         "height": 9},
        B64,
    ),
    ("together", "image-to-image"): (
        "/together/v1/images/generations", "flux.1-kontext", {"image_url": "http://evil"},
        {"prompt": "x", "model": "flux.1-kontext", "response_format": "base64",
         "image_url": IMAGE_URL},
        B64,
    ),
    ("nscale", "text-to-image"): (
        "/nscale/v1/images/generations", "t/m", SIZED,
        {"prompt": "x", "model": "t/m", "response_format": "b64_json", "size": "8x9"},
        B64,
    ),
    ("fal-ai", "text-to-image"): (
        "/fal-ai/fal-ai/flux", "fal-ai/flux", SIZED,
        {"prompt": "x", "sync_mode": True, "image_size": {"width": 8, "height": 9},
         "num_inference_steps": 4},
        {"images": [{"url": IMAGE_URL}]},
    ),
    ("replicate", "text-to-image"): (
        "/replicate/v1/models/bf/flux/predictions", "bf/flux", {"seed": 1},
        {"input": {"prompt": "x", "seed": 1}},
        {"output": [IMAGE_URL]},
    ),
    ("together", "text-to-speech"): (
        "/together/v1/audio/speech", "t/m", {"voice": "v"},
        {"input": "x", "model": "t/m", "voice": "v"}, WAV,
    ),
    ("deepinfra", "text-to-speech"): (
        "/deepinfra/v1/openai/audio/speech", "t/m", {}, {"input": "x", "model": "t/m"}, WAV,
    ),
    ("fal-ai", "text-to-speech"): (
        "/fal-ai/fal/tts", "fal/tts", {}, {"text": "x"}, {"audio": {"url": SOUND_URL}},
    ),
    ("replicate", "text-to-speech"): (
        "/replicate/v1/predictions", "a/b:v1", {}, {"input": {"text": "x"}, "version": "v1"},
        {"output": SOUND_URL},
    ),
    ("fal-ai", "automatic-speech-recognition"): (
        "/fal-ai/fal/asr", "fal/asr", {"language": "en"},
        {"audio_url": FAL_SOUND_URL, "language": "en"}, {"text": "hi"},
    ),
    ("replicate", "automatic-speech-recognition"): (
        "/replicate/v1/models/a/b/predictions", "a/b", {"audio": "http://evil"},
        {"input": {"audio": SOUND_URL}}, {"output": {"transcription": "hi"}},
    ),
}  # fmt: skip


def test_every_way_is_tried() -> None:
    assert CASES.keys() == WAYS.keys()


def asked_of(name: str, task: str, parameters: dict[str, object]) -> InferenceRequest:
    kind = WAYS[name, task].file
    files = (BytesFile(kind, {"image": PNG, "audio": WAV}[kind]),) if kind else ()
    main = "tts_text" if task == "text-to-speech" else "prompt"
    return InferenceRequest(
        id="r", task=task, model=f"{ANY}:{name}", inputs={main: "x"}, files=files,
        parameters=parameters,
    )  # fmt: skip


def check_result(task: str, result: Result) -> None:
    match task:
        case "text-generation":
            assert (result.text, result.finish.reason, result.usage.input_tokens) == (
                "hi", "length", 2,
            )  # fmt: skip
        case "feature-extraction":
            assert result.embeddings is not None
            assert result.embeddings.dimension == 2
        case "automatic-speech-recognition":
            assert result.text == "hi"
        case _:
            expected = (WAV, "audio/wav") if task == "text-to-speech" else (PNG, "image/png")
            assert result.media is not None
            assert (result.media.data, result.media.content_type) == expected


@pytest.mark.parametrize("way", sorted(CASES))
async def test_a_provider_is_asked_in_its_own_words(
    upstream: FakeHub, subject: Subject, way: tuple[str, str]
) -> None:
    name, task = way
    path, provider_id, parameters, expected, answer = CASES[way]
    upstream.mappings[ANY] = {name: row(task, provider_id)}
    upstream.answer(path, answer, "audio/wav" if answer is WAV else "application/json")
    check_result(task, await folded(subject, asked_of(name, task, parameters)))
    (sent,) = upstream.asked
    assert sent.path == f"/router{path}"
    assert json.loads(sent.body) == expected
    assert ("prefer" in sent.headers) == (name == "replicate")


@pytest.mark.parametrize("way", sorted(CASES))
@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"data": [{}], "choices": 1, "output": 7}', b"x"])
async def test_a_provider_that_talks_nonsense_failed(
    upstream: FakeHub, subject: Subject, way: tuple[str, str], body: bytes
) -> None:
    name, task = way
    path, provider_id, parameters, _, _ = CASES[way]
    upstream.mappings[ANY] = {name: row(task, provider_id)}
    upstream.answer(path, body)
    with pytest.raises(BackendFailed):
        await folded(subject, asked_of(name, task, parameters))


async def test_a_completion_streams(upstream: FakeHub, subject: Subject) -> None:
    upstream.mappings[ANY] = {"together": row("text-generation")}
    rows = [{"choices": [{"text": text}]} for text in ("a", "b")]
    rows.append({"choices": [{"text": "", "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in rows) + "data: [DONE]\n\n"
    upstream.answer("/together/v1/completions", body.encode(), "text/event-stream")
    request = InferenceRequest(
        id="r", task="text-generation", model=ANY, inputs={"prompt": "x"}, stream=True,
        parameters={"return_full_text": True},
    )  # fmt: skip
    assert (await folded(subject, request)).text == "xab"
    assert json.loads(upstream.asked[0].body)["stream"] is True


async def test_what_a_provider_has_no_place_for_is_owned_up_to(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.mappings[ANY] = {"nscale": row("text-to-image")}
    upstream.answer("/nscale/v1/images/generations", B64)
    answer = await subject.backend.infer(asked_of("nscale", "text-to-image", SIZED))
    answer.close()
    said = "ignored: num_inference_steps (nscale has no such setting)"
    assert answer.served.warnings == (said,)


async def test_an_adapters_weights_are_named(upstream: FakeHub, subject: Subject) -> None:
    more = {"adapterWeightsPath": "lora.safetensors"}
    upstream.mappings[ANY] = {"fal-ai": row("text-to-image", "fal-ai/lora", **more)}
    upstream.answer("/fal-ai/fal-ai/lora", {"images": [{"url": IMAGE_URL}]})
    await folded(subject, ask("text-to-image", model=ANY, prompt="x"))
    path = f"https://huggingface.co/{ANY}/resolve/main/lora.safetensors"
    assert json.loads(upstream.asked[0].body)["loras"] == [{"path": path, "scale": 1}]


# Results that lie elsewhere


async def drawn(upstream: FakeHub, subject: Subject, url: str) -> Result:
    upstream.mappings[ANY] = {"fal-ai": row("text-to-image", "flux")}
    upstream.answer("/fal-ai/flux", {"images": [{"url": url}]})
    return await folded(subject, ask("text-to-image", model=ANY, prompt="x"))


async def test_a_result_is_fetched_without_our_token(upstream: FakeHub, subject: Subject) -> None:
    upstream.answer("/files/a.png?sign=1", PNG, "image/png")
    result = await drawn(upstream, subject, f"{upstream.server.url}/files/a.png?sign=1")
    assert result.media is not None
    assert result.media.data == PNG
    fetched = upstream.received[-1]
    assert "authorization" not in fetched.headers
    assert SECRET not in str(fetched)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.png",
        "https://fal.media.evil.example/a.png",
        "https://evilfal.media/a.png",
        "http://fal.media/a.png",
        "http://127.0.0.1:1/a.png",
        "https://169.254.169.254/latest",
        "https://user:pw@fal.media/a.png",
        "file:///etc/passwd",
        "https://replicate.delivery/a.png",
        "https://[::1/a",
        "https://fal.media/a b",
    ],
)
async def test_nothing_is_fetched_from_anywhere_else(
    upstream: FakeHub, subject: Subject, url: str
) -> None:
    with pytest.raises(BackendFailed):
        await drawn(upstream, subject, url)
    assert not any(request.path.startswith("/files/") for request in upstream.received)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("text/html", b"<html>gone</html>"), ("audio/wav", WAV), ("image/svg+xml", b"<svg/>")],
)
async def test_what_is_fetched_must_be_a_picture(
    upstream: FakeHub, subject: Subject, content_type: str, body: bytes
) -> None:
    upstream.answer("/files/a.png", body, content_type)
    with pytest.raises(BackendFailed):
        await drawn(upstream, subject, f"{upstream.server.url}/files/a.png")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<script>alert(1)</script>"),
        ("image/svg+xml", b"<svg onload='alert(1)'/>"),
        ("image/png\r\nx: y", b"picture"),
        ("image/", b"picture"),
        ("", b"picture"),
        ("image/png", WAV),
        ("audio/wav", WAV),
    ],
)
async def test_what_comes_along_must_be_a_picture(
    upstream: FakeHub, subject: Subject, content_type: str, body: bytes
) -> None:
    with pytest.raises(BackendFailed):
        await drawn(
            upstream, subject, f"data:{content_type};base64,{base64.b64encode(body).decode()}"
        )


async def test_a_sound_in_a_container_of_films_is_a_sound(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.mappings[ANY] = {"fal-ai": row("text-to-speech", "tts")}
    packed = base64.b64encode(b"\x1aE\xdf\xa3 sound").decode()
    upstream.answer("/fal-ai/tts", {"audio": {"url": f"data:audio/webm;base64,{packed}"}})
    result = await folded(subject, ask("text-to-speech", model=ANY, tts_text="x"))
    assert result.media is not None
    assert result.media.content_type == "audio/webm"


async def test_a_result_that_is_gone_is_a_failure(upstream: FakeHub, subject: Subject) -> None:
    with pytest.raises(BackendFailed, match="isn't there"):
        await drawn(upstream, subject, f"{upstream.server.url}/files/none.png")


async def test_replicate_says_that_it_failed(upstream: FakeHub, subject: Subject) -> None:
    upstream.mappings[ANY] = {"replicate": row("text-to-image", "a/b")}
    upstream.answer("/replicate/v1/models/a/b/predictions", {"error": "NSFW", "output": None})
    with pytest.raises(BackendFailed, match="replicate failed: NSFW"):
        await folded(subject, ask("text-to-image", model=ANY, prompt="x"))
    upstream.answer("/replicate/v1/models/a/b/predictions", {"output": None})
    with pytest.raises(BackendFailed, match="within a minute"):
        await folded(subject, ask("text-to-image", model=ANY, prompt="x"))
