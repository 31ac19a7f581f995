"""The list of models: where each runs, in words; merged, filtered, sorted, paged."""

import msgspec
import pytest

from inferd.core.backend import Capabilities, Model
from inferd.core.errors import BackendUnavailable, InvalidRequest, PermissionDenied
from inferd.core.hub import HubFailure, HubModel, HubProvider, HubQuery, Listing
from inferd.core.request import OWNER, Principal, Tier
from inferd.engine.fit import Engine, Machine
from inferd.gateway.admission.policy import Rule
from inferd.gateway.browse import Query
from inferd.gateway.catalogue import Verdict
from inferd.gateway.gateway import Gateway
from tests.gateway.fakes import Bench, FakeBackend

TASK = "text-generation"
GB = 10**9
MACHINE = Machine(memory_bytes=24 * GB)
NOTHING: tuple[Model, ...] = ()
OPEN = frozenset({TASK})


def lists(*names: str) -> tuple[Model, ...]:
    return tuple(Model(id=name, tasks=OPEN) for name in names)


class FakeHub:
    """A Hub that knows some models, and what it was asked."""

    def __init__(self, *models: HubModel, failure: HubFailure | None = None) -> None:
        self.listing = Listing(
            models=models, cache="fresh" if models else "none", age=1.0, failure=failure
        )
        self.asked: list[tuple[HubQuery, int]] = []

    def known(self, query: HubQuery) -> Listing:
        return self.listing if query.task == TASK else Listing()

    async def list(self, query: HubQuery, want: int) -> Listing:
        self.asked.append((query, want))
        return self.listing


def hub_model(name: str = "acme/far", **facts: object) -> HubModel:
    told = {"library": "transformers", "size_bytes": 13 * GB, **facts}
    return HubModel(id=name, **told)  # pyright: ignore[reportArgumentType]


async def gateway(
    *backends: FakeBackend,
    hub: FakeHub,
    rules: tuple[Rule, ...] = (),
    machine: Machine = MACHINE,
) -> Gateway:
    bench = Bench(*backends, rules=rules, hub=hub, machine=machine)
    await bench.pool.refresh()
    return bench.gateway


async def verdict(*backends: FakeBackend, model: HubModel, machine: Machine = MACHINE) -> Verdict:
    """Return the badge of a model of the Hub's beside these backends."""
    asked = await gateway(*backends, hub=FakeHub(model), machine=machine)
    page = await asked.browse(OWNER, Query(task=TASK))
    [row] = [row for row in page.rows if row.id == model.id]
    return row.verdict


class Forge(FakeBackend):
    """Another node: what it says is its own word, not what was assumed."""

    def __init__(self, *names: str) -> None:
        super().__init__(
            "forge", tier=Tier.TEAM, is_node=True, models=lists(*names), open_tasks=OPEN
        )

    async def capabilities(self) -> Capabilities:
        return msgspec.structs.replace(await super().capabilities())


def hugging_face() -> FakeBackend:
    backend = FakeBackend("hf", tier=Tier.CLOUD, models=NOTHING, open_tasks=OPEN)
    backend.kind = "huggingface"
    return backend


GROQ = (HubProvider(name="groq", task="conversational"),)


@pytest.mark.parametrize(
    ("backends", "model", "expected"),
    [
        ([FakeBackend(models=lists("a/b"))], hub_model("a/b"), ("local", "Runs here", "", 0)),
        (
            [FakeBackend(models=lists("a/b")), Forge("a/b"), hugging_face()],
            hub_model("a/b", providers=GROQ),
            ("local", "Runs here", "", 2),
        ),
        ([Forge("a/b")], hub_model("a/b"), ("team", "On forge", "", 0)),
        (
            [FakeBackend("anna", tier=Tier.PEER, is_node=True, models=lists("a/b"))],
            hub_model("a/b"),
            ("peer", "On anna", "", 0),
        ),
        (
            [FakeBackend("openai", tier=Tier.CLOUD, models=lists("a/b"))],
            hub_model("a/b"),
            ("cloud", "Via openai", "", 0),
        ),
        ([hugging_face()], hub_model(providers=GROQ), ("cloud", "Via Hugging Face", "", 0)),
        (
            [Forge()],
            hub_model(),
            ("team", "May run on forge", "forge doesn’t say which models it has.", 0),
        ),
        (
            [Forge("a/other")],
            hub_model(),
            (
                "no",
                "Can’t run yet",
                "Needs an engine for transformers models, and about 16 GB of memory. This machine "
                "has 24 GB. forge doesn’t list it either.",
                0,
            ),
        ),
        (
            [],
            hub_model(size_bytes=None, providers=GROQ),
            (
                "no",
                "Can’t run yet",
                "Needs an engine for transformers models. "
                "Hosted by groq: a backend of kind huggingface would reach it.",
                0,
            ),
        ),
        (
            [hugging_face()],
            hub_model(size_bytes=None),
            (
                "no",
                "Can’t run yet",
                "Needs an engine for transformers models. Another node that has it could run it.",
                0,
            ),
        ),
    ],
)
async def test_a_badge_says_where_or_why_not(
    backends: list[FakeBackend], model: HubModel, expected: tuple[str, str, str, int]
) -> None:
    found = await verdict(*backends, model=model)
    assert (found.where, found.label, found.reason, found.more) == expected


async def test_a_place_that_fails_is_not_the_best_one() -> None:
    dead, other = Forge("a/b"), FakeBackend("lab", tier=Tier.TEAM, models=lists("a/b"))
    dead.error = BackendUnavailable("connection refused")
    asked = await gateway(dead, other, hub=FakeHub())
    [row] = asked.browse_known(OWNER, Query(task=TASK)).rows
    assert (row.verdict.label, row.verdict.more) == ("On lab", 0)
    alone = await gateway(dead, hub=FakeHub(hub_model()))
    [listed, far] = alone.browse_known(OWNER, Query(task=TASK)).rows
    assert listed.verdict.reason == "forge can’t be asked: connection refused"
    assert far.verdict.reason.endswith("forge isn’t answering just now.")


async def test_nothing_is_said_of_a_node_that_was_never_asked() -> None:
    bench = Bench(Forge(), hub=FakeHub(hub_model()), machine=MACHINE)
    [row] = bench.gateway.browse_known(OWNER, Query(task=TASK)).rows
    assert row.verdict.where == "no"
    assert row.verdict.reason.endswith("forge hasn’t said yet what it has.")


async def test_a_node_that_is_hidden_is_not_named() -> None:
    dead = Forge()
    dead.error = BackendUnavailable("connection refused")
    rule = Rule(principal="guest", tier=Tier.LOCAL)
    asked = await gateway(dead, hub=FakeHub(hub_model()), rules=(rule,))
    [row] = asked.browse_known(Principal(id="guest"), Query(task=TASK)).rows
    assert "forge" not in row.verdict.reason


async def test_an_engine_that_could_run_it_makes_it_a_download() -> None:
    engine = Engine(name="x", libraries=frozenset({"transformers"}), tasks=OPEN)
    machine = Machine(memory_bytes=24 * GB, engines=(engine,))
    found = await verdict(model=hub_model(size_bytes=7_300_000_000), machine=machine)
    assert (found.where, found.label) == ("download", "Runs here after a 7.3 GB download")


async def test_what_backends_list_comes_first_with_the_hub_s_numbers() -> None:
    hub = FakeHub(hub_model("a/hot", likes=9), hub_model("a/b", likes=5, gated="auto"))
    asked = await gateway(FakeBackend(models=lists("local/one", "a/b")), hub=hub)
    page = await asked.browse(OWNER, Query(task=TASK))
    assert [row.id for row in page.rows] == ["local/one", "a/b", "a/hot"]
    assert (page.total, page.own, page.cache, page.age) == (3, 2, "fresh", 1.0)
    assert (page.rows[1].likes, page.rows[1].gated) == (5, "auto")
    assert (page.rows[1].size_bytes, page.rows[1].library) == (13 * GB, "transformers")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, "here x/a x/b y/c"),
        ({"hub": False}, "here"),
        ({"search": "X/"}, "x/a x/b"),
        ({"search": "b  x"}, "x/b"),
        ({"gated": True}, "x/b"),
        ({"gated": False}, "here x/a y/c"),
        ({"runnable": True}, "here y/c"),
        ({"sort": "downloads"}, "y/c x/a x/b here"),
        ({"sort": "likes"}, "x/b y/c x/a here"),
        ({"sort": "trending"}, "x/a y/c x/b here"),
        ({"sort": "name"}, "here x/a x/b y/c"),
        ({"remote": False, "runnable": True}, "here"),
    ],
)
async def test_filters_and_sorts(query: dict[str, object], names: str) -> None:
    hub = FakeHub(
        hub_model("x/a", downloads=2, likes=1, trending_score=9.0),
        hub_model("x/b", downloads=1, likes=3, trending_score=1.0, gated="manual"),
        hub_model("y/c", downloads=3, likes=2, trending_score=5.0, providers=GROQ),
    )
    asked = await gateway(FakeBackend(models=lists("here")), hugging_face(), hub=hub)
    told = Query(task=TASK, **query)  # pyright: ignore[reportArgumentType]
    assert [row.id for row in (await asked.browse(OWNER, told)).rows] == names.split()
    assert [row.id for row in asked.browse_known(OWNER, told).rows] == names.split()


async def test_pages_follow_on_even_when_rows_come_and_go() -> None:
    models = [hub_model(f"x/{number:02}") for number in range(10)]
    hub = FakeHub(*models)
    asked = await gateway(hub=hub)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await asked.browse(OWNER, Query(task=TASK, limit=4, cursor=cursor))
        seen += [row.id for row in page.rows]
        assert page.total == 10
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == [model.id for model in models]
    assert [want for _, want in hub.asked] == [4, 8, 12]
    first = await asked.browse(OWNER, Query(task=TASK, limit=4))
    hub.listing = Listing(models=(hub_model("new/one"), *models), cache="fresh")
    second = await asked.browse(OWNER, Query(task=TASK, limit=4, cursor=first.next_cursor))
    assert second.rows[0].id == "x/04"


@pytest.mark.parametrize("cursor", ["x", "é", "W10", "eyJhIjoxfQ", "A" * 500])
async def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    asked = await gateway(hub=FakeHub())
    with pytest.raises(InvalidRequest, match="cursor"):
        await asked.browse(OWNER, Query(task=TASK, cursor=cursor))


async def test_policy_hides_models_and_places() -> None:
    someone = Principal(id="secret:a")
    rules = (
        Rule(principal="secret:*", actions=("list",), models=("x/*",), tier=Tier.TEAM),
        Rule(principal="secret:*", actions=("list",), models=("none",)),
    )
    hub = FakeHub(hub_model("x/a", providers=GROQ), hub_model("y/b", providers=GROQ))
    asked = await gateway(hugging_face(), hub=hub, rules=rules)
    [row] = (await asked.browse(someone, Query(task=TASK))).rows
    assert (row.id, row.places, row.verdict.where) == ("x/a", (), "no")
    stranger = Principal(id="peer:x")
    with pytest.raises(PermissionDenied):
        asked.tasks(stranger)
    with pytest.raises(PermissionDenied):
        asked.browse_known(stranger, Query(task=TASK))
    with pytest.raises(PermissionDenied):
        await asked.browse(stranger, Query(task=TASK))


async def test_tasks_are_counted_from_what_is_known() -> None:
    hub = FakeHub(hub_model("here"), hub_model("x/a", providers=GROQ), hub_model("x/b"))
    asked = await gateway(FakeBackend(models=lists("here")), hugging_face(), hub=hub)
    counts = {count.name: count for count in asked.tasks(OWNER)}
    found = counts[TASK]
    assert (found.label, found.category) == ("Text generation", "Text")
    assert (found.models, found.runnable) == (3, 2)
    assert (counts["fill-mask"].models, counts["fill-mask"].runnable) == (0, 0)
    assert hub.asked == []


async def test_without_a_hub_there_is_what_backends_list() -> None:
    bench = Bench(FakeBackend())
    page = await bench.gateway.browse(OWNER, Query(task=TASK))
    assert [row.id for row in page.rows] == ["acme/one"]
    assert (page.cache, page.error, page.hint) == ("none", "", "")


class Echo(FakeBackend):
    kind = "echo"


async def test_what_echo_answers_is_marked() -> None:
    found = await verdict(Echo(models=lists("a/b")), model=hub_model("a/b"))
    assert found.label == "Echo, answers are made up"


async def test_a_place_that_fails_is_named_once() -> None:
    away = FakeBackend("gone", models=lists("a/b"))
    away.error = BackendUnavailable("gone can't be reached")
    found = await verdict(away, model=hub_model("a/b"))
    assert found.reason == "gone can't be reached"
