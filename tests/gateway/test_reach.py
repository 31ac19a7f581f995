"""What may be listed and asked for, of long listings."""

from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inferd.core.backend import Capabilities, Model
from inferd.core.errors import InvalidRequest
from inferd.core.request import OWNER, Action, InferenceRequest, Principal, Tier
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.sight import check_asked_for, doable, sees
from tests.gateway.fakes import FakeBackend

ALICE = Principal(id="key:alice")
GLOBS = st.lists(
    st.sampled_from(["*", "a*", "*b", "ab", "a?", "[ab]*", "[!a]*", "A*", "a.b", "(", "chat"]),
    max_size=3,
).map(tuple)
EVERY_NAME = ["", "*", "a", "b", "ab", "Ab", "a.b", "axb", "a\nb", "(", "cb"]
NAMES = st.sampled_from(EVERY_NAME)
TASKS = st.frozensets(st.sampled_from(["chat", "ab", "a", "*"]))
RULES = st.lists(
    st.builds(
        Rule,
        principal=st.sampled_from(["*", "key:*", "owner"]),
        actions=st.sampled_from([("*",), ("list",), ("infer",)]),
        models=GLOBS,
        tasks=st.just(("*",)) | GLOBS,
        tier=st.sampled_from([Tier.CLOUD, *Tier]),
        effect=st.sampled_from(["allow", "allow", "deny"]),
    ),
    min_size=1,
    max_size=4,
)


@given(
    rules=RULES,
    asked=st.lists(TASKS, min_size=1, max_size=3),
    tier=st.sampled_from(Tier),
    principal=st.sampled_from([ALICE, ALICE, OWNER]),
)
@example(
    rules=[Rule(principal="*", models=("a*", "*b", "(")), Rule(principal="*", tasks=("a",))],
    asked=[frozenset({"chat", "ab", "a"})],
    tier=Tier.LOCAL,
    principal=ALICE,
)
def test_what_is_read_once_for_many_models_is_what_the_policy_says_of_each(
    rules: list[Rule], asked: list[frozenset[str]], tier: Tier, principal: Principal
) -> None:
    policy = Policy(rules)
    reach = policy.reach(principal, Action.LIST, tier)
    for model, tasks in product(EVERY_NAME, asked):
        found = {
            task
            for task in tasks
            if policy.find(principal, Action.LIST, model=model, task=task, tier=tier)
        }
        assert reach.tasks(model, tasks) == found


@given(
    rules=RULES,
    models=st.lists(st.builds(Model, id=NAMES, tasks=TASKS), max_size=4),
    open_tasks=TASKS,
    only=TASKS,
)
def test_a_backend_is_seen_by_who_may_list_something_of_it(
    rules: list[Rule], models: list[Model], open_tasks: frozenset[str], only: frozenset[str]
) -> None:
    policy = Policy(rules)
    backend = FakeBackend(models=tuple(models), open_tasks=open_tasks)
    member = Member(backend, priority=0, tasks=only)
    offered = [("*", task) for task in open_tasks if member.does(task)]
    offered += [(m.id, task) for m in models for task in m.tasks if member.does(task)]
    wanted: list[dict[str, Any]] = [{"model": model, "task": task} for model, task in offered]
    allowed = policy.find(ALICE, Action.LIST, tier=Tier.LOCAL) is not None and (
        not wanted
        or any(policy.find(ALICE, Action.LIST, tier=Tier.LOCAL, **each) for each in wanted)
    )
    assert sees(policy, ALICE, member) == sees(policy, ALICE, member) == allowed


class Counting(Policy):
    """Counts what it is asked."""

    asked = 0

    def find(self, principal: Principal, action: Action, **about: Any) -> Rule | None:
        self.asked += 1
        return super().find(principal, action, **about)


@pytest.mark.parametrize("models", [("*",), ("no-such-*",)])
def test_naming_a_backend_takes_as_long_whatever_it_lists(models: tuple[str, ...]) -> None:
    def asked(many: int) -> int:
        policy = Counting([Rule(principal="key:*", models=models, tasks=("chat",))])
        listed = (Model(id=f"m{n}", tasks=frozenset({"chat", "x"})) for n in range(many))
        member = Member(FakeBackend("wide", models=tuple(listed)), priority=0)
        for name in ("wide", "no such"):
            request = InferenceRequest(id="r", task="chat", model="zz", backend=name)
            if name == "wide":
                check_asked_for([member], policy, request, ALICE)
            else:
                with pytest.raises(InvalidRequest):
                    check_asked_for([member], policy, request, ALICE)
        doable([member], policy, ALICE, "")
        return policy.asked

    assert asked(3) == asked(300)


def test_a_backend_that_offers_something_else_is_looked_at_anew() -> None:
    policy = Policy([Rule(principal="key:*", models=("mine-*",))])
    member = Member(FakeBackend(), priority=0)
    assert not sees(policy, ALICE, member)
    mine = Model(id="mine-1", tasks=frozenset({"chat"}))
    member.offers(Capabilities(models=(mine,)))
    assert sees(policy, ALICE, member)


def test_of_an_endless_listing_the_first_ten_thousand_models_are_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    member = Member(FakeBackend("wide"), priority=0)
    many = tuple(Model(id=f"m{n}", tasks=frozenset({"chat"})) for n in range(10_001))
    for _ in range(3):
        member.offers(Capabilities(models=many[:]))
        assert len(member.capabilities.models) == 10_000
    assert member.model_for("chat", "m9999") == "m9999"
    assert member.model_for("chat", "m10000") is None
    [warned] = caplog.messages
    assert "wide lists 10001 models" in warned


def test_the_same_words_said_again_change_nothing_but_that_they_were_said() -> None:
    backend = FakeBackend()
    member = Member(backend, priority=0)
    first, again = (Capabilities(models=backend.assumed.models) for _ in range(2))
    member.offers(first)
    assert member.capabilities is first
    member.offers(again)
    assert member.capabilities is first
    assert member.changes.offers == 0
