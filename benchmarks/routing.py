"""How well each strategy chooses: p99 and regret against an oracle, in a simulation.

    python benchmarks/routing.py [--quick] [--json] [--only SCENARIO]

The pool, plans, breakers and strategies are the node's own, under a clock turned by hand; only the
machines are made up. The oracle knows how long each job takes and what each machine is at, and
gives each job to whoever ends it first. Regret is how much longer the mean answer takes than its.
"""

import argparse
import json
import logging
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib.simulation import ORACLE, Job, Kind, Outcome, World, arrivals, capacity
from inferd.core.request import InferenceRequest
from inferd.gateway.routing.strategies import STRATEGIES

WORK = 0.5
"""Seconds that a job takes on a machine of speed 1, in the mean."""
SPREAD = 0.6
JOBS, QUICK_JOBS = 20_000, 4_000
_CHOSEN = tuple(name for name in STRATEGIES if name != "cost")
"""Machines of a simulation have no price: `cost` is `least_loaded` there."""
_SYSTEM = "You are the assistant of one of four teams, and this is what you must know. " * 40


class Scenario(NamedTuple):
    """Machines, and the jobs that come to them."""

    about: str
    kinds: tuple[Kind, ...]
    jobs: Callable[["Scenario", random.Random, int], list[Job]]
    load: float = 0.6
    """Of what all machines together can do."""


class Line(NamedTuple):
    """One strategy in one scenario."""

    mean: float
    p99: float
    regret: float
    failed: int
    retried: int
    read: int


def plain(scenario: Scenario, rng: random.Random, number: int) -> list[Job]:
    """Return jobs of very different length that have nothing to do with one another."""
    rate = capacity(scenario.kinds, WORK) * scenario.load
    scale = WORK / 2.718281828 ** (SPREAD**2 / 2)
    return [
        Job(at=at, work=scale * rng.lognormvariate(0, SPREAD), chance=rng.random())
        for at in arrivals(rng, rate, number)
    ]


def chats(scenario: Scenario, rng: random.Random, number: int) -> list[Job]:
    """Return the turns of chats: each reads all that was said before."""
    rate = capacity(scenario.kinds, WORK) * scenario.load
    said: dict[int, str] = {}
    jobs: list[Job] = []
    latest = 0
    for at in arrivals(rng, rate, number):
        if not said or rng.random() < 0.15:
            latest += 1
            chat = latest
            said[chat] = f"team {chat % 4}: {_SYSTEM}"
            said.pop(chat - 200, None)
        else:
            chat = rng.choice(list(said))
        said[chat] += f" chat {chat} says {rng.random()} " * 12
        request = InferenceRequest(
            id="s", task="text-generation", model="simulated", inputs={"inputs": said[chat]}
        )
        jobs.append(
            Job(
                at=at,
                work=WORK * 0.5,
                chance=rng.random(),
                chat=chat,
                tokens=len(said[chat]) // 4,
                request=request,
            )
        )
    return jobs


SCENARIOS: Mapping[str, Scenario] = {
    "equal": Scenario("four equal machines", (Kind(),) * 4, plain),
    "mixed": Scenario("speeds of 4, 2, 1 and ½", (Kind(4), Kind(2), Kind(1), Kind(0.5)), plain),
    "failing": Scenario(
        "of five equal ones, one dead for half a minute, one that fails every fifth request",
        (Kind(), Kind(), Kind(), Kind(fails=0.2), Kind(fails=1, fails_from=30, fails_until=60)),
        plain,
        # Three of five must be able to do it all while the two are left alone.
        load=0.4,
    ),
    "starting": Scenario(
        "of four equal ones, one ten times slower for its first two minutes",
        (Kind(), Kind(), Kind(), Kind(warm_after=120)),
        plain,
    ),
    "many": Scenario(
        "a hundred of speeds from ½ to 4",
        tuple(Kind((0.5, 1, 2, 4)[i % 4]) for i in range(100)),
        plain,
    ),
    "chats": Scenario(
        "four equal ones that keep what they read of 60 chats", (Kind(knows=60),) * 4, chats
    ),
}


def measured(scenario: Scenario, number: int, names: Sequence[str]) -> dict[str, Line]:
    """Run every strategy, and the oracle, over the same jobs."""
    jobs = scenario.jobs(scenario, random.Random(7), number)
    outcomes = {name: World(scenario.kinds, name).run(jobs) for name in (ORACLE, *names)}
    best = _mean(outcomes[ORACLE])
    return {
        name: Line(
            mean=_mean(each),
            p99=sorted(each.seconds)[int(len(each.seconds) * 0.99)],
            regret=_mean(each) / best - 1,
            failed=each.failed,
            retried=each.retried,
            read=each.read,
        )
        for name, each in outcomes.items()
    }


def _mean(outcome: Outcome) -> float:
    return sum(outcome.seconds) / len(outcome.seconds)


def show(name: str, about: str, lines: Mapping[str, Line]) -> None:
    """Print one scenario's table."""
    print(f"\n{name}: {about}")
    print(
        f"{'strategy':18}{'mean':>9}{'p99':>9}{'regret':>9}{'failed':>8}{'retried':>9}{'read':>12}"
    )
    for strategy, line in lines.items():
        read = f"{line.read:>12,}" if line.read else f"{'':>12}"
        print(
            f"{strategy:18}{line.mean * 1000:>6.0f} ms{line.p99 * 1000:>6.0f} ms"
            f"{line.regret:>8.0%} {line.failed:>7}{line.retried:>9}{read}"
        )


def main() -> int:
    """Run the scenarios; the last line is JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the jobs")
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--only", choices=SCENARIOS, help="one scenario")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    number = QUICK_JOBS if asked.quick else JOBS
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, scenario in SCENARIOS.items():
        if asked.only in (None, name):
            lines = measured(scenario, number, _CHOSEN)
            found[name] = {
                strategy: {key: round(value, 4) for key, value in line._asdict().items()}
                for strategy, line in lines.items()
            }
            if not asked.json:
                show(name, scenario.about, lines)
    result: dict[str, object] = {"benchmark": "routing", "jobs": number, "scenarios": found}
    if "chats" in found:
        chats_found = found["chats"]
        others = chats_found["least_loaded"]
        affine = chats_found["prefix_affinity"]
        result["prefix_affinity"] = {
            "read": round(affine["read"] / others["read"], 3),
            "mean": round(affine["mean"] / others["mean"], 3),
            "p99": round(affine["p99"] / others["p99"], 3),
        }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
