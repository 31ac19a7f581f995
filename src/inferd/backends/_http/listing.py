"""Lists of models: what servers of OpenAI's API say beside a name, each in its own way."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from inferd.core.errors import BackendFailed
from inferd.wire import json

_OTHERS = re.compile(
    r"(?<![a-z0-9])(?:whisper|tts|dall-e|gpt-image|moderation|transcribe|realtime|sora|rerank\w*)"
    r"(?![a-z0-9])"
)
"""Names of what neither writes nor makes vectors."""

_NAMES = ("id", "name", "model")
_TEXT = frozenset({"text", "chat", "language", "code", "llm", "vlm", "completion", "completions"})
_VECTORS = frozenset({"embedding", "embeddings", "embed", "feature-extraction"})
_NEITHER = frozenset(
    {"image", "video", "audio", "rerank", "moderation", "transcribe", "tts", "asr"}
)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `writes` and `embeds` are None where the server doesn't say.

    `tasks` are those that an inferd lists, by its own names.
    """

    name: str
    aliases: tuple[str, ...] = ()
    tasks: frozenset[str] = frozenset()
    writes: bool | None = None
    embeds: bool | None = None


def decode_listing(body: bytes) -> list[Listed]:
    """Read a list of models, without those that are switched off.

    Raises:
        BackendFailed: It isn't one.
    """
    document = json.answer(body)
    rows = document
    if isinstance(document, dict):
        # llama.cpp gives both, Ollama's own list has the second alone.
        rows = document.get("data", document.get("models"))
    if not isinstance(rows, list):
        raise BackendFailed("the upstream's answer isn't a list of models")
    found: dict[str, Listed] = {}
    for row in rows:
        fields = json.object_of(row)
        name = next(filter(None, (json.told_name(fields.get(key)) for key in _NAMES)), "")
        if name and fields.get("active") is not False:
            found.setdefault(name, _listed(name, fields))
    return list(found.values())


def _listed(name: str, row: Mapping[str, object]) -> Listed:
    told = _told(row)
    writes = embeds = None
    if told:
        writes, embeds = bool(told & _TEXT), bool(told & _VECTORS)
    elif _OTHERS.search(name.lower()):
        writes = embeds = False
    aliases, tasks = _words(row.get("aliases")), frozenset(_words(row.get("tasks")))
    return Listed(name=name, aliases=aliases, tasks=tasks, writes=writes, embeds=embeds)


def _words(values: object) -> tuple[str, ...]:
    return tuple(filter(None, map(json.told_name, json.list_of(values))))


def _told(row: Mapping[str, object]) -> frozenset[str]:
    """Return what it says that the model does; nothing where it says nothing that we know."""
    able = row.get("capabilities")
    if isinstance(able, dict) and able.get("completion_chat") is True:
        # Mistral's. What doesn't chat there may still make vectors, as its name says then.
        return frozenset({"chat"})
    # Together, LM Studio, Venice; OpenRouter; Ollama, infinity, llama.cpp.
    modalities = json.object_of(row.get("architecture")).get("output_modalities")
    for said in ([row.get("type", row.get("task"))], modalities, able):
        known = _texts(json.list_of(said)) & (_TEXT | _VECTORS | _NEITHER)
        if known:
            return known
    return frozenset()


def _texts(values: Iterable[object]) -> frozenset[str]:
    return frozenset(value.lower() for value in values if isinstance(value, str))
