"""The access log: lines made a batch at a time, each for little more than its bytes cost."""

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from inferd.core.records import Detour, Row

LOGGER = "inferd.access"

_MOST_REMEMBERED = 4096
_OWN_ID = 16
_LEVEL = b'{"level":"info","logger":"%b",' % LOGGER.encode()


class Shown:
    """What a log may show. The same few names return with every request: each is read once."""

    def __init__(self, redact: Callable[[str], str], secrets: Iterable[str] = ()) -> None:
        self._redact = redact
        self._secrets = frozenset(secrets)
        self._harmless: set[str] = set()

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Return rows without secrets: themselves, nearly always."""
        harmless, secrets = self._harmless, self._secrets
        return [
            row
            if type(row) is Row
            and row.model in harmless
            and row.backend in harmless
            # An id of the node's own making can't hold a secret, it can only be one.
            and len(row.id) == _OWN_ID
            and row.id.isalnum()
            and row.id not in secrets
            else self._redacted(row)
            for row in rows
        ]

    def _redacted(self, row: Row) -> Row:
        names = {name: getattr(row, name) for name in ("id", "model", "backend")}
        shown = {name: self._redact(text) for name, text in names.items()}
        if isinstance(row, Detour):
            row = msgspec.structs.replace(row, after=tuple(map(self._redact, row.after)))
        if len(self._harmless) >= _MOST_REMEMBERED:
            self._harmless.clear()
        self._harmless.update(
            shown[name] for name in ("model", "backend") if shown[name] == names[name]
        )
        return row if shown == names else msgspec.structs.replace(row, **shown)


def text_lines(rows: Sequence[Row], shown: Shown) -> str:
    """Return a line a request, for people, as the other lines of the log look."""
    lines: list[str] = []
    second, clock = -1, ""
    for row in shown.rows(rows):
        if int(row.at) != second:
            second = int(row.at)
            clock = time.strftime("%H:%M:%S", time.localtime(row.at))
        lines.append(f"{clock} INFO    {LOGGER}: {said(row)}\n")
    return "".join(lines)


def json_lines(rows: Sequence[Row], shown: Shown) -> str:
    """Return a JSON object a request, with all that the ledger keeps of it."""
    encode = _ENCODER.encode
    return b"".join([_LEVEL + encode(row)[1:] + b"\n" for row in shown.rows(rows)]).decode()


def said(row: Row) -> str:
    """Return what happened, in words."""
    where = f"{row.source} {row.backend}" if row.backend else row.source or "nowhere"
    if isinstance(row, Detour):
        where = f"{where} (after {', '.join(row.after)})"
    return (
        f"{row.id} {row.principal} {row.task} {row.model or '-'} on {where}: "
        f"{row.outcome} in {int(row.seconds * 1000 + 0.5)} ms"
    )


_ENCODER = msgspec.json.Encoder()
