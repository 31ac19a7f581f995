"""Our own secrets taken out of what others tell of us: callers may read it, and the log has it."""

import json
from collections.abc import Iterable

_SHORTEST = 8
"""Signs that a secret has at least: hiding what is shorter would spoil what is told."""
HIDDEN = "[hidden]"


class Secrets:
    """What is never shown: a `key`, whatever its length, and those of `others` that are long.

    They are known as they are, by their lines, and as JSON writes them.
    """

    __slots__ = ("_raw", "_spelled")

    def __init__(self, key: str = "", others: Iterable[str] = ()) -> None:
        known = {part for each in others for part in (each, *each.splitlines())}
        known = {part for part in known if len(part) >= _SHORTEST} | {key} - {""}
        spelled = {spelling for each in known for spelling in _spellings(each)}
        # The longest first: one may be part of another.
        self._spelled = tuple(sorted(spelled, key=len, reverse=True))
        self._raw = tuple(each.encode(errors="surrogateescape") for each in self._spelled)

    def __repr__(self) -> str:
        return f"<Secrets {len(self._spelled)}>"

    def hide(self, text: str) -> str:
        """Return a text without them."""
        for secret in self._spelled:
            text = text.replace(secret, HIDDEN)
        return text

    def hide_in(self, body: bytes) -> bytes:
        """Return a body without them."""
        for secret in self._raw:
            body = body.replace(secret, HIDDEN.encode())
        return body


def _spellings(secret: str) -> tuple[str, ...]:
    quoted = json.dumps(secret, ensure_ascii=False)[1:-1]
    return secret, quoted, quoted.replace("/", r"\/")
