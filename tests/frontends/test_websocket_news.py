"""Topics on a WebSocket: what is told, to whom, and what becomes of who can't keep up."""

import json

import pytest

from inferd.core.request import Tier
from inferd.gateway.admission.policy import Rule
from inferd.gateway.events import InferenceEvent, Topic
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, fails, says
from tests.frontends.nodes import Way, open_node, soon
from tests.frontends.sockets import dial

KEY = "a-shared-secret"
BEARER = {"Authorization": f"Bearer {KEY}"}
ASK = {"model": "tiny", "inputs": "Hi", "request_id": "r1"}
WAYS = pytest.mark.parametrize(
    "way", [Way.NATIVE, pytest.param(Way.UVICORN, marks=pytest.mark.extra)]
)


@WAYS
async def test_every_topic_is_really_published_on(way: Way) -> None:
    async with (
        open_node(FakeBackend(says(*HELLO)), way=way, clock=HandClock()) as node,
        dial(node, "watcher") as watcher,
        dial(node, "asker") as asker,
    ):
        topics = ["inference", "status", "backend", "queue"]
        await watcher.say(type="subscribe", topics=topics)
        assert await watcher.hear() == {
            "type": "subscribed",
            "topics": topics,
            "timestamp": 1_000_000.0,
        }
        status, backend = await watcher.hear(), await watcher.hear()
        assert (status["topic"], status["data"]["backends_up"]) == ("status", 1)
        assert (backend["topic"], backend["data"]["name"]) == ("backend", "fake")
        await asker.ask(**ASK)
        told = {"inference": [], "queue": [], "backend": []}
        while not any(each["stage"] == "finished" for each in told["inference"]):
            event = await watcher.hear("event")
            told[event["topic"]].append(event["data"])
        assert {each["request_id"] for each in told["inference"]} == {"r1"}
        assert [each["in_flight"] for each in told["queue"]][:1] == [1]
        await watcher.say(type="unsubscribe", topics=["inference", "queue", "backend"])
        left = await watcher.hear("unsubscribed")
        assert left["topics"] == ["inference", "queue", "backend"]
        await asker.ask(**ASK)
        await watcher.say(type="ping")
        assert (await watcher.hear())["type"] == "pong"


async def test_status_is_told_as_time_passes() -> None:
    clock = HandClock()
    async with open_node(FakeBackend(says(*HELLO)), clock=clock) as node, dial(node) as talker:
        await talker.say(type="subscribe", topics=["status"])
        await talker.hear("event")
        for _ in range(2):
            await soon(clock.has_sleepers())
            clock.turn(5.0)
            await talker.say(type="ping")
            await talker.hear("pong", "event")
        assert (await talker.hear("event", "pong"))["type"] in ("event", "pong")


@pytest.mark.parametrize("topics", [["weather"], ["status", "weather"], [], None, "status", [1]])
async def test_what_is_no_topic_is_refused_with_the_known_ones(topics: object) -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, dial(node) as talker:
        await talker.say(type="subscribe", topics=topics)
        told = await talker.hear()
        assert told["type"] == "error"
        assert "topics" in told["message"]
        await talker.say(type="unsubscribe")
        assert (await talker.hear())["topics"] == []


async def test_ten_thousand_topics_are_not_even_taken_apart() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, dial(node) as talker:
        await talker.say(type="subscribe", topics=["status"] * 10_000)
        told = await talker.hear()
        assert told["type"] == "error"
        assert "topics" in told["message"]


async def test_one_hears_only_of_what_it_may_know() -> None:
    near = FakeBackend(says(*HELLO), "near")
    far = FakeBackend(says(*HELLO), "far", tier=Tier.CLOUD)
    rules = [Rule(principal="secret:*", tier=Tier.LOCAL), Rule(principal="owner")]
    async with (
        open_node(near, far, secrets=[KEY], rules=rules) as node,
        dial(node, headers=BEARER) as talker,
        dial(node, headers={"Authorization": "Bearer the-owner's-own-token"}) as owner,
    ):
        await talker.say(type="subscribe", topics=["backend", "inference", "queue"])
        await talker.hear("subscribed")
        assert (await talker.hear())["data"]["name"] == "near"
        await owner.ask(**ASK, headers={"X-Inference-Backend": "far"})
        await owner.ask(**ASK, headers={"X-Inference-Backend": "near"})
        await talker.say(type="status", details="full")
        told = await talker.hear_to("status")
        events = [each for each in told if each["type"] == "event"]
        assert not any(each["topic"] == "inference" for each in events)
        assert "far" not in json.dumps(told)


async def test_who_cannot_keep_up_is_told_and_then_dropped() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, dial(node) as talker:
        await talker.say(type="subscribe", topics=["inference"])
        await talker.hear("subscribed")
        events = node.gateway.pool.events
        # Published in one breath: nobody has a turn to read them.
        for number in range(2000):
            events.publish(Topic.INFERENCE, _event(str(number)))
        heard = await talker.hear_to("unsubscribed")
        [dropped] = [each for each in heard if each["type"] == "dropped"]
        assert dropped["dropped"] == 2000 - 256
        assert not events.is_heard
        assert (await talker.hear())["type"] == "error"
        await talker.say(type="subscribe", topics=["inference"])
        assert (await talker.hear())["type"] == "subscribed"
        for number in range(300):
            events.publish(Topic.INFERENCE, _event(str(number)))
        heard = await talker.hear_to("event")
        assert [each["type"] for each in heard] == ["dropped", "event"]
        assert heard[1]["data"]["request_id"] == "44"


@WAYS
async def test_leaving_ends_the_subscription(way: Way) -> None:
    async with open_node(FakeBackend(says(*HELLO)), way=way) as node:
        for _ in range(20):  # More than one principal may hold at a time.
            async with dial(node) as talker:
                await talker.say(type="subscribe", topics=["status"])
                assert (await talker.hear())["type"] == "subscribed"


async def test_status_is_the_report_in_short_or_in_full() -> None:
    backends = FakeBackend(says(*HELLO)), FakeBackend(fails(ValueError()), "b")
    async with open_node(*backends) as node, dial(node) as talker:
        await talker.say(type="status")
        told = await talker.hear()
        assert told.keys() == {"type", "timestamp", "detail_level", "backend_status"}
        assert told["detail_level"] == "summary"
        assert told["backend_status"]["total_backends"] == 2
        assert "backends" not in told["backend_status"]
        await talker.say(type="status", details="full")
        told = await talker.hear()
        names = [backend["name"] for backend in told["backend_status"]["backends"]]
        assert names == ["fake", "b"]
        await talker.say(type="status", details="everything")
        assert (await talker.hear())["type"] == "error"


def _event(request_id: str) -> InferenceEvent:
    return InferenceEvent(
        request_id=request_id, stage="finished", principal="owner", task="chat", model="tiny"
    )
