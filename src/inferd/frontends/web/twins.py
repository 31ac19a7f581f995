"""The same question in a terminal, over HTTP, and as a header of the answer."""

import json
import shlex
from typing import Protocol


class Question(Protocol):
    """What is asked; each empty part is left to the node."""

    @property
    def model(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def asked_by(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def within(self) -> str: ...
    @property
    def backend(self) -> str: ...


def of(
    asked: Question, reader: str, *, origin: str, has_secret: bool, route: str = ""
) -> tuple[tuple[str, str, str], ...]:
    """Return `(id, label, text)` of each.

    `origin` is where the reader finds this node, and `has_secret` whether it wants one there;
    `route` is what the header would say now.
    """
    other = asked.asked_by if asked.asked_by != reader else ""
    return (
        ("cli", "Command line", _command(asked, other)),
        ("http", "HTTP", _http(asked, other, origin, has_secret)),
        ("header", "Response header", _header(asked, route)),
    )


def _command(asked: Question, other: str) -> str:
    parts = [f"inferd models --why {shlex.quote(asked.model)} --task {asked.task}"]
    options = {
        "--as": other,
        "--within": asked.within,
        "--strategy": asked.strategy,
        "--backend": asked.backend,
    }
    parts += [f"{name} {shlex.quote(value)}" for name, value in options.items() if value]
    return "$ " + " \\\n    ".join(parts)


def _http(asked: Question, other: str, origin: str, has_secret: bool) -> str:
    fields = {
        "task": asked.task,
        "model": asked.model,
        "asked_by": other,
        "strategy": asked.strategy,
        "tier": asked.within,
        "backend": asked.backend,
    }
    body = json.dumps({name: value for name, value in fields.items() if value})
    parts = [f"curl {shlex.quote(f'{origin}/admin/explain')}"]
    if has_secret:
        parts.append('-H "Authorization: Bearer $INFERD_TOKEN"')
    parts += ['-H "Content-Type: application/json"', f"-d {shlex.quote(body)}"]
    return "$ " + " \\\n    ".join(parts)


def _header(asked: Question, route: str) -> str:
    headers = {
        "X-Inference-Explain": "true",
        "X-Inference-Tier": asked.within,
        "X-Inference-Strategy": asked.strategy,
        "X-Inference-Backend": asked.backend,
    }
    lines = ["# send with any request:"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value]
    if route:
        lines += ["# the answer has:", f"X-Inference-Route: {route}"]
    return "\n".join(lines)
