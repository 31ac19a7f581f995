"""Every fault by every way in, the kill under load, and LiteLLM beside us.

    python -m tests.faults [--quick] [--no-peer]

Prints a table in Markdown, and one line of JSON last. It fails where a word was lost or doubled, an
answer hung, or a request failed under load.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lib.processes import CannotRun
from tests.faults.asking import WAYS
from tests.faults.cases import Case, Fault, Outcome, Stage, cases, summed
from tests.faults.litellm import ISSUE, Beside, beside
from tests.faults.pace import RATE, SECONDS, Paced, under_load


async def run(folder: Path, *, is_quick: bool, with_peer: bool) -> bool:
    """Run it all, and say what came of it; return whether all was well."""
    outcomes: dict[Case, Outcome] = {}
    async with Stage(folder) as stage:
        for number, case in enumerate(cases()):
            if is_quick and number % 5:
                continue
            outcomes[case] = await stage.run(case)
            print(_line(outcomes[case]), file=sys.stderr, flush=True)
        ours = [await stage.run(Case(fault, "openai", stream=True)) for _, fault in ISSUE]
    theirs = await _theirs() if with_peer else []
    paced = await under_load(folder)
    _print_table(outcomes)
    _print_beside(ours, theirs)
    _print_paced(paced)
    figures = summed(outcomes) | _figures_of(paced)
    print(json.dumps(figures))
    bad = [each for each in (*outcomes.values(), *ours) if not each.is_good]
    for each in bad:
        print(f"not good: {_line(each)}", file=sys.stderr)
    return not bad and not paced.failed


async def _theirs() -> list[Beside]:
    try:
        return await beside()
    except CannotRun as error:
        print(f"LiteLLM can't run here: {error}", file=sys.stderr)
        return []


def _line(outcome: Outcome) -> str:
    heard = outcome.heard
    return (
        f"{outcome.case}: {heard.end}, {outcome.lost} lost, {outcome.doubled} doubled, "
        f"longest silence {heard.gap:.2f} s, struck {outcome.struck} {heard.said}"
    )


def _print_table(outcomes: dict[Case, Outcome]) -> None:
    columns = [(way, stream) for way in WAYS for stream in (True, False)]
    heads = [f"{way}, {'stream' if stream else 'whole'}" for way, stream in columns]
    print(f"| fault | {' | '.join(heads)} |")
    print(f"|---|{'---|' * len(heads)}")
    faults: dict[Fault, None] = dict.fromkeys(case.fault for case in outcomes)
    for fault in faults:
        cells = [_cell(outcomes.get(Case(fault, way, stream))) for way, stream in columns]
        print(f"| {fault.kind.value} | {' | '.join(cells)} |")


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    if outcome.is_good:
        return f"whole, {outcome.heard.gap:.2f} s"
    return f"**{outcome.heard.end}**, {outcome.lost} lost, {outcome.doubled} doubled"


def _print_beside(ours: Sequence[Outcome], theirs: Sequence[Beside]) -> None:
    print("\n| LiteLLM's issue 40404 | inferd | LiteLLM |\n|---|---|---|")
    for (name, _), outcome in zip(ISSUE, ours, strict=True):
        other = next((each for each in theirs if each.fault == name), None)
        told = "not run"
        if other is not None:
            told = (
                f"{other.heard.end}, {other.lost} lost, {other.doubled} doubled, "
                f"{other.heard.gap:.1f} s"
            )
        print(f"| {name} | {_cell(outcome)} | {told} |")


def _print_paced(paced: Paced) -> None:
    print(
        f"\n{RATE} requests a second for {SECONDS:g} s over three backends, one killed: "
        f"{paced.failed} of {paced.sent} failed {paced.first_failure}; "
        f"slowest {paced.slowest:.3f} s; recovery {paced.recovery:.2f} s; "
        f"{paced.again:g} further attempts, {paced.refused:g} refused; {paced.by_backend}\n"
    )


def _figures_of(paced: Paced) -> dict[str, object]:
    return {
        "load_sent": paced.sent,
        "load_failed": paced.failed,
        "load_retries": paced.again,
        "load_retries_refused": paced.refused,
        "recovery_s": paced.recovery,
    }


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description="What a caller sees when backends fail.")
    parser.add_argument("--quick", action="store_true", help="every fifth case")
    parser.add_argument("--no-peer", action="store_true", help="without LiteLLM")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        good = asyncio.run(run(Path(folder), is_quick=given.quick, with_peer=not given.no_peer))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
