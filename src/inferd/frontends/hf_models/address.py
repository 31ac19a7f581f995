"""What a model's URL says: which model, which task, and in whose words."""

import re
from enum import Enum

import msgspec

from inferd.core.errors import InvalidRequest
from inferd.core.tasks import check_name

_PART = re.compile(r"[^\\%?#<>\"'{}|^`\s]+")
_SHOWN = 80
_WORDS = frozenset({"load", "unload"})
"""What stands after `/models/` and is never a model."""


class Way(Enum):
    """Whose words the body is in: the suffix that a client puts after a model's URL."""

    TASK = ""
    CHAT = "v1/chat/completions"
    COMPLETIONS = "v1/completions"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A URL, read. `model` and `task` are empty where it doesn't say."""

    model: str = ""
    task: str = ""
    way: Way = Way.TASK


def below_models(path: str) -> Address:
    """Read what stands after `/models/`: `ID`, `ID/pipeline/TASK`, `ID/v1/chat/completions`.

    Raises:
        InvalidRequest: There is no such model id.
    """
    path = path.removesuffix("/")
    for way in (Way.CHAT, Way.COMPLETIONS):
        if path == way.value or path.endswith("/" + way.value):
            return Address(model=model_id(path[: -len(way.value)].removesuffix("/")), way=way)
    before, found, task = f"/{path}".rpartition("/pipeline/")
    if not found:
        return Address(model=model_id(path))
    return Address(model=model_id(before.removeprefix("/")), task=check_name("the task", task))


def model_id(text: str) -> str:
    """Return the id of a model, or nothing if it is empty.

    Raises:
        InvalidRequest: It steps out of the list of models, or holds what no id has.
    """
    parts = text.split("/") if text else []
    is_odd = any(part in ("", ".", "..") or not _PART.fullmatch(part) for part in parts)
    if is_odd or text in _WORDS:
        shown = "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])
        raise InvalidRequest(
            f"{shown!r} can't be a model's id",
            hint="an id is a name, or an owner and a name with one / between",
            details={"param": "model"},
        )
    return check_name("the model", text)
