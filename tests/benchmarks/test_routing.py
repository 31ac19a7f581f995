"""The simulation of routing: every job ends once, and what is better comes out better."""

import random

import pytest

from benchmarks.lib.simulation import ORACLE, Kind, World
from benchmarks.routing import SCENARIOS, measured, plain
from inferd.gateway.routing.strategies import STRATEGIES


@pytest.mark.parametrize("strategy", [ORACLE, *STRATEGIES])
def test_every_job_ends_once(strategy: str) -> None:
    scenario = SCENARIOS["failing"]._replace(kinds=(Kind(), Kind(fails=0.5), Kind(fails=1)))
    world = World(scenario.kinds, strategy)
    outcome = world.run(plain(scenario, random.Random(1), 300))
    assert len(outcome.seconds) + outcome.failed == 300
    assert outcome.failed == 0
    assert not any(member.in_flight for member in world.members.values())


def test_the_oracle_is_beaten_by_nobody_where_jobs_are_unrelated() -> None:
    lines = measured(SCENARIOS["mixed"], 600, tuple(STRATEGIES))
    assert all(line.regret > -0.01 for line in lines.values())
    assert lines["best_performance"].mean < lines["round_robin"].mean


def test_knowing_the_beginning_saves_reading() -> None:
    lines = measured(SCENARIOS["chats"], 800, ("least_loaded", "prefix_affinity"))
    assert lines["prefix_affinity"].read < lines["least_loaded"].read * 0.6
