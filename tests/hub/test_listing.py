"""The Hub's listings over a Hub on loopback: asked once, kept, stale when it fails."""

import asyncio
import gc
import logging
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from inferd.core.hub import HubLimited, HubQuery, Listing
from inferd.hub import Hub, Settings, open_hub
from tests.clocks import HandClock
from tests.hub.standin import Mode, StandIn, many, model, stand_in

pytestmark = pytest.mark.extra

QUERY = HubQuery(task="text-generation")
TOKEN = "hf_secretsecretsecret"
FRESH = 600
WHY: dict[Mode, str] = {
    "limited": "come back later (HTTP 429)",
    "down": "failed (HTTP 503)",
    "refusing": "refused our token (HTTP 401)",
    "html": "a web page",
    "shape": "isn't a list of models",
    "huge": "longer than 16 MiB",
    "redirecting": "elsewhere (HTTP 302)",
}


@asynccontextmanager
async def opened(
    upstream: StandIn,
    clock: HandClock,
    folder: Path | None = None,
    *,
    seconds: float = 30,
    patience: float = 30,
) -> AsyncGenerator[Hub]:
    settings = Settings(
        endpoint=upstream.url, token=TOKEN, timeout=seconds, patience=patience, folder=folder
    )
    async with open_hub(settings, clock=clock) as hub:
        yield hub


def only_file(folder: Path) -> Path:
    [file] = folder.iterdir()
    return file


def _clients() -> set[int]:
    """Return which HTTP clients there are that nobody has closed."""
    return {
        id(each)
        for each in gc.get_objects()
        if isinstance(each, httpx2.AsyncClient) and not each.is_closed
    }


def told(listing: Listing) -> tuple[int, str, str]:
    return len(listing.models), listing.cache, str(listing.failure or "")


async def test_pages_are_followed_until_there_are_enough() -> None:
    with stand_in(many(1300)) as upstream:
        async with opened(upstream, HandClock()) as hub:
            few = await hub.list(QUERY, 10)
            more = await hub.list(QUERY, 700)
            most = await hub.list(QUERY, 5000)
    assert (len(few.models), few.more) == (10, True)
    assert (len(more.models), more.more) == (1000, False)
    assert (len(most.models), most.more) == (1000, False)
    names = [each.id for each in most.models]
    assert names == [str(each["id"]) for each in upstream.models[:1000]]
    assert all(each.headers["authorization"] == f"Bearer {TOKEN}" for each in upstream.requests)


async def test_a_fresh_list_is_not_asked_for_again() -> None:
    clock = HandClock()
    with stand_in(many(20)) as upstream:
        async with opened(upstream, clock) as hub:
            assert told(hub.known(QUERY)) == (0, "none", "")
            await hub.list(QUERY, 100)
            clock.turn(FRESH - 1)
            listing = await hub.list(QUERY, 100)
            assert (told(listing), listing.age) == ((20, "fresh", ""), FRESH - 1)
            assert len(upstream.asked) == 1
            clock.turn(2)
            assert hub.known(QUERY).cache == "stale"
            assert told(await hub.list(QUERY, 100)) == (20, "fresh", "")
            assert len(upstream.asked) == 2


@pytest.mark.parametrize("mode", WHY)
async def test_a_hub_that_fails_is_told_and_what_was_known_is_shown(mode: Mode) -> None:
    clock = HandClock()
    with stand_in(many(20)) as upstream, stand_in(many(20)) as other:
        upstream.link_host = other.url
        async with opened(upstream, clock) as hub:
            await hub.list(QUERY, 100)
            clock.turn(FRESH + 1)
            upstream.mode = mode
            rows, cache, why = told(await hub.list(QUERY, 100))
            assert (rows, cache) == (20, "stale")
            assert WHY[mode] in why
            assert TOKEN not in why
            bare = await hub.list(HubQuery(task="fill-mask"), 100)
    assert told(bare)[:2] == (0, "none")
    assert other.asked == []
    assert bare.failure is not None
    assert isinstance(bare.failure, HubLimited) is (mode == "limited")


async def test_a_hub_that_is_gone_is_told() -> None:
    with stand_in() as upstream:
        pass
    async with opened(upstream, HandClock()) as hub:
        rows, cache, why = told(await hub.list(QUERY, 100))
    assert (rows, cache) == (0, "none")
    assert why.startswith("Hugging Face can't be reached: nobody answers there")


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://nowhere.invalid", "there is no such host, or no network"),
        ("https://127.0.0.1:{port}", "its certificate can't be trusted, or it doesn't speak TLS"),
        ("gopher://127.0.0.1", "its address can't be asked"),
    ],
)
async def test_what_stands_in_the_way_is_said_in_plain_words(endpoint: str, why: str) -> None:
    with stand_in() as upstream:
        endpoint = endpoint.format(port=upstream.url.rpartition(":")[2])
        async with open_hub(Settings(endpoint=endpoint), clock=HandClock()) as hub:
            said = told(await hub.list(QUERY, 100))[2]
    assert said.startswith(f"Hugging Face can't be reached: {why}")


async def test_many_searches_that_find_nothing_are_forgotten(tmp_path: Path) -> None:
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock(), tmp_path) as hub:
            await hub.list(QUERY, 10)
            found = HubQuery(task=QUERY.task, search="model")
            await hub.list(found, 10)
            for number in range(520):
                await hub.list(HubQuery(task="chat", search=f"none-{number}"), 10)
            assert repr(hub) == "<Hub 512 listings, 0 being fetched>"
            # Neither from memory nor from the disk have they pushed out what is of use.
            assert (len(hub.known(QUERY).models), hub.known(QUERY).cache) == (10, "fresh")
            assert hub.known(found).cache == "fresh"
    assert len(os.listdir(tmp_path)) == 2


async def test_the_first_who_ask_share_one_client() -> None:
    before = _clients()
    with stand_in(many(5)) as upstream:
        async with opened(upstream, HandClock()) as hub:
            async with asyncio.TaskGroup() as group:
                for task in ("chat", "fill-mask", "summarization"):
                    group.create_task(hub.list(HubQuery(task=task), 10))
            opened_now = _clients() - before
    assert len(opened_now) == 1


@pytest.mark.parametrize("mode", ["silent", "dribbling"])
async def test_a_slow_hub_is_waited_for_so_long_and_no_longer(mode: Mode) -> None:
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock(), seconds=0.3) as hub:
            upstream.mode = mode
            assert "within 0.3 s" in told(await hub.list(QUERY, 100))[2]
            assert await asyncio.to_thread(upstream.left.wait, 10)


async def test_with_an_old_list_to_show_a_slow_hub_is_hardly_waited_for() -> None:
    clock = HandClock()
    with stand_in(many(20)) as upstream:
        async with opened(upstream, clock, patience=0.2) as hub:
            await hub.list(QUERY, 100)
            clock.turn(FRESH + 1)
            upstream.mode = "silent"
            async with asyncio.timeout(20):
                rows, cache, why = told(await hub.list(QUERY, 100))
    assert (rows, cache) == (20, "stale")
    assert "within 0.2 s" in why


@pytest.mark.parametrize("mode", ["endless", "circling"])
@pytest.mark.parametrize("count", [30, 3000])
async def test_an_endless_chain_of_pages_ends(mode: Mode, count: int) -> None:
    with stand_in(many(count)) as upstream:
        upstream.mode = mode
        async with opened(upstream, HandClock()) as hub:
            listing = await hub.list(QUERY, 1000)
    assert len({each.id for each in listing.models}) == len(listing.models) <= 1000
    assert len(upstream.asked) <= 20
    if mode == "circling":
        assert len(upstream.asked) == 2


async def test_a_link_to_another_host_leads_nowhere_else() -> None:
    with stand_in(many(800)) as upstream, stand_in() as other:
        upstream.link_host = other.url
        async with opened(upstream, HandClock()) as hub:
            listing = await hub.list(QUERY, 1000)
    assert len(listing.models) == 800
    assert other.asked == []


async def test_many_who_ask_the_same_ask_once() -> None:
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock()) as hub, asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(hub.list(QUERY, 100))
    assert len(upstream.asked) == 1


async def test_a_failed_hub_is_left_alone_and_then_asked_again() -> None:
    clock = HandClock()
    with stand_in(many(20)) as upstream:
        async with opened(upstream, clock) as hub:
            upstream.mode = "down"
            for task in ("text-generation", "fill-mask", "summarization"):
                assert (await hub.list(HubQuery(task=task), 100)).failure
            assert len(upstream.asked) == 1
            clock.turn(31)
            upstream.mode = "limited"
            upstream.retry_after = "120"
            failure = (await hub.list(QUERY, 100)).failure
            assert failure is not None
            assert failure.retry_after == 120
            clock.turn(119)
            await hub.list(QUERY, 100)
            assert len(upstream.asked) == 2
            clock.turn(2)
            upstream.mode = "ok"
            assert told(await hub.list(QUERY, 100)) == (20, "fresh", "")


async def test_whoever_leaves_ends_only_their_own_wait() -> None:
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock(), seconds=60) as hub:
            upstream.mode = "silent"
            waiting = asyncio.ensure_future(hub.list(QUERY, 100))
            while not upstream.asked:
                await asyncio.wait([waiting], timeout=0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert "1 being fetched" in repr(hub)
    assert "0 being fetched" in repr(hub)


async def test_lists_survive_a_restart_for_the_owner_s_eyes_only(tmp_path: Path) -> None:
    clock, folder = HandClock(), tmp_path / "hub"
    with stand_in(many(20)) as upstream:
        async with opened(upstream, clock, folder) as hub:
            await hub.list(QUERY, 100)
        upstream.mode = "down"
        async with opened(upstream, clock, folder) as hub:
            assert told(hub.known(QUERY)) == (20, "fresh", "")
        clock.turn(FRESH + 1)
        async with opened(upstream, clock, folder) as hub:
            assert told(await hub.list(QUERY, 100))[:2] == (20, "stale")
    file = only_file(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert TOKEN not in file.read_text()


async def test_another_endpoint_s_lists_are_not_ours(tmp_path: Path) -> None:
    with stand_in(many(20)) as one, stand_in() as two:
        async with opened(one, HandClock(), tmp_path) as hub:
            await hub.list(QUERY, 100)
        async with opened(two, HandClock(), tmp_path) as hub:
            assert told(hub.known(QUERY)) == (0, "none", "")


@pytest.mark.parametrize("rubbish", [b"", b"\0\xff", b"{}", b"[" * 9999, b'{"query":1}'])
async def test_a_garbled_file_is_replaced(tmp_path: Path, rubbish: bytes) -> None:
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock(), tmp_path) as hub:
            await hub.list(QUERY, 100)
        file = only_file(tmp_path)
        file.write_bytes(rubbish)
        async with opened(upstream, HandClock(), tmp_path) as hub:
            assert told(hub.known(QUERY)) == (0, "none", "")
            assert told(await hub.list(QUERY, 100)) == (20, "fresh", "")
        async with opened(upstream, HandClock(), tmp_path) as hub:
            assert len(hub.known(QUERY).models) == 20


async def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("a file")
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock(), tmp_path / "hub") as hub:
            assert told(await hub.list(QUERY, 100)) == (20, "fresh", "")


async def test_a_failing_search_falls_back_on_the_whole_list() -> None:
    with stand_in([*many(20), model("acme/lama")]) as upstream:
        async with opened(upstream, HandClock()) as hub:
            found = await hub.list(HubQuery(task="text-generation", search="lama"), 100)
            assert [each.id for each in found.models] == ["acme/lama"]
            await hub.list(QUERY, 100)
            upstream.mode = "down"
            other = HubQuery(task="text-generation", search="model", sort="likes")
            assert told(await hub.list(other, 100))[:2] == (21, "stale")


async def test_the_token_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with stand_in(many(20)) as upstream:
        async with opened(upstream, HandClock()) as hub:
            await hub.list(QUERY, 100)
            upstream.mode = "refusing"
            failure = (await hub.list(HubQuery(task="fill-mask"), 100)).failure
    assert "refused our token" in str(failure)
    assert "HTTP 401" in caplog.text
    assert TOKEN not in caplog.text
