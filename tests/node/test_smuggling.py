"""Every malformed request of the corpus, sent to a whole node with a model server behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http1.judging import faults_with
from tests.http1.malformed import FIRST, Case, Fate, Target
from tests.node.nodes import RunningNode, run_node
from tests.node.scripted import Scripted, answers, scripted

pytestmark = pytest.mark.extra

CHAT = b'{"model":"good","messages":[{"role":"user","content":"Hi"}]}'
TARGETS = {
    "chat": Target(b"POST", b"/v1/chat/completions", CHAT),
    "completions": Target(b"POST", b"/v1/completions", b'{"model":"good","prompt":"Hi"}'),
    "embeddings": Target(b"POST", b"/v1/embeddings", b'{"model":"good","input":"Hi"}'),
    "models": Target(b"GET", b"/v1/models", reads=False),
    "health": Target(b"GET", b"/healthz", reads=False),
    "status": Target(b"GET", b"/status", reads=False),
    "page": Target(b"GET", b"/", reads=False),
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with scripted({"good": answers}) as server:
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, upstream: Scripted) -> Iterator[RunningNode]:
    home: Path = tmp_path_factory.mktemp("node")
    with run_node(home, toml=upstream.toml) as node:
        yield node
        assert "Traceback" not in (home / "log").read_text()


@pytest.mark.parametrize("first", [b"", FIRST], ids=["first", "second"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_what_is_malformed_is_refused_and_nothing_behind_it_is_read(
    node: RunningNode, upstream: Scripted, target: Target, first: bytes
) -> None:
    def passed_on(case: Case) -> str:
        asked = len(upstream.asked)
        upstream.asked.clear()
        most = 0 if case.fate in (Fate.REFUSED, Fate.CUT) else 1
        return f"{asked} requests were passed on" if asked > most else ""

    port = int(node.url.rpartition(":")[2])
    assert await faults_with(port, target, first=first, also=passed_on) == []
    assert upstream.faults == []
