"""The configuration's words are the ones that the rest of the node knows."""

from pathlib import Path
from typing import get_args

import pytest

from inferd.config.load import load
from inferd.config.schema import NodeConfig
from inferd.config.tables import Rule
from inferd.config.values import Strategy
from inferd.core.request import Action, Tier
from inferd.gateway.routing.strategies import STRATEGIES


def test_the_tiers_are_the_ones_that_requests_carry() -> None:
    assert NodeConfig().routing.tiers == tuple(tier.label for tier in Tier)


@pytest.mark.parametrize("action", Action)
def test_a_rule_may_speak_of_every_action(action: Action) -> None:
    assert Rule(principal="owner", actions=(action.value,)).actions == (action.value,)


def test_the_strategies_are_the_routers() -> None:
    assert set(get_args(Strategy)) == set(STRATEGIES)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_remote_nodes_may_have_any_strategy(tmp_path: Path, strategy: str) -> None:
    flags = {"routing.strategy": "round_robin", "remote.strategy": strategy}
    assert load(flags=flags, environ={}, cwd=tmp_path).config.remote_strategy == strategy
