"""Logging: text for people, JSON for machines, secrets for nobody."""

import logging
import re
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TextIO

import msgspec

HIDDEN = "[hidden]"
_LOOKS_SECRET = re.compile(r"(?i)\b(bearer\s+)\S+|\b((?:hf|sk|sk-ant|ghp)[-_])[A-Za-z0-9_-]{6,}")
_SHORTEST_SECRET = 4


class Redactor:
    """Takes known secrets, and whatever looks like one, out of a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _LOOKS_SECRET.sub(lambda found: (found[1] or found[2]) + HIDDEN, text)


class _Text(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class _Json(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return self._redact(msgspec.json.encode(line).decode())


class _Stderr(logging.StreamHandler[TextIO]):
    def emit_all(self, records: Iterable[logging.LogRecord]) -> None:
        """Write the records at once."""
        text = "".join([self.format(record) + self.terminator for record in records])
        with self.lock or nullcontext():
            self.stream.write(text)
            self.flush()


def log_all(logger: logging.Logger, lines: Iterable[tuple[float, str]]) -> None:
    """Log what happened, line by line, at those times: a logging call a line would cost more."""
    if not logger.isEnabledFor(logging.INFO):
        return
    records: list[logging.LogRecord] = []
    for at, line in lines:
        record = logger.makeRecord(logger.name, logging.INFO, "", 0, line, (), None)
        record.created = at
        records.append(record)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Stderr):
            handler.emit_all(records)
            continue
        for record in records:
            handler.handle(record)


def configure_logging(*, level: str, style: str, secrets: Iterable[str]) -> None:
    """Send every log of the process to standard error, redacted. `style` is `text` or `json`."""
    redact = Redactor(secrets)
    handler = _Stderr(sys.stderr)
    handler.setFormatter(_Json(redact) if style == "json" else _Text(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
