"""The backend itself: chat through the router, every other task as its provider wants it."""

import base64
from collections.abc import Mapping
from functools import partial

import msgspec

from inferd.backends import Settings, each
from inferd.backends._http import (
    CHAT,
    EVENTS,
    JSON,
    Decoder,
    Headers,
    Upstream,
    as_chat,
    ask_openai,
    check_content,
    decode_listing,
    decoded,
    reading,
    typed_stream,
    wants_prompt,
    with_prompt,
)
from inferd.backends.huggingface.bodies import body_of, file_of, type_of
from inferd.backends.huggingface.choice import CHATS, OWN, TASKS, Chooser, Chosen
from inferd.backends.huggingface.downloads import Downloads
from inferd.core.answer import Answer, Served
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.content import Message
from inferd.core.errors import (
    BackendRefused,
    BackendUnavailable,
    InvalidRequest,
    ModelNotFound,
    NodeError,
    PayloadTooLarge,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Chunk, Value
from inferd.core.tasks import TASKS as KNOWN
from inferd.core.tasks import Output
from inferd.http1.client import Response
from inferd.wire import hf_inference, hf_tasks, openai_text_client
from inferd.wire.hf_inference_providers import (
    WAYS,
    Ask,
    Link,
    encode_ask,
    path_of,
)

RESULT_BYTES = 128 << 20
_IMAGE_BYTES = 16 << 20
_PIPELINES = frozenset({"feature-extraction", "sentence-similarity"})
"""Tasks whose models do several, so that the address has to say which."""

_TOKENS = "https://huggingface.co/settings/tokens"
_OPEN = Capabilities(open_tasks=TASKS)


class HuggingFaceBackend:
    """Asks the router, which asks the providers; never loads anything itself."""

    kind = "huggingface"
    is_node = False
    wires = frozenset({CHAT.name})
    assumed = _OPEN

    def __init__(
        self,
        settings: Settings,
        chooser: Chooser,
        router: Upstream,
        downloads: Downloads,
        *,
        headers: Headers,
    ) -> None:
        self.name = settings.name
        self.tier = Tier.CLOUD if settings.tier is None else settings.tier
        self.traits = Traits(type=BackendType.API, endpoint=str(router.url))
        self._has_token = bool(settings.api_key)
        self._models = dict(settings.models)
        self._chooser = chooser
        self._router = router
        self._downloads = downloads
        self._headers = tuple(headers)

    def __repr__(self) -> str:
        return f"<HuggingFaceBackend {self.name} {self._router!r}>"

    async def capabilities(self) -> Capabilities:
        self._check_token()
        _, body = await self._router.read("GET", "/v1/models")
        chats = frozenset(row.name for row in decode_listing(body))
        models: list[Model] = []
        for ours, theirs in self._models.items():
            try:
                tasks = await self._chooser.tasks_of(theirs, chats)
            except NodeError:
                # The router lives, which is what was asked; of this one the Hub says nothing now.
                tasks = frozenset({"chat", "text-generation"}) if theirs in chats else frozenset()
            if tasks:
                models.append(Model(id=ours, tasks=tasks))
        return Capabilities(models=tuple(models), open_tasks=TASKS)

    async def infer(self, request: InferenceRequest) -> Answer:
        if request.task not in TASKS:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        self._check_token()
        self._router.left(request.deadline)
        name = self._upstream_name(request.model)
        if request.task == "chat":
            return await self._chat(request, name)
        if request.task in CHATS:
            return await self._chat(await _about_image(request), name)
        chosen = await self._chooser.choose(request, name)
        if chosen.is_chat:
            prompt = str(request.inputs["prompt"])
            answer = await self._chat(as_chat(request, prompt), name)
            return with_prompt(prompt, answer) if wants_prompt(request) else answer
        if chosen.provider.name == OWN:
            return await self._ask_own(request, chosen)
        return await self._ask_provider(request, chosen)

    def _check_token(self) -> None:
        if not self._has_token:
            raise BackendUnavailable(
                f"{self.name} has no token for Hugging Face",
                hint=f"set HF_TOKEN, or token in [hub]; {_TOKENS} makes one",
            )

    def _upstream_name(self, name: str) -> str:
        if not name:
            raise ModelNotFound(f"{self.name} has no default model", hint="name a model")
        return self._models.get(name, name)

    async def _chat(self, request: InferenceRequest, name: str) -> Answer:
        return await ask_openai(
            self._router,
            request,
            CHAT,
            model=self._chooser.chat_model(name),
            prefix="/v1",
            headers=self._headers,
        )

    async def _ask_own(self, request: InferenceRequest, chosen: Chosen) -> Answer:
        """Ask the Hub's own provider, which speaks the task API."""
        other = request.inputs.get("mask_sentence_alt")
        try:
            return await self._ask_own_once(request, chosen)
        except BackendRefused:
            # Models differ in how a mask is written; both spellings may have come.
            if request.task != "fill-mask" or not isinstance(other, str):
                raise
        inputs = {"mask_sentence": other}
        again = msgspec.structs.replace(request, inputs=inputs)
        return await self._ask_own_once(again, chosen, is_other=True)

    async def _ask_own_once(
        self, request: InferenceRequest, chosen: Chosen, *, is_other: bool = False
    ) -> Answer:
        task = request.task
        asked = hf_inference.encode_request(request)
        content_type = JSON
        if asked.is_raw:
            content_type = await type_of(file_of(request, asked.file))
        path = f"/{OWN}/models/{chosen.provider.id}"
        if task in _PIPELINES:
            path += f"/pipeline/{task}"
        is_stream = request.stream and task in hf_inference.STREAMS
        response = await self._router.ask(
            "POST",
            path,
            accept=EVENTS if is_stream else _accepted(task),
            headers=[("content-type", content_type), *self._headers],
            body=body_of(asked, request),
            deadline=request.deadline,
        )
        with reading(response):
            if _is_stream(response):
                return _streamed(response, hf_tasks.StreamDecoder(self._router.told), chosen)
            content_type, body = await self._whole(response)
            decode = partial(
                hf_inference.decode_result, task, content_type, body, inputs=request.inputs
            )
            chunks = await decoded(decode, len(body))
        if is_other:
            chunks = [_as_other(chunk) for chunk in chunks]
        return _answer(chunks, response, chosen)

    async def _ask_provider(self, request: InferenceRequest, chosen: Chosen) -> Answer:
        """Ask a provider that has a wire of its own."""
        way = WAYS[chosen.provider.name, request.task]
        chosen = _owning_up(chosen, [name for name in way.ignores if name in request.parameters])
        file_type = ""
        if way.file:
            if all(file.field != way.file for file in request.files):
                raise InvalidRequest(
                    f"{request.task} needs the file {way.file}", details={"param": way.file}
                )
            file_type = await type_of(file_of(request, way.file))
        if not way.streams:
            request = msgspec.structs.replace(request, stream=False)
        ask = Ask(
            request=request, provider=chosen.provider, model=chosen.model, file_type=file_type
        )
        response = await self._router.ask(
            "POST",
            path_of(way, chosen.provider),
            accept=EVENTS if request.stream else _accepted(request.task),
            headers=[("content-type", JSON), *way.headers, *self._headers],
            body=body_of(encode_ask(way, ask), request),
            deadline=request.deadline,
        )
        with reading(response):
            if _is_stream(response):
                answer = _streamed(response, openai_text_client.StreamDecoder(), chosen)
            else:
                content_type, body = await self._whole(response)
                found = way.decode(request.task, content_type, body)
                if isinstance(found, Link):
                    found = await self._fetched(found, request, chosen)
                answer = _answer(found, response, chosen)
        if way.streams and wants_prompt(request):
            return with_prompt(str(request.inputs["prompt"]), answer)
        return answer

    async def _fetched(self, link: Link, request: InferenceRequest, chosen: Chosen) -> list[Chunk]:
        left = self._router.left(request.deadline)
        content_type, data = await self._downloads.fetch(link.url, chosen.provider.name, left)
        return hf_inference.decode_result(request.task, content_type, data)

    async def _whole(self, response: Response) -> tuple[str, bytes]:
        check_content(response, f"{self.name} isn't the Hub's router")
        body = await response.read(RESULT_BYTES)
        response.close()
        return response.header("content-type"), body


def _owning_up(chosen: Chosen, ignored: list[str]) -> Chosen:
    if not ignored:
        return chosen
    warning = f"ignored: {', '.join(ignored)} ({chosen.provider.name} has no such setting)"
    return msgspec.structs.replace(chosen, warnings=(*chosen.warnings, warning))


def _accepted(task: str) -> str:
    match KNOWN[task].output:
        case Output.IMAGE:
            return "image/png"
        case Output.AUDIO:
            return "*/*"
        case _:
            return JSON


def _is_stream(response: Response) -> bool:
    return response.header("content-type").lower().startswith(EVENTS)


def _streamed(response: Response, decoder: Decoder, chosen: Chosen) -> Answer:
    answer = typed_stream(response, decoder, served=Served(warnings=chosen.warnings))
    answer.sent_bytes = response.sent_bytes
    return answer


def _answer(chunks: list[Chunk], response: Response, chosen: Chosen) -> Answer:
    answer = Answer(each(chunks), served=Served(warnings=chosen.warnings))
    answer.sent_bytes = response.sent_bytes
    return answer


def _as_other(chunk: Chunk) -> Chunk:
    """Put the guesses where those about the second spelling belong."""
    if not isinstance(chunk, Value) or not isinstance(chunk.value, Mapping):
        return chunk
    return Value({"result_1": None, "result_2": chunk.value.get("result_1")})


async def _about_image(request: InferenceRequest) -> InferenceRequest:
    """Ask about an image as a conversation of one turn, with the image in it."""
    if all(file.field != "image" for file in request.files):
        raise InvalidRequest(f"{request.task} needs the file image", details={"param": "image"})
    file = file_of(request, "image")
    kind, pieces, size = await type_of(file), list[bytes](), 0
    async for piece in file.read():
        size += len(piece)
        if size > _IMAGE_BYTES:
            raise PayloadTooLarge(f"the image is larger than {_IMAGE_BYTES >> 20} MiB")
        pieces.append(piece)
    url = f"data:{kind};base64,{base64.b64encode(b''.join(pieces)).decode()}"
    asked = as_chat(request, str(request.inputs["prompt"]))
    part = {"type": "image_url", "image_url": {"url": url}}
    message = Message(role="user", text=str(request.inputs["prompt"]), parts=(part,))
    return msgspec.structs.replace(asked, inputs={"messages": (message,)})
