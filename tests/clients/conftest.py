"""A node whose backends speak OpenAI's API, and the scripted upstream behind them."""

import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from tests.clients.environments import ROOT
from tests.clients.scripted_openai import KEY
from tests.node.nodes import RunningNode, run_node

SECRET = "SUPERSECRET"
STATUSES = (400, 401, 404, 422, 429, 500, 503)
ODD = ("slow", "endless", "breaks", "says-error")
WHOSE = ("python", "async", "node", "ai")
"""Each client leaves a stream of its own."""


class Scripted(msgspec.Struct, frozen=True):
    """Where the two of them are."""

    node: RunningNode
    upstream: str


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.clients.scripted_openai"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def scripted(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    environment = {"SCRIPTED_KEY": KEY, "INFERENCE_SHARED_SECRET": SECRET}
    home = tmp_path_factory.mktemp("node")
    with run_node(home, environment, toml=_toml(upstream)) as node:
        yield Scripted(node, upstream)


def _toml(upstream: str) -> str:
    """One backend that lists its models, one that doesn't, and one for each way to fail.

    A backend that fails is left out for a while: the others mustn't be it.
    """
    waits = [f"{name}-{whose}" for name in ("slow", "endless") for whose in WHOSE]
    tables = [
        _table("scripted", f"{upstream}/v1", []),
        *(
            _table(name, f"{upstream}/v1", [f"acme/{name}"])
            for name in (*waits, "breaks", "says-error")
        ),
        *(
            _table(f"fails-{status}", f"{upstream}/fails/{status}/v1", [f"acme/fails-{status}"])
            for status in STATUSES
        ),
        *(
            _table(f"busy-{whose}", f"{upstream}/busy/v1", [f"acme/busy-{whose}"])
            for whose in WHOSE
        ),
    ]
    return "\n".join(tables)


def _table(name: str, base_url: str, models: list[str]) -> str:
    listed = f"models = {models}\n" if models else ""
    return (
        f'[[backends]]\nname = "{name}"\nkind = "openai"\nbase_url = "{base_url}"\n'
        f'api_key = "env:SCRIPTED_KEY"\n{listed}'
    )
