"""A node inside a program: what its backends are asked, and what a reply holds."""

import runpy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import inferd
from inferd.core.backend import BackendType
from inferd.core.errors import InvalidRequest, ModelNotFound, UnsupportedTask
from inferd.library import Node
from inferd.node.home import CannotStart
from inferd.node.roster import NameTaken, NoSuchBackend
from tests.gateway.fakes import FakeBackend

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_program.py"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    quiet = {"local.enabled": False, "hub.enabled": False, "discovery.auto": False}
    async with inferd.open_node({"server.home": str(tmp_path), **quiet}) as found:
        yield found


async def test_the_example_does_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    await runpy.run_path(str(EXAMPLE))["main"]()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "parrot: hybrid, healthy, 1 models"
    assert said[2] == "chat goes to parrot"
    assert said[3].startswith("'Hello, world!' from parrot")
    assert said[5:] == ["2 requests, 0 failed", "left: parrot"]


async def test_backends_come_are_selected_and_go(node: Node) -> None:
    assert node.backends.select("chat") is None
    added = await node.backends.register("one", "echo", models={"a": "a"}, tasks=["chat"])
    await node.backends.register("two", "openai", base_url="http://127.0.0.1:9/v1", priority=-1)
    assert (added.id, added.status, added.tasks) == ("one", "healthy", ("chat",))

    assert [each.id for each in node.backends.list()] == ["one", "two"]
    assert [each.id for each in node.backends.list(type=BackendType.API)] == ["two"]
    assert [each.id for each in node.backends.list(status="offline", task="chat")] == ["two"]

    chosen = node.backends.select("chat", preferred_types=["hybrid", "api"])
    assert chosen is not None
    assert chosen.id == "one"
    assert node.backends.select("chat", required_protocols=["smoke"]) is None
    assert node.backends.select("text-to-image", preferred_types=["gpu"]) is None

    node.backends.drain("one")
    assert node.backends.get("one").draining
    node.backends.drain("one", drains=False)
    assert (await node.backends.check("one")).status == "healthy"
    assert await node.backends.unregister("one") == 0
    report = node.backends.report()
    assert (report.total_backends, report.backends_by_type["api"]) == (1, 1)


async def test_a_backend_of_ones_own_is_asked_like_any_other(node: Node) -> None:
    mine = FakeBackend("mine")
    await node.backends.register("mine", instance=mine)
    reply = await node.infer("text-generation", "Hi", model="acme/one", tier="local")
    assert (reply.text, reply.backend, reply.output_tokens) == ("one two three", "mine", 3)
    async with node.stream("text-generation", "Hi") as pieces:
        assert [piece async for piece in pieces] == ["one ", "two ", "three"]
    assert mine.freed.is_set()
    with pytest.raises(ValueError, match="its own name"):
        await node.backends.register("other", instance=mine)


async def test_what_a_reply_holds(node: Node) -> None:
    await node.backends.register("parrot", "echo", models={"polly": "polly"})
    assert await node.ask("Who's there?") == "Who's there?"
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert (await node.infer("chat", chat)).text == "Hello"
    vectors = (await node.infer("feature-extraction", ["a", "b"])).vectors
    assert len(vectors) == 2
    drawn = await node.infer("text-to-image", "a fox", timeout=20.0)
    assert drawn.media is not None
    assert drawn.media.content_type.startswith("image/")
    labels = await node.infer("image-classification", {}, files={"image": b"\x89PNG"})
    assert labels.value


async def test_what_is_wrong_is_told_as_everywhere(node: Node) -> None:
    await node.backends.register("parrot", "echo", models={"polly": "polly"})
    with pytest.raises(NameTaken, match="called parrot already"):
        await node.backends.register("parrot", "echo")
    with pytest.raises(ValueError, match="lower-case letters"):
        await node.backends.register("a\nb", "echo")
    with pytest.raises(ValueError, match="printable text"):
        await node.backends.register("other", "echo", models=["a\nb"])
    with pytest.raises(ValueError, match="up to 86400 seconds"):
        await node.backends.register("other", "echo", timeout=1e300)
    with pytest.raises(ValueError, match="no kind called"):
        await node.backends.register("other", "quantum")
    with pytest.raises(TypeError, match="no setting called volume"):
        await node.backends.register("other", "echo", volume=11)
    with pytest.raises(ValueError, match="Expected `str`"):
        await node.backends.register("other", "openai", base_url=9)
    with pytest.raises(ValueError, match="is not a valid BackendType"):
        node.backends.list(type="quantum")
    with pytest.raises(NoSuchBackend, match="no backend called nobody"):
        await node.backends.unregister("nobody")
    with pytest.raises(UnsupportedTask):
        await node.infer("paint", "x")
    with pytest.raises(ModelNotFound):
        await node.infer("chat", "x", model="nobody's")
    with pytest.raises(InvalidRequest, match="tier"):
        await node.infer("chat", "x", tier="galaxy")


async def test_a_misspelt_argument_is_refused_and_nobody_asked(node: Node) -> None:
    mine = FakeBackend("mine")
    await node.backends.register("mine", instance=mine)
    strange: Any = {"teir": "local"}
    known = r"no argument called teir: backend, strategy, tier, timeout$"
    with pytest.raises(TypeError, match=known):
        await node.ask("secret words", model="acme/one", **strange)
    with pytest.raises(TypeError, match=known):
        await node.infer("chat", "secret words", **strange)
    with pytest.raises(TypeError, match=known):
        async with node.stream("chat", "secret words", **strange):
            pass
    assert mine.asked == []


async def test_the_settings_that_are_listed_are_those_that_can_be_made(node: Node) -> None:
    with pytest.raises(TypeError, match="no setting called base_urll") as told:
        await node.backends.register("other", "openai", base_urll="http://127.0.0.1:9/v1")
    assert str(told.value).partition(": ")[2].split(", ") == [
        "api_key", "base_url", "models", "options", "priority", "stall", "tasks", "tier", "timeout"
    ]  # fmt: skip
    assert node.backends.list() == []


async def test_a_home_folder_that_is_in_use_is_refused(tmp_path: Path, node: Node) -> None:
    with pytest.raises(CannotStart, match="already uses the home folder"):
        async with inferd.open_node({"server.home": str(tmp_path), "discovery.auto": False}):
            pass
