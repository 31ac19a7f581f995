"""OpenAI, and any server that speaks its API: vLLM, llama.cpp, LM Studio, TGI, OpenRouter."""

import re
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from inferd.backends import Settings, read_options
from inferd.backends._http import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    Listed,
    Upstream,
    as_begun,
    as_chat,
    ask_openai,
    decode_listing,
    open_upstream,
    wants_prompt,
    with_prompt,
    without_repeat,
)
from inferd.core.answer import Answer
from inferd.core.backend import Backend, BackendType, Capabilities, Model, Traits
from inferd.core.clock import Clock
from inferd.core.errors import ModelNotFound, UnsupportedTask
from inferd.core.hosts import is_loopback
from inferd.core.request import InferenceRequest, Tier

DEFAULT_URL = "https://api.openai.com/v1"
WRITES = frozenset({"chat", "text-generation"})
EMBEDS = frozenset({"feature-extraction"})
TASKS = WRITES | EMBEDS

_EMBEDDERS = re.compile(r"embed|(?<![a-z0-9])(?:bge|e5|gte|minilm)(?![a-z0-9])")
"""Names of models that make vectors. Short ones count only as words: `gpt-4-e500` is none."""

_CONTINUES = {
    "": frozenset({COMPLETIONS.name}),
    "vllm": WRITES | {COMPLETIONS.name},
    "prefill": WRITES | {COMPLETIONS.name},
    "completions": frozenset({"text-generation", COMPLETIONS.name}),
}
"""What is gone on with, by the way it is asked for."""
_VLLM = {"continue_final_message": True, "add_generation_prompt": False}

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset(
    {
        "accept",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "traceparent",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    }
)
"""Headers that say what this node does, not who its operator is."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`embeddings` names the models that make vectors, where nothing else says so.

    `usage`: whether streams are asked what they took, where their callers didn't ask.
    `continues`: how it is asked to go on with another's text, if it can be. `headers` go with every
    request. `routing_fields`: whether callers may tell the server of other
    models than `model` (OpenRouter's `models`, LiteLLM's `fallbacks`), which no rule looks at.
    """

    embeddings: tuple[str, ...] = ()
    continues: Literal["", "vllm", "prefill", "completions"] = ""
    usage: bool = True
    routing_fields: bool = False
    headers: Mapping[str, str] = {}


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend a connection pool to the server."""
    options = read_options(settings, Options)
    what = f"{settings.name} doesn't speak OpenAI's API"
    with open_upstream(
        settings,
        settings.base_url or DEFAULT_URL,
        clock=clock,
        what=what,
        headers=_checked(settings, options.headers),
    ) as upstream:
        yield OpenAIBackend(settings, options, upstream)


def _checked(settings: Settings, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the operator's own headers.

    Raises:
        ValueError: One can't be sent, or is the node's to say.
    """
    for name, value in headers.items():
        where = f"backend {settings.name}: options: headers: {name!r}"
        if not _HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise ValueError(f"{where} is no header, or has signs that no header carries")
        if name.lower() in _OURS or (name.lower() == "authorization" and settings.api_key):
            raise ValueError(f"{where} is what inferd says itself")
    return list(headers.items())


class OpenAIBackend:
    """Chat, text generation through chat, and embeddings."""

    kind = "openai"
    is_node = False
    wires = frozenset({CHAT.name, COMPLETIONS.name, EMBEDDINGS.name})

    def __init__(self, settings: Settings, options: Options, upstream: Upstream) -> None:
        self.name = settings.name
        default = Tier.LOCAL if is_loopback(upstream.url.host) else Tier.CLOUD
        self.tier = default if settings.tier is None else settings.tier
        self.traits = Traits(
            type=BackendType.API,
            endpoint=str(upstream.url),
            continues=_CONTINUES[options.continues],
        )
        self._way = options.continues
        self._models = dict(settings.models)
        self._embeddings = frozenset(options.embeddings)
        self._upstream = upstream
        upstream.usage_question.is_put = options.usage
        upstream.passes_routing = options.routing_fields
        self.assumed = (
            Capabilities(models=self._offers(self._models))
            if self._models
            else Capabilities(open_tasks=TASKS)
        )

    def __repr__(self) -> str:
        return f"<OpenAIBackend {self.name} {self._upstream!r}>"

    async def capabilities(self) -> Capabilities:
        try:
            _, body = await self._upstream.read("GET", "/models")
        except ModelNotFound:
            # A server without a list is alive all the same.
            if not self._models:
                raise
            return self.assumed
        if self._models:
            return self.assumed
        return Capabilities(models=tuple(filter(None, map(self._offer, decode_listing(body)))))

    def infer(self, request: InferenceRequest) -> Coroutine[Any, Any, Answer]:
        if request.task not in TASKS:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        model = self._upstream_model(request.model)
        if request.continued:
            return self._rest(request, model)
        if request.task == "chat":
            return ask_openai(self._upstream, request, CHAT, model=model)
        if request.task == "feature-extraction":
            return ask_openai(self._upstream, request, EMBEDDINGS, model=model)
        if request.raw is not None and request.raw.wire == COMPLETIONS.name:
            return ask_openai(self._upstream, request, COMPLETIONS, model=model)
        return self._continue(request, model)

    async def _continue(self, request: InferenceRequest, model: str) -> Answer:
        """Continue a text, as an answer to it where it isn't asked otherwise."""
        prompt = str(request.inputs["prompt"])
        if self._way == "completions":
            answer = await ask_openai(self._upstream, _typed(request), COMPLETIONS, model=model)
        else:
            asked = as_chat(request, prompt)
            answer = await ask_openai(self._upstream, asked, CHAT, model=model)
        return with_prompt(prompt, answer) if wants_prompt(request) else answer

    async def _rest(self, request: InferenceRequest, model: str) -> Answer:
        """Go on with what another has begun."""
        raw = request.raw
        is_text = self._way == "completions" or (raw is not None and raw.wire == COMPLETIONS.name)
        if is_text and request.task == "text-generation":
            return await ask_openai(self._upstream, _typed(request), COMPLETIONS, model=model)
        if self._way not in ("vllm", "prefill"):
            raise UnsupportedTask(f"{self.name} can't go on with what another has begun")
        asked = request
        if request.task != "chat":
            asked = as_chat(request, str(request.inputs["prompt"]))
        begun = as_begun(asked, **(_VLLM if self._way == "vllm" else {}))
        answer = await ask_openai(self._upstream, begun, CHAT, model=model)
        return without_repeat(request.continued, answer) if self._way == "prefill" else answer

    def _upstream_model(self, name: str) -> str:
        if not self._models:
            if not name:
                raise ModelNotFound(f"{self.name} has no default model", hint="name a model")
            return name
        model = self._models.get(name or next(iter(self._models)))
        if model is None:
            raise ModelNotFound(f"{self.name} has no model called {name}")
        return model

    def _offers(self, names: Mapping[str, str]) -> tuple[Model, ...]:
        """Say what each model does. The API doesn't tell, so its names have to."""
        return tuple(
            Model(id=ours, tasks=EMBEDS if self._embeds(ours, theirs) else WRITES)
            for ours, theirs in names.items()
        )

    def _offer(self, listed: Listed) -> Model | None:
        """Say what a model of the server's own list does; None where that is nothing of ours."""
        tasks = frozenset[str]()
        if listed.embeds or (listed.embeds is None and self._embeds(listed.name)):
            tasks = EMBEDS
        elif listed.writes is not False:
            tasks = WRITES
        if listed.name in self._embeddings:
            tasks = EMBEDS
        return Model(id=listed.name, tasks=tasks, aliases=listed.aliases) if tasks else None

    def _embeds(self, *names: str) -> bool:
        return any(name in self._embeddings or _EMBEDDERS.search(name.lower()) for name in names)


def _typed(request: InferenceRequest) -> InferenceRequest:
    return msgspec.structs.replace(request, raw=None)
