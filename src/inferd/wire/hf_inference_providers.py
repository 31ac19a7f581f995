"""The Hub's inference providers: who serves a model, and the wires of those that have their own."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping

import msgspec

from inferd.core.errors import BackendFailed
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, Media, TextDelta, Usage
from inferd.core.tasks import task_named
from inferd.wire import file_kinds, json, openai_embeddings, openai_usage
from inferd.wire.failures import shortened
from inferd.wire.hf_inference_requests import Asked
from inferd.wire.hf_inference_results import decode_result, is_result_type

_ID = re.compile(r"[A-Za-z0-9_][\w.:-]*(/[A-Za-z0-9_][\w.:-]*){0,7}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MOST = 64
_FILE = "<file>"


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of a model: its name, the model's name there, what it does, how it is."""

    name: str
    id: str
    task: str
    status: str = "live"
    """`live`, `staging` (for tests only) or `error` (its last check failed)."""
    weights: str = ""
    """Of an adapter: where its weights are."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is asked, and its name for the model; `file_type` is the file's, if any."""

    request: InferenceRequest
    provider: Provider
    model: str
    """The model's id on the Hub."""
    file_type: str = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A result that lies elsewhere, to be fetched without our credential."""

    url: str


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How one provider is asked for one task. `{id}` in `path` is its name for the model."""

    path: str
    encode: Callable[[Ask], dict[str, object]]
    decode: Callable[[str, str, bytes], list[Chunk] | Link]
    headers: tuple[tuple[str, str], ...] = ()
    file: str = ""
    streams: bool = False
    ignores: tuple[str, ...] = ()
    """Parameters that it has no place for: the answer says so."""


def decode_providers(body: bytes) -> tuple[Provider, ...]:
    """Read who serves a model, in the account's order of preference.

    Raises:
        BackendFailed: It isn't what the Hub says of a model.
    """
    mapping = json.answer_object(body).get("inferenceProviderMapping")
    if isinstance(mapping, dict):
        rows: list[object] = [
            {**json.object_of(row), "provider": name} for name, row in mapping.items()
        ]
    elif mapping is None or isinstance(mapping, list):
        rows = json.list_of(mapping)
    else:
        raise BackendFailed("the Hub's list of a model's providers has another shape")
    found = [_provider(json.object_of(row)) for row in rows[:_MOST]]
    return tuple(provider for provider in found if provider is not None)


def _provider(row: Mapping[str, object]) -> Provider | None:
    texts = (row.get(name) for name in ("provider", "providerId", "task", "status"))
    name, own_id, task, status = (text if isinstance(text, str) else "" for text in texts)
    # What becomes part of an address must not be able to change it.
    if not _NAME.fullmatch(name) or not _ID.fullmatch(own_id) or not task:
        return None
    weights = row.get("adapterWeightsPath")
    return Provider(
        name=name,
        id=own_id,
        task=task,
        status=status or "live",
        weights=weights if isinstance(weights, str) else "",
    )


def encode_ask(way: Way, ask: Ask) -> Asked:
    """Return the body that asks a provider."""
    body = json.encode(way.encode(ask))
    if not way.file:
        return Asked(head=body)
    head, _, tail = body.partition(_FILE.encode())
    return Asked(head=head, file=way.file, tail=tail)


# Requests


def _data_url(ask: Ask) -> str:
    return f"data:{ask.file_type};base64,{_FILE}"


def _prompt(ask: Ask) -> object:
    inputs = ask.request.inputs
    return inputs.get("prompt", inputs.get("tts_text"))


def _renamed(ask: Ask, **names: str) -> dict[str, object]:
    """Return the request's parameters, some under another name."""
    return {names.get(name, name): value for name, value in ask.request.parameters.items()}


def _completion(ask: Ask) -> dict[str, object]:
    parameters = _renamed(ask, max_new_tokens="max_tokens")
    parameters.pop("return_full_text", None)
    if parameters.pop("do_sample", None) is False:
        parameters["temperature"] = 0
    if ask.request.stream:
        parameters["stream"] = True
    return {**parameters, "prompt": _prompt(ask), "model": ask.provider.id}


def _input(ask: Ask) -> dict[str, object]:
    return {**ask.request.parameters, "input": _prompt(ask), "model": ask.provider.id}


def _together_image(ask: Ask) -> dict[str, object]:
    parameters = _renamed(ask, num_inference_steps="steps")
    common = {"prompt": _prompt(ask) or "", "model": ask.provider.id, "response_format": "base64"}
    if not ask.file_type:
        return {**parameters, **common}
    lowered = ask.provider.id.lower()
    # Only these take one picture by an address; the others take a list of them.
    is_kontext = "kontext" in lowered and "flux.1" in lowered
    url = _data_url(ask)
    image: dict[str, object] = {"image_url": url} if is_kontext else {"reference_images": [url]}
    return _with({**image, **common}, parameters)


_NSCALE_LACKS = ("num_inference_steps", "guidance_scale")


def _nscale_image(ask: Ask) -> dict[str, object]:
    parameters = {
        name: value for name, value in ask.request.parameters.items() if name not in _NSCALE_LACKS
    }
    if "width" in parameters and "height" in parameters:
        parameters["size"] = f"{parameters.pop('width')}x{parameters.pop('height')}"
    return {
        **parameters,
        "prompt": _prompt(ask),
        "model": ask.provider.id,
        "response_format": "b64_json",
    }


def _fal_image(ask: Ask) -> dict[str, object]:
    body = dict(ask.request.parameters)
    if "width" in body and "height" in body:
        body["image_size"] = {"width": body.pop("width"), "height": body.pop("height")}
    if ask.provider.weights:
        path = f"https://huggingface.co/{ask.model}/resolve/main/{ask.provider.weights}"
        body["loras"] = [{"path": path, "scale": 1}]
        if ask.provider.id == "fal-ai/lora":
            body["model_name"] = "stabilityai/stable-diffusion-xl-base-1.0"
    # The picture comes with the answer then, not as an address.
    return {**body, "prompt": _prompt(ask), "sync_mode": True}


def _fal_speech(ask: Ask) -> dict[str, object]:
    return {**ask.request.parameters, "text": _prompt(ask)}


_FAL_TYPES = {"audio/wav": "audio/x-wav", "audio/webm": "video/webm"}


def _fal_audio(ask: Ask) -> dict[str, object]:
    known = _FAL_TYPES.get(ask.file_type, ask.file_type)
    url = f"data:{known};base64,{_FILE}"
    return _with({"audio_url": url}, ask.request.parameters)


def _replicate(**inputs: Callable[[Ask], object]) -> Callable[[Ask], dict[str, object]]:
    def encode(ask: Ask) -> dict[str, object]:
        given = {name: make(ask) for name, make in inputs.items()}
        if ask.provider.weights and "prompt" in inputs:
            given["lora_weights"] = f"https://huggingface.co/{ask.model}"
        body: dict[str, object] = {"input": _with(given, ask.request.parameters)}
        _, colon, version = ask.provider.id.partition(":")
        return {**body, "version": version} if colon else body

    return encode


def _with(given: Mapping[str, object], parameters: Mapping[str, object]) -> dict[str, object]:
    """Put parameters after what is given, never in its place: the file stands first."""
    return {**given, **{name: value for name, value in parameters.items() if name not in given}}


# Results


def _first_image(task: str, content_type: str, body: bytes) -> list[Chunk] | Link:
    rows = json.list_of(json.answer_object(body).get("data"))
    packed = json.object_of(rows[0]).get("b64_json") if rows else None
    return [_media(task, packed, "image/png"), Finish(usage=Usage(units=1))]


def _vectors(task: str, content_type: str, body: bytes) -> list[Chunk] | Link:
    return openai_embeddings.decode_result(body)


def _whole(task: str, content_type: str, body: bytes) -> list[Chunk] | Link:
    return list(decode_result(task, content_type, body))


def _text(task: str, content_type: str, body: bytes) -> list[Chunk] | Link:
    document = json.answer_object(body)
    rows = json.list_of(document.get("choices"))
    choice = json.object_of(rows[0]) if rows else {}
    text = choice.get("text")
    if not isinstance(text, str):
        raise _odd(task)
    finish = Finish(
        reason=openai_usage.finish_reason_of(choice.get("finish_reason")) or Finish().reason,
        usage=openai_usage.read_usage(document.get("usage")) or Usage(),
        model=json.told_name(document.get("model")),
    )
    return [*([TextDelta(text)] if text else []), finish]


def _fal_result(task: str, content_type: str, body: bytes) -> list[Chunk] | Link:
    document = json.answer_object(body)
    if task == "automatic-speech-recognition":
        text = document.get("text", document.get("output"))
        if not isinstance(text, str):
            raise _odd(task)
        return [TextDelta(text), Finish(usage=Usage(units=1))]
    images = json.list_of(document.get("images"))
    found = images[0] if images else document.get("audio")
    return _linked(task, json.object_of(found).get("url"))


def _replicate_result(task: str, content_type: str, body: bytes) -> list[Chunk] | Link:
    document = json.answer_object(body)
    if error := document.get("error"):
        raise BackendFailed(f"replicate failed: {shortened(str(error)) or 'it does not say why'}")
    output = document.get("output")
    if isinstance(output, list) and output:
        output = output[0]
    if output is None:
        raise BackendFailed(
            "replicate gave no answer within a minute", hint="the model may be starting: try again"
        )
    if task != "automatic-speech-recognition":
        return _linked(task, output)
    if isinstance(output, dict):
        output = output.get("transcription", output.get("translation", output.get("text")))
    if not isinstance(output, str):
        raise _odd(task)
    return [TextDelta(output), Finish(usage=Usage(units=1))]


def _linked(task: str, url: object) -> list[Chunk] | Link:
    if not isinstance(url, str) or not url:
        raise _odd(task)
    if not url.startswith("data:"):
        return Link(url=url)
    head, _, packed = url.partition(",")
    said = head.removeprefix("data:").partition(";")[0].strip().lower()
    return [_media(task, packed, said), Finish(usage=Usage(units=1))]


def _media(task: str, packed: object, content_type: str) -> Media:
    try:
        data = base64.b64decode(packed, validate=True) if isinstance(packed, str) else b""
    except (binascii.Error, ValueError) as error:
        raise _odd(task) from error
    if not data:
        raise _odd(task)
    known, found = task_named(task), file_kinds.sniff(data)
    kind = found if is_result_type(known, found) else content_type
    is_as_said = not found or set(file_kinds.fields_of(found)) & set(file_kinds.fields_of(kind))
    if not is_as_said or not is_result_type(known, kind):
        raise _odd(task)
    return Media(data=data, content_type=kind)


def _odd(task: str) -> BackendFailed:
    return BackendFailed(f"the provider's answer isn't a result of {task_named(task).name}")


_WAIT = (("prefer", "wait"),)
_REPLICATE = "/replicate/v1/models/{id}/predictions"

WAYS: Mapping[tuple[str, str], Way] = {
    ("together", "text-generation"): Way(
        path="/together/v1/completions", encode=_completion, decode=_text, streams=True
    ),
    ("novita", "text-generation"): Way(
        path="/novita/v3/openai/completions", encode=_completion, decode=_text, streams=True
    ),
    ("featherless-ai", "text-generation"): Way(
        path="/featherless-ai/v1/completions", encode=_completion, decode=_text, streams=True
    ),
    ("deepinfra", "text-generation"): Way(
        path="/deepinfra/v1/openai/completions", encode=_completion, decode=_text, streams=True
    ),
    ("together", "feature-extraction"): Way(
        path="/together/v1/embeddings", encode=_input, decode=_vectors
    ),
    ("scaleway", "feature-extraction"): Way(
        path="/scaleway/v1/embeddings", encode=_input, decode=_vectors
    ),
    ("deepinfra", "feature-extraction"): Way(
        path="/deepinfra/v1/openai/embeddings", encode=_input, decode=_vectors
    ),
    ("together", "text-to-image"): Way(
        path="/together/v1/images/generations", encode=_together_image, decode=_first_image
    ),
    ("together", "image-to-image"): Way(
        path="/together/v1/images/generations",
        encode=_together_image,
        decode=_first_image,
        file="image",
    ),
    ("nscale", "text-to-image"): Way(
        path="/nscale/v1/images/generations",
        encode=_nscale_image,
        decode=_first_image,
        ignores=_NSCALE_LACKS,
    ),
    ("fal-ai", "text-to-image"): Way(path="/fal-ai/{id}", encode=_fal_image, decode=_fal_result),
    ("replicate", "text-to-image"): Way(
        path=_REPLICATE,
        encode=_replicate(prompt=_prompt),
        decode=_replicate_result,
        headers=_WAIT,
    ),
    ("together", "text-to-speech"): Way(
        path="/together/v1/audio/speech", encode=_input, decode=_whole
    ),
    ("deepinfra", "text-to-speech"): Way(
        path="/deepinfra/v1/openai/audio/speech", encode=_input, decode=_whole
    ),
    ("fal-ai", "text-to-speech"): Way(path="/fal-ai/{id}", encode=_fal_speech, decode=_fal_result),
    ("replicate", "text-to-speech"): Way(
        path=_REPLICATE, encode=_replicate(text=_prompt), decode=_replicate_result, headers=_WAIT
    ),
    ("fal-ai", "automatic-speech-recognition"): Way(
        path="/fal-ai/{id}", encode=_fal_audio, decode=_fal_result, file="audio"
    ),
    ("replicate", "automatic-speech-recognition"): Way(
        path=_REPLICATE,
        encode=_replicate(audio=_data_url),
        decode=_replicate_result,
        headers=_WAIT,
        file="audio",
    ),
}
"""Providers with a wire of their own, by their name and our task. Chat needs none: the router
speaks OpenAI's for all of them."""

HOSTS: Mapping[str, tuple[str, ...]] = {
    "fal-ai": ("fal.media",),
    "replicate": ("replicate.delivery",),
}
"""Where a provider keeps results: the only hosts, with those under them, that are fetched from."""


def path_of(way: Way, provider: Provider) -> str:
    """Return where a provider is asked, on the router."""
    if way.path == _REPLICATE and ":" in provider.id:
        return "/replicate/v1/predictions"
    return way.path.replace("{id}", provider.id)
