"""What the log says of backends that fail, and of requests that went on to another."""

import pytest

from inferd.core.answer import collect
from inferd.core.errors import BackendFailed, NodeError
from inferd.core.records import Detour
from inferd.core.request import InferenceRequest
from inferd.gateway.routing.member import Member
from tests.gateway.fakes import MODEL, Bench, FakeBackend


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def breaks(member: Member, now: float, *, retry_after: float | None = None) -> None:
    member.took()
    member.broke("gpu-1 failed (HTTP 500)", now, retry_after=retry_after)


def answers(member: Member) -> None:
    member.took()
    member.gave(0.1)


SET_ASIDE = (
    "WARNING",
    "backend gpu-1 is set aside for 1 s, longer if it fails again: gpu-1 failed (HTTP 500)",
)
WELL = ("INFO", "backend gpu-1 answers again")


@pytest.fixture
def member(caplog: pytest.LogCaptureFixture) -> Member:
    caplog.set_level("INFO", logger="inferd.gateway.routing.pool")
    return Member(FakeBackend("gpu-1"), priority=0)


def test_an_outage_is_two_lines_however_many_requests_fail(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    answers(member)
    for second in range(100):
        breaks(member, float(second))
    assert said(caplog) == [SET_ASIDE]
    for _ in range(100):
        answers(member)
    assert said(caplog) == [SET_ASIDE, WELL]
    breaks(member, 200.0)
    assert said(caplog) == [SET_ASIDE, WELL, SET_ASIDE]


def test_one_that_fails_every_other_request_does_not_fill_the_log(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    for step in range(100):
        breaks(member, step * 0.01)
        answers(member)
    assert said(caplog) == [SET_ASIDE, WELL]
    breaks(member, 10.0)
    [(level, line)] = said(caplog)[2:]
    # Half of what it is asked goes wrong: it is left alone for longer than after a first failure.
    assert (level, line) == (SET_ASIDE[0], SET_ASIDE[1].replace("for 1 s", "for 4 s"))


def test_how_long_a_backend_wants_to_be_left_alone_is_said(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    breaks(member, 0.0, retry_after=90.0)
    assert " for 90 s, " in caplog.text


async def test_a_look_that_fails_and_one_that_goes_well_are_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="inferd.gateway.routing.pool")
    here = FakeBackend("gpu-1")
    bench = Bench(here)
    for error in (None, BackendFailed("down"), BackendFailed("down"), None, None):
        here.error = error
        await bench.pool.refresh()
    assert said(caplog) == [("WARNING", "backend gpu-1 can't be asked: down"), WELL]


async def test_a_look_does_not_call_well_who_fails_requests(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="inferd.gateway.routing.pool")
    bench = Bench(FakeBackend("gpu-1"))
    breaks(bench.members[0], bench.clock.now())
    await bench.pool.refresh()
    assert said(caplog) == [SET_ASIDE]


def ask() -> InferenceRequest:
    return InferenceRequest(id="r", task="text-generation", model=MODEL)


async def test_a_request_that_went_on_says_after_whom() -> None:
    first, second = FakeBackend("first"), FakeBackend("second")
    first.error = BackendFailed("down")
    bench = Bench(first, second)
    for _ in range(2):
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            await collect(answer)
    went_on, straight = bench.records.rows
    assert isinstance(went_on, Detour)
    assert (went_on.backend, went_on.after, went_on.outcome) == ("second", ("first",), "ok")
    assert not isinstance(straight, Detour)


async def test_a_request_that_failed_everywhere_names_the_others() -> None:
    backends = [FakeBackend(name) for name in ("a", "b", "c")]
    for backend in backends:
        backend.error = BackendFailed("down")
    bench = Bench(*backends)
    with pytest.raises(NodeError):
        async with bench.gateway.infer(ask(), bench.owner):
            pass
    [row] = bench.records.rows
    assert isinstance(row, Detour)
    assert row.backend not in row.after
    assert {row.backend, *row.after} == {"a", "b", "c"}
