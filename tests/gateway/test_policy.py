"""Who may do what: the table."""

import pytest

from inferd.core.errors import PermissionDenied
from inferd.core.request import OWNER, Action, Principal, Tier
from inferd.gateway.admission.policy import Policy, Rule

SECRET = Principal(id="secret:ab12cd34")
USER = Principal(id="user:mira")
PEER = Principal(id="peer:alice")


def may(policy: Policy, who: Principal, action: Action = Action.INFER, **what: str) -> bool:
    tier = Tier[what.get("tier", "local").upper()]
    model, task = what.get("model", "*"), what.get("task", "*")
    return policy.decide(who, action, model=model, task=task, tier=tier).allowed


def test_the_owner_may_do_everything_unasked() -> None:
    assert all(may(Policy(), OWNER, action, model="any", tier="cloud") for action in Action)


def test_a_stranger_may_do_nothing() -> None:
    assert not any(may(Policy(), PEER, action) for action in Action)


def test_a_shared_secret_may_list_and_infer_and_no_more() -> None:
    allowed = {action for action in Action if may(Policy(), SECRET, action, model="m")}
    assert allowed == {Action.LIST, Action.INFER}


def test_a_rule_about_secrets_replaces_the_built_in_grant() -> None:
    policy = Policy([Rule(principal="secret:*", models=("minilm",))])
    assert may(policy, SECRET, model="minilm")
    assert not may(policy, SECRET, model="other")


def test_who_signs_in_may_list_infer_and_see_usage_and_no_more() -> None:
    allowed = {action for action in Action if may(Policy(), USER, action, model="m")}
    assert allowed == {Action.LIST, Action.INFER, Action.USAGE}


def test_a_rule_about_users_replaces_their_grant_and_nobody_else_s() -> None:
    policy = Policy([Rule(principal="user:mira", models=("minilm",))])
    assert may(policy, USER, model="minilm")
    assert not may(policy, USER, model="other")
    assert not may(policy, Principal(id="user:jun"), model="minilm")
    assert may(policy, SECRET, model="other")


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        (Rule(principal="peer:*"), {}, True),
        (Rule(principal="peer:bob"), {}, False),
        (Rule(principal="peer:*", models=("acme/*",)), {"model": "acme/one"}, True),
        (Rule(principal="peer:*", models=("acme/*",)), {"model": "other/one"}, False),
        (Rule(principal="peer:*", tasks=("chat",)), {"task": "chat"}, True),
        (Rule(principal="peer:*", tasks=("chat",)), {"task": "fill-mask"}, False),
        (Rule(principal="peer:*", actions=("list",)), {}, False),
        (Rule(principal="peer:*", tier=Tier.PEER), {"tier": "peer"}, True),
        (Rule(principal="peer:*", tier=Tier.PEER), {"tier": "cloud"}, False),
        (Rule(principal="peer:*", models=()), {"model": "acme/one"}, False),
    ],
)
def test_a_rule_allows_exactly_what_it_covers(
    rule: Rule, asked: dict[str, str], allowed: bool
) -> None:
    assert may(Policy([rule]), PEER, Action.INFER, **asked) is allowed


def test_the_first_matching_rule_decides() -> None:
    deny = Rule(principal="peer:*", models=("acme/secret",), effect="deny")
    policy = Policy([deny, Rule(principal="peer:*")])
    assert not may(policy, PEER, model="acme/secret")
    assert may(policy, PEER, model="acme/one")


def test_denying_one_model_does_not_close_the_node() -> None:
    deny = Rule(principal="peer:*", models=("acme/secret",), effect="deny")
    assert may(Policy([deny, Rule(principal="peer:*")]), PEER, Action.LIST)


def test_a_denial_holds_for_a_request_that_does_not_name_its_model() -> None:
    deny = Rule(principal="peer:*", models=("acme/secret",), effect="deny")
    assert not may(Policy([deny, Rule(principal="peer:*")]), PEER, model="")


def test_the_owner_can_be_bound_by_a_rule_that_names_it() -> None:
    policy = Policy([Rule(principal="owner", models=("dear/*",), effect="deny")])
    assert not may(policy, OWNER, model="dear/one")
    assert may(policy, OWNER, model="cheap/one")


def test_a_refusal_says_what_fell_short() -> None:
    policy = Policy([Rule(principal="peer:*", tier=Tier.PEER, name="friends")])
    asked = policy.decide(PEER, Action.INFER, model="m", task="chat", tier=Tier.CLOUD)
    assert (asked.allowed, asked.reason) == (False, "'friends' stops before cloud")


def test_a_stranger_is_told_no_and_not_the_rules() -> None:
    policy = Policy([Rule(principal="peer:*", models=("dear/*",), name="friends")])
    with pytest.raises(PermissionDenied) as refused:
        policy.authorize(PEER, Action.INFER, model="m", task="chat", tier=Tier.CLOUD)
    assert "friends" not in f"{refused.value} {refused.value.details}"


@pytest.mark.parametrize(
    ("action", "model", "told"),
    [
        (Action.INFER, "m", "may not infer m"),
        (Action.INFER, "*", "may not run models here"),
        (Action.LIST, "*", "may not list models here"),
        (Action.USAGE, "*", "may not see what is used here"),
        (Action.ADMIN, "*", "may not manage this node"),
    ],
)
def test_a_refusal_is_a_sentence(action: Action, model: str, told: str) -> None:
    with pytest.raises(PermissionDenied, match=rf"^{PEER.id} {told} "):
        Policy().authorize(PEER, action, model=model, task="*", tier=Tier.LOCAL)


def test_a_found_backend_serves_the_owner_alone_until_a_rule_names_it() -> None:
    def asks(policy: Policy, who: Principal, backend: str) -> bool:
        found = policy.find(
            who,
            Action.INFER,
            model="m",
            task="chat",
            tier=Tier.CLOUD,
            backend=backend,
            is_found=backend.startswith("found"),
        )
        return found is not None

    plain = Policy()
    assert asks(plain, OWNER, "found-cli")
    assert not asks(plain, SECRET, "found-cli")
    assert asks(plain, SECRET, "configured")
    named = Policy([Rule(principal="secret:*", backends=("found-c*", "configured"))])
    assert asks(named, SECRET, "found-cli")
    assert not asks(named, SECRET, "found-other")
    assert asks(named, SECRET, "configured")
    assert not asks(named, SECRET, "other")
    denied = Policy([Rule(principal="owner", effect="deny", backends=("found-cli",))])
    assert not asks(denied, OWNER, "found-cli")
    assert asks(denied, OWNER, "configured")


def test_what_is_said_of_many_models_is_what_is_said_of_each() -> None:
    policy = Policy([Rule(principal="secret:*", backends=("found-cli",), models=("a*",))])
    for backend, is_found in (("found-cli", True), ("found-b", True), ("plain", False)):
        reach = policy.reach(SECRET, Action.INFER, Tier.CLOUD, backend=backend, is_found=is_found)
        for model in ("abc", "xyz"):
            rule = policy.find(
                SECRET,
                Action.INFER,
                model=model,
                task="chat",
                tier=Tier.CLOUD,
                backend=backend,
                is_found=is_found,
            )
            assert bool(reach.tasks(model, frozenset({"chat"}))) is (rule is not None)
