"""The one path: admit, route, run, account."""

import asyncio

import pytest

from inferd.core.answer import collect
from inferd.core.content import BytesFile
from inferd.core.errors import (
    BackendDenied,
    BackendFailed,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    CallerLeft,
    LoopDetected,
    ModelNotFound,
    NodeError,
    PermissionDenied,
    RateLimited,
)
from inferd.core.request import InferenceRequest, Limits, Place, Principal, Tier
from inferd.core.result import TextDelta
from inferd.gateway.admission.policy import Rule
from tests.gateway.fakes import MODEL, Bench, FakeBackend

ALICE = Principal(id="secret:alice")
ANY = frozenset({"text-generation"})


def ask(**fields: object) -> InferenceRequest:
    fields = {"id": "r1", "task": "text-generation", "model": MODEL, **fields}
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


def far_node(name: str = "far") -> FakeBackend:
    return FakeBackend(name, tier=Tier.TEAM, is_node=True, open_tasks=ANY)


async def test_an_answer_is_lent_and_closed_and_recorded() -> None:
    here = FakeBackend()
    bench = Bench(here)
    async with bench.gateway.infer(ask(), bench.owner) as answer:
        result = await collect(answer)
        assert bench.members[0].in_flight == 1
    assert result.text == "one two three"
    assert here.freed.is_set()
    assert bench.members[0].in_flight == 0
    (row,) = bench.records.rows
    assert (row.principal, row.model, row.backend, row.source) == ("owner", MODEL, "here", "local")
    assert (row.tier, row.input_tokens, row.output_tokens, row.outcome) == ("local", 2, 3, "ok")
    assert not bench.records.forwards


async def test_the_answer_says_who_gave_it_and_who_saw_the_words() -> None:
    bench = Bench(far_node())
    async with bench.gateway.infer(ask(place=Place.REMOTE), bench.owner) as answer:
        await collect(answer)
    assert answer.served.source == "remote"
    assert answer.served.node == "node-of-far"
    assert answer.served.nodes == ("node-a", "node-of-far")


async def test_when_one_fails_the_next_answers_and_the_answer_says_so() -> None:
    far, here = far_node(), FakeBackend("here")
    far.error = BackendUnavailable("far can't be reached")
    bench = Bench(far, here)
    async with bench.gateway.infer(ask(place=Place.REMOTE), bench.owner) as answer:
        assert (await collect(answer)).text == "one two three"
    assert answer.served.source == "local"
    assert answer.served.warnings == ("far can't be reached",)
    assert answer.served.seen == ()
    (line,) = bench.records.forwards
    assert (line.backend, line.outcome) == ("far", "backend_unavailable")
    assert bench.records.rows[0].outcome == "ok"
    assert [m.in_flight for m in bench.members] == [0, 0]


async def test_a_place_that_read_the_words_and_failed_is_named_too() -> None:
    lost, far = far_node("lost"), far_node()
    lost.error = BackendUnavailable("lost broke off")
    lost.error.sent_bytes = 20
    bench = Bench(lost, far)
    async with bench.gateway.infer(ask(place=Place.REMOTE), bench.owner) as answer:
        await collect(answer)
    assert answer.served.backend == "far"
    assert answer.served.seen == ("lost", "far")


async def test_a_request_that_was_refused_for_itself_is_not_tried_elsewhere() -> None:
    far, here = far_node(), FakeBackend("here")
    far.error = BackendRefused("the prompt is empty")
    bench = Bench(far, here)
    with pytest.raises(BackendRefused):
        async with bench.gateway.infer(ask(place=Place.REMOTE), bench.owner):
            pass
    assert not here.asked
    assert bench.records.rows[0].outcome == "backend_refused"


async def test_when_all_fail_the_error_is_the_one_that_broke() -> None:
    far, farther = far_node("far"), far_node("farther")
    far.error = ModelNotFound("not here")
    farther.error = BackendUnavailable("down")
    bench = Bench(far, farther)
    with pytest.raises(BackendUnavailable):
        async with bench.gateway.infer(ask(model="acme/two"), bench.owner):
            pass


async def test_what_another_node_denies_us_is_told_as_that_and_is_no_fault() -> None:
    far = far_node()
    far.error = BackendDenied("the remote doesn't allow it: you may not use acme/two")
    bench = Bench(far)
    with pytest.raises(BackendDenied, match="far: the remote doesn't allow it"):
        async with bench.gateway.infer(ask(model="acme/two"), bench.owner):
            pass
    assert (bench.members[0].failed, bench.members[0].ejected_until) == (0, 0)


async def test_a_missing_model_does_not_count_against_a_backend() -> None:
    far = far_node()
    far.error = ModelNotFound("not here")
    bench = Bench(far)
    with pytest.raises(ModelNotFound):
        async with bench.gateway.infer(ask(model="acme/two"), bench.owner):
            pass
    assert bench.members[0].ejected_until == 0
    assert bench.members[0].failed == 0


async def test_a_stream_that_breaks_is_booked_as_broken() -> None:
    here = FakeBackend()
    here.breaks_after = BackendFailed("cut")
    bench = Bench(here)
    with pytest.raises(BackendFailed):
        async with bench.gateway.infer(ask(stream=True), bench.owner) as answer:
            await collect(answer)
    assert bench.records.rows[0].outcome == "backend_failed"
    assert bench.members[0].failed == 1
    assert here.freed.is_set()


async def test_leaving_early_frees_the_backend_and_is_booked_as_aborted() -> None:
    here = FakeBackend()
    bench = Bench(here)
    with pytest.raises(CallerLeft):
        async with bench.gateway.infer(ask(stream=True), bench.owner) as answer:
            assert await anext(answer) == TextDelta("one ")
            raise CallerLeft
    assert here.freed.is_set()
    assert bench.records.rows[0].outcome == "aborted"
    assert bench.members[0].failed == 0


async def test_a_fault_of_ours_is_booked_as_one_and_counts_against_the_backend() -> None:
    here = FakeBackend()
    here.bug = True
    bench = Bench(here)
    with pytest.raises(ZeroDivisionError):
        async with bench.gateway.infer(ask(), bench.owner):
            pass
    assert bench.records.rows[0].outcome == "internal"
    assert (bench.members[0].failed, bench.members[0].in_flight) == (1, 0)


async def test_cancelling_while_the_backend_thinks_frees_it() -> None:
    here = FakeBackend()
    here.hangs = True
    bench = Bench(here)

    async def call() -> None:
        async with bench.gateway.infer(ask(), bench.owner):
            pass

    task = asyncio.get_running_loop().create_task(call())
    await here.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert here.freed.is_set()
    assert bench.members[0].in_flight == 0
    assert bench.records.rows[0].outcome == "aborted"


async def test_a_deadline_in_the_past_reaches_nobody() -> None:
    here = FakeBackend()
    bench = Bench(here)
    with pytest.raises(BackendTimeout):
        async with bench.gateway.infer(ask(deadline=bench.clock.now() - 1), bench.owner):
            pass
    assert not here.asked


async def test_a_deadline_of_the_callers_own_speaks_against_no_backend() -> None:
    here = FakeBackend()
    here.hangs = True
    bench = Bench(here)
    with pytest.raises(BackendTimeout):
        async with bench.gateway.infer(ask(deadline=bench.clock.now() + 0.005), bench.owner):
            pass
    assert here.freed.is_set()
    assert (bench.members[0].failed, bench.members[0].ejected_until) == (0, 0)


async def test_a_request_that_has_been_here_is_refused() -> None:
    here = FakeBackend()
    bench = Bench(here, node="node-a")
    with pytest.raises(LoopDetected):
        async with bench.gateway.infer(ask(hops=("node-b", "node-a")), bench.owner):
            pass
    assert not here.asked
    assert bench.records.rows[0].outcome == "loop_detected"


async def test_what_policy_does_not_allow_reaches_nobody() -> None:
    here = FakeBackend()
    bench = Bench(here, rules=(Rule(principal="secret:*", models=("other/*",)),))
    with pytest.raises(PermissionDenied):
        async with bench.gateway.infer(ask(), ALICE):
            pass
    assert not here.asked


async def test_a_fallback_is_authorised_like_a_first_choice() -> None:
    far, api = far_node(), FakeBackend("api", tier=Tier.CLOUD)
    far.error = BackendUnavailable("down")
    bench = Bench(far, api, rules=(Rule(principal="secret:*", tier=Tier.TEAM),))
    with pytest.raises(BackendUnavailable):
        async with bench.gateway.infer(ask(), ALICE):
            pass
    assert not api.asked


@pytest.mark.parametrize(("sent", "tier"), [(9, "team"), (0, "local")])
async def test_a_row_says_how_far_words_went_though_another_place_answered(
    sent: int, tier: str
) -> None:
    far, here = far_node(), FakeBackend()
    far.error = BackendUnavailable("down")
    far.error.sent_bytes = sent
    bench = Bench(far, here)
    bench.members[1].priority = 1
    async with bench.gateway.infer(ask(), bench.owner) as answer:
        await collect(answer)
    assert [(row.backend, row.tier) for row in bench.records.rows] == [("here", tier)]


async def test_a_request_that_was_turned_away_went_nowhere() -> None:
    far = far_node()
    rule = Rule(principal="secret:*", limits=Limits(requests_per_minute=0))
    bench = Bench(far, rules=(rule,))
    with pytest.raises(RateLimited):
        async with bench.gateway.infer(ask(), ALICE):
            pass
    assert [(row.backend, row.source, row.tier) for row in bench.records.rows] == [("", "", "")]
    requests = next(each for each in bench.gateway.metrics() if each.name == "inferd_requests")
    labels = {"task": "text-generation", "backend": "", "outcome": "rate_limited"}
    assert requests.series == [(labels, 1)]


async def test_a_fallback_that_is_over_its_limit_is_not_booked_as_asked() -> None:
    far, here = far_node(), FakeBackend("here")
    far.error = BackendUnavailable("down")
    rules = (
        Rule(principal="secret:*", tier=Tier.LOCAL, limits=Limits(requests_per_minute=0)),
        Rule(principal="secret:*"),
    )
    bench = Bench(far, here, rules=rules)
    with pytest.raises(RateLimited):
        async with bench.gateway.infer(ask(place=Place.REMOTE), ALICE):
            pass
    assert [(row.backend, row.outcome) for row in bench.records.rows] == [
        (far.name, "rate_limited")
    ]
    assert not here.asked


async def test_a_place_is_held_while_the_answer_is_lent_and_no_longer() -> None:
    rule = Rule(principal="secret:*", limits=Limits(concurrency=1))
    bench = Bench(FakeBackend(), rules=(rule,))
    async with bench.gateway.infer(ask(), ALICE) as answer:
        with pytest.raises(RateLimited):
            async with bench.gateway.infer(ask(), ALICE):
                pass
        await collect(answer)
    async with bench.gateway.infer(ask(), ALICE):
        pass
    assert [row.outcome for row in bench.records.rows] == ["rate_limited", "ok", "ok"]


async def test_a_fallback_under_the_same_rule_costs_one_request() -> None:
    far, here = far_node(), FakeBackend("here")
    far.error = BackendUnavailable("down")
    rule = Rule(principal="secret:*", limits=Limits(requests_per_minute=1))
    bench = Bench(far, here, rules=(rule,))
    async with bench.gateway.infer(ask(place=Place.REMOTE), ALICE) as answer:
        await collect(answer)
    assert here.asked


async def test_a_file_the_task_does_not_take_is_named_in_a_warning_here() -> None:
    bench = Bench(FakeBackend())
    files = (BytesFile("image", b"png", content_type="image/png"),)
    async with bench.gateway.infer(ask(files=files), bench.owner) as answer:
        pass
    assert answer.served.warnings == ("the image was not used: text-generation takes none",)


async def test_a_file_the_task_does_not_take_goes_to_another_node_unchanged() -> None:
    far = far_node()
    bench = Bench(far)
    files = (BytesFile("image", b"png", content_type="image/png"),)
    async with bench.gateway.infer(ask(files=files, place=Place.REMOTE), bench.owner) as answer:
        pass
    assert far.asked[0].files == files
    assert not answer.served.warnings
    assert bench.records.forwards[0].sent_bytes >= 3


async def test_another_node_is_told_how_far_the_words_may_go_on() -> None:
    far = far_node()
    rules = (Rule(principal="secret:*", tier=Tier.TEAM),)
    bench = Bench(far, rules=rules)
    near = Principal(id="owner", tiers=frozenset({Tier.LOCAL, Tier.PEER, Tier.TEAM}))
    for principal in (ALICE, near, bench.owner):
        async with bench.gateway.infer(ask(), principal):
            pass
    within_team = frozenset({Tier.LOCAL, Tier.PEER, Tier.TEAM})
    assert [request.tiers for request in far.asked] == [within_team, within_team, None]


async def test_a_row_is_exact_to_the_microsecond() -> None:
    bench = Bench(FakeBackend())
    async with bench.gateway.infer(ask(), bench.owner):
        bench.clock.turn(1 / 3)
    assert [row.seconds for row in bench.records.rows] == [0.333333]


async def test_every_end_leaves_exactly_one_row() -> None:
    outcomes: list[type[NodeError] | None] = [None, BackendFailed, BackendRefused, ModelNotFound]
    for outcome in outcomes:
        here = FakeBackend()
        here.error = outcome("x") if outcome else None
        bench = Bench(here)
        try:
            async with bench.gateway.infer(ask(), bench.owner) as answer:
                await collect(answer)
        except NodeError:
            pass
        assert len(bench.records.rows) == 1
