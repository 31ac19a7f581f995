"""What the node reports of its backends: the brief's keys, the six statuses, what comes next."""

import pytest

from inferd.core.answer import Answer, collect
from inferd.core.backend import Model, Status
from inferd.core.errors import BackendFailed
from inferd.core.request import InferenceRequest, Principal
from inferd.gateway.admission.policy import Rule
from inferd.gateway.report import BackendReport, StatusReport
from inferd.gateway.routing.history import BOUNDS, POINTS, SPAN, History
from inferd.gateway.routing.member import Member
from tests.gateway.fakes import MODEL, Bench, FakeBackend
from tests.gateway.test_pool import Counting, running, settled

ALICE = Principal(id="secret:alice")
ASK = InferenceRequest(id="r", task="text-generation", model=MODEL)


def reported(bench: Bench, name: str = "a") -> BackendReport:
    found = bench.gateway.report(bench.owner)
    return next(each for each in found.backends if each.id == name)


def answers(member: Member, seconds: float = 0.1) -> None:
    member.took()
    member.gave(seconds)


def breaks(member: Member) -> None:
    member.took()
    member.broke("HTTP 500", member.now())


def test_the_report_has_the_words_of_the_brief() -> None:
    assert StatusReport.__struct_fields__ == (
        "total_backends",
        "backends_by_type",
        "backends_by_status",
        "total_requests",
        "total_successful",
        "total_failed",
        "supported_tasks",
        "backends",
        "timestamp",
    )
    bench = Bench(FakeBackend("a"), FakeBackend("b", is_node=True))
    found = bench.gateway.report(bench.owner)
    assert set(found.backends_by_status) == {each.value for each in Status}
    assert found.backends_by_type["api"] == found.backends_by_type["hybrid"] == 1
    assert (found.total_backends, found.supported_tasks) == (2, ("text-generation",))


async def test_counts_and_times_are_those_of_the_requests() -> None:
    bench = Bench(FakeBackend("a"))
    member = bench.members[0]
    for seconds in (0.1, 0.1, 0.1, 1.0):
        answers(member, seconds)
    breaks(member)
    member.took()
    told = reported(bench).metrics
    assert (told.requests, told.successes, told.failures, told.in_flight) == (6, 4, 1, 1)
    assert told.success_rate == 0.8
    assert told.avg_latency_ms == pytest.approx(325)
    assert told.p50_ms == pytest.approx(100, rel=0.13)
    assert told.p95_ms == pytest.approx(1000, rel=0.13)


def test_a_caller_that_leaves_takes_no_request_back() -> None:
    bench = Bench(FakeBackend("a"))
    member = bench.members[0]
    member.took()
    assert bench.gateway.report(bench.owner).total_requests == 1
    member.left()
    told = reported(bench).metrics
    assert (told.requests, told.in_flight, told.success_rate) == (1, 0, None)


def test_nothing_is_reported_of_what_the_principal_may_not_see() -> None:
    rules = (Rule(principal="secret:*", actions=("*",), backends=("a",)),)
    bench = Bench(FakeBackend("a"), FakeBackend("b"), rules=rules)
    for member in bench.members:
        answers(member)
    found = bench.gateway.report(ALICE)
    assert [each.id for each in found.backends] == ["a"]
    assert (found.total_requests, sum(found.backends_by_status.values())) == (1, 1)
    assert [each.id for each in bench.gateway.history(ALICE)] == ["a"]


async def test_a_backend_goes_through_all_six_statuses() -> None:
    here = FakeBackend("a")
    bench = Bench(here)
    member, clock = bench.members[0], bench.clock
    assert (member.status, reported(bench).next) == ("initializing", "being asked what it offers")
    await bench.pool.refresh()
    assert (member.status, reported(bench).next) == ("healthy", "")
    breaks(member)
    told = reported(bench)
    assert (told.status, told.reason, told.next) == ("unhealthy", "HTTP 500", "tried again in 1 s")
    assert (told.breaker.state, told.breaker.failures, told.breaker.until) == ("open", 1, 1.0)
    clock.turn(1)
    assert (member.status, reported(bench).next) == ("degraded", "the next request tries it")
    member.took()
    assert (member.status, reported(bench).next) == ("degraded", "one request is trying it")
    member.gave(0.1)
    assert member.status == "healthy"
    here.error = BackendFailed("connection refused")
    await bench.pool.refresh()
    assert (member.status, member.error) == ("offline", "connection refused")
    here.error = None
    await bench.pool.refresh()
    assert member.status == "healthy"
    clock.turn(60 * 3 + 1)
    assert member.status == "unknown"


async def test_a_long_answer_that_has_begun_ends_the_trial() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    member = bench.members[0]
    await bench.pool.refresh()
    breaks(member)
    bench.clock.turn(1)
    request = InferenceRequest(id="r", task="text-generation", model=MODEL)
    async with bench.gateway.infer(request, bench.owner) as answer:
        assert answer.served.backend == "a"
        assert (member.status, member.breaker.failures) == ("healthy", 1)
    assert member.breaker.failures == 0


async def test_only_one_request_tries_it_and_who_leaves_lets_the_next_try() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    member = bench.members[0]
    breaks(member)
    bench.clock.turn(1)
    request = InferenceRequest(id="r", task="text-generation", model=MODEL)
    plan = bench.plans.of(request, bench.owner)

    def next_asked() -> str:
        name = plan.first(bench.clock.now(), bench.pool.changes.health, request).name
        found = bench.pool.find(name)
        assert found is not None
        found.took()
        return name

    assert [next_asked() for _ in range(4)] == ["a", "b", "b", "b"]
    member.left()
    assert [next_asked() for _ in range(3)] == ["a", "b", "b"]
    member.broke("HTTP 500", bench.clock.now())
    assert (member.status, member.breaker.failures) == ("unhealthy", 2)
    bench.clock.turn(1.5)
    assert next_asked() == "b"
    bench.clock.turn(0.5)
    assert next_asked() == "a"


async def test_idle_is_not_dead() -> None:
    bench = Bench(FakeBackend("a"))
    async with running(bench):
        for _ in range(10):
            await settled()
            bench.clock.turn(60)
        await bench.pool.refresh()
        assert bench.members[0].status == "healthy"


async def test_many_failures_among_successes_are_remembered_for_a_while() -> None:
    bench = Bench(FakeBackend("a"))
    member, clock = bench.members[0], bench.clock
    await bench.pool.refresh()
    for _ in range(3):
        breaks(member)
        breaks(member)
        answers(member)
    assert member.status == "degraded"
    assert reported(bench).next.startswith("asked after its equals for ")
    clock.turn(120)
    assert member.status == "healthy"


async def test_one_that_can_not_be_reached_is_asked_again_soon_and_later() -> None:
    here = Counting("a")
    here.error = BackendFailed("connection refused")
    bench = Bench(here)
    async with running(bench):
        for looks, wait in ((1, 2), (2, 4), (3, 8)):
            await here.has_looks(looks)
            await settled()
            assert reported(bench).next == f"asked again in {wait} s"
            bench.clock.turn(wait)


async def test_one_that_fails_a_request_is_looked_at_a_second_later() -> None:
    here = Counting("a")
    bench = Bench(here)
    async with running(bench):
        await here.has_looks(1)
        await settled()
        breaks(bench.members[0])
        await settled()
        here.error = BackendFailed("connection refused")
        bench.clock.turn(1)
        await here.has_looks(2)
        await settled()
        assert bench.members[0].status == "offline"


async def test_a_backend_that_answers_while_a_look_at_it_fails_is_not_offline() -> None:
    here = FakeBackend("a")
    bench = Bench(here)

    class Busy(BackendFailed):
        """Raised while a request ends well."""

    here.fault = Busy("late")
    asked = here.capabilities

    async def busy() -> object:
        answers(bench.members[0])
        return await asked()

    here.capabilities = busy  # type: ignore[method-assign, assignment]
    await bench.pool.refresh()
    assert bench.members[0].status == "healthy"


async def test_an_offline_backend_is_asked_last_until_it_answers() -> None:
    first, second = FakeBackend("a"), FakeBackend("b")
    bench = Bench(first, second)
    first.error = BackendFailed("connection refused")
    await bench.pool.refresh()
    request = InferenceRequest(id="r", task="text-generation", model=MODEL)
    for _ in range(3):
        async with bench.gateway.infer(request, bench.owner) as answer:
            assert answer.served.backend == "b"
    assert not first.asked
    first.error = None
    await bench.pool.refresh()
    plan = bench.plans.of(request, bench.owner)
    now, health = bench.clock.now(), bench.pool.changes.health
    assert {
        match.member.name for match in (plan.first(now, health, request) for _ in range(2))
    } == {"a", "b"}


def test_the_hour_is_kept_in_as_many_points_and_no_more() -> None:
    history = History()
    for span in range(POINTS + 5):
        if span % 2:
            history.add(0.2)
            history.failures += 1
        history.turn()
    assert len(history.points) == POINTS
    assert POINTS * SPAN == 3600
    quiet, busy = history.points[-1], history.points[-2]
    if not quiet.requests:
        quiet, busy = busy, quiet
    assert {each.requests for each in history.points} == {0, 2}


@pytest.mark.parametrize("seconds", [0.00001, 0.001, 0.03, 1.0, 59.0, 3600.0])
def test_a_quantile_is_within_an_eighth_of_the_truth(seconds: float) -> None:
    history = History()
    history.add(seconds)
    found = history.quantile(0.5)
    assert found == pytest.approx(min(max(seconds, BOUNDS[0]), BOUNDS[-1]), rel=0.13)


async def test_a_long_stream_is_not_held_against_who_began_it_soon() -> None:
    class Slow(FakeBackend):
        """Begins to answer half a second after it was asked."""

        async def infer(self, request: InferenceRequest) -> Answer:
            bench.clock.turn(0.5)
            return await super().infer(request)

    bench = Bench(Slow("a"))
    member = bench.members[0]
    for _ in range(3):
        async with bench.gateway.infer(ASK, bench.owner) as answer:
            bench.clock.turn(20)
            await collect(answer)
    assert member.latency == pytest.approx(0.5)
    assert member.begin.quantile(0.95) == pytest.approx(0.5, rel=0.13)
    assert member.history.quantile(0.95) == pytest.approx(20.5, rel=0.13)
    for _ in range(2):
        member.begin.turn()
    assert member.begin.quantile(0.95) is None


def test_models_are_counted() -> None:
    models = tuple(Model(id=f"m{n}", tasks=frozenset({"text-generation"})) for n in range(3))
    assert reported(Bench(FakeBackend("a", models=models))).metrics.models_loaded == 3
