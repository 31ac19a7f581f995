"""Logging: text for people, JSON for machines, secrets for nobody."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import TextIO

import msgspec

from inferd.core.records import Row
from inferd.telemetry.access import LOGGER, Shown, json_lines, said, text_lines

HIDDEN = "[hidden]"
_LOOKS_SECRET = re.compile(r"(?i)\b(bearer\s+)\S+|\b((?:hf|sk|sk-ant|ghp)[-_])[A-Za-z0-9_-]{6,}")
_SHORTEST_SECRET = 4
_CHATTY = ("httpx", "httpx2", "httpcore", "httpcore2")
"""Libraries with a line for each request of theirs, whole addresses and all."""


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
        }
        told = getattr(record, "told", None)
        line |= told if isinstance(told, dict) else {"message": record.getMessage()}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return self._redact(msgspec.json.encode(line).decode())


class _Stderr(logging.StreamHandler[TextIO]):
    """The process's own log."""

    def __init__(self, lines: Callable[[Sequence[Row], Shown], str], shown: Shown) -> None:
        super().__init__(sys.stderr)
        self._lines = lines
        self._shown = shown

    def write_requests(self, rows: Sequence[Row]) -> None:
        """Write a line for each request, at once."""
        text = self._lines(rows, self._shown)
        with self.lock or nullcontext():
            self.stream.write(text)
            self.flush()


def log_requests(rows: Sequence[Row]) -> None:
    """Log each request on a line, at its own time: a logging call a line would cost far more."""
    logger = logging.getLogger(LOGGER)
    if not logger.isEnabledFor(logging.INFO):
        return
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Stderr):
            handler.write_requests(rows)
            continue
        for row in rows:
            record = logger.makeRecord(LOGGER, logging.INFO, "", 0, said(row), (), None)
            record.created = row.at
            handler.handle(record)


def configure_logging(*, level: str, style: str, secrets: Iterable[str]) -> None:
    """Send every log of the process to standard error, redacted. `style` is `text` or `json`."""
    secrets = tuple(secrets)
    redact = Redactor(secrets)
    is_json = style == "json"
    handler = _Stderr(json_lines if is_json else text_lines, Shown(redact, secrets))
    handler.setFormatter(_Json(redact) if is_json else _Text(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
