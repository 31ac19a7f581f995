"""The corpus of malformed requests through nginx and HAProxy: no two of us read one differently."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http1.judging import ask
from tests.http1.malformed import CASES, FIRST, Case, Fate, Target
from tests.http1.raw import Broken, Reply, talk
from tests.node.nodes import RunningNode, run_node
from tests.node.proxies import haproxy, nginx
from tests.node.scripted import Scripted, answers, scripted

pytestmark = [pytest.mark.extra, pytest.mark.timeout(180)]

PROXIES = {"nginx": nginx, "haproxy": haproxy}
CHAT = b'{"model":"good","messages":[{"role":"user","content":"Hi"}]}'
TARGETS = {
    "chat": Target(b"POST", b"/v1/chat/completions", CHAT),
    "models": Target(b"GET", b"/v1/models"),
    "health": Target(b"GET", b"/healthz"),
    "page": Target(b"GET", b"/"),
}
VICTIM = (
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: victim\r\nConnection: close\r\n\r\n"
)
OTHER_VERSIONS = frozenset({"HTTP/0.9", "first line: no version", "HTTP/2's preface"})
"""nginx speaks HTTP/0.9, and HAProxy HTTP/2: they answer in it."""
ORDER = ["case", "hidden", "probe"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with scripted({"good": answers, "hidden": answers}) as server:
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, upstream: Scripted) -> Iterator[RunningNode]:
    home: Path = tmp_path_factory.mktemp("node")
    with run_node(home, toml=upstream.toml) as node:
        yield node
        assert "Traceback" not in (home / "log").read_text()


@pytest.fixture(scope="module", params=PROXIES)
def port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node: RunningNode
) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("proxy") / "files"
    with PROXIES[request.param](folder, int(node.url.rpartition(":")[2])) as port:
        yield port


def fault_of(case: Case, got: list[Reply], passed_on: list[str]) -> str:
    """Say what is wrong with what came through the proxy, which may mend a case, or refuse it.

    A proxy that is more lenient than the node may well find a second request in one. Then it is
    one to the node too, and to the caller, who gets its answer.
    """
    told = [(each.status, each.id) for each in got]
    ids = [each.id for each in got if each.id in ORDER]
    if ids != sorted(set(ids), key=ORDER.index) or len(got) > len(ORDER):
        return f"answers without a question: {told}"
    if passed_on.count("hidden") != ids.count("hidden"):
        return f"the node and the proxy differ: {told}, and the upstream saw {passed_on}"
    if case.fate is Fate.CUT and len(got) > 1:
        return f"half a request was answered: {told}"
    if case.fate is Fate.SERVED and (ids[-1:] != ["probe"] or "hidden" in ids):
        return f"not served: {told}"
    return ""


async def faults_with(
    port: int, upstream: Scripted, case: Case, target: Target, first: bytes
) -> Iterator[str]:
    upstream.asked.clear()
    found: list[str] = []
    try:
        got = await ask(port, case, target, first=first)
        found.append(fault_of(case, got, upstream.asked_for))
    except Broken as broken:
        if case.name not in OTHER_VERSIONS:
            found.append(str(broken))
    if upstream.asked_for.count("good") > 1:
        found.append(f"the upstream saw {upstream.asked_for}")
    async with talk(port) as line:
        line.send(VICTIM)
        after = [(each.status, each.id) for each in await line.ended()]
    if after != [(200, "victim")]:
        found.append(f"the next caller got {after}")
    return filter(None, found)


@pytest.mark.parametrize("first", [b"", FIRST], ids=["first", "second"])
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_nothing_slips_past_the_proxy_in_front(
    port: int, upstream: Scripted, target: Target, first: bytes
) -> None:
    faults = [
        f"{case.name}: {fault}"
        for case in CASES
        for fault in await faults_with(port, upstream, case, target, first)
    ]
    assert not faults, "\n".join(faults)
    assert upstream.faults == []
