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
    asked: Question, reader: str, *, model: str = "", route: str = ""
) -> tuple[tuple[str, str, str], ...]:
    """Return `(id, label, text)` of each.

    `model` is the one that would be used where the question names none; `route` is what the
    header would say now.
    """
    other = asked.asked_by if asked.asked_by != reader else ""
    return (
        ("cli", "Command line", _command(asked, asked.model or model, other)),
        ("http", "HTTP", _http(asked, other)),
        ("header", "Response header", _header(asked, route)),
    )


def _command(asked: Question, model: str, other: str) -> str:
    parts = [f"inferd models --why {shlex.quote(model)} --task {asked.task}"]
    options = {"--as": other, "--within": asked.within, "--strategy": asked.strategy}
    parts += [f"{name} {shlex.quote(value)}" for name, value in options.items() if value]
    return "$ " + " \\\n    ".join(parts)


def _http(asked: Question, other: str) -> str:
    fields = {
        "task": asked.task,
        "model": asked.model,
        "asked_by": other,
        "strategy": asked.strategy,
        "tier": asked.within,
        "backend": asked.backend,
    }
    body = json.dumps({name: value for name, value in fields.items() if value})
    return (
        "$ curl http://127.0.0.1:8000/admin/explain \\\n"
        '    -H "Authorization: Bearer $INFERD_KEY" \\\n'
        f"    -d {shlex.quote(body)}"
    )


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
