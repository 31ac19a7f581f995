"""Whether a request costs the same with 1, 100 and 1,000 backends, keys or models.

    python benchmarks/scaling.py [--quick] [--json] [--only backends|keys|models]

Three nodes of different size run side by side and are asked in turn, in short windows whose order
rotates; requests go round all keys, all models, all backends. The scripted upstreams are three
processes' worth of ports, whatever the number of backends.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib import figures, gateways, probes, processes, report
from benchmarks.lib.bodies import LENGTHS, chat_body
from benchmarks.lib.gateways import Gateway, Site
from benchmarks.lib.processes import CannotRun
from benchmarks.lib.samples import Samples
from benchmarks.lib.subjects import Window
from benchmarks.lib.wrk import Wrk, script_of

SIZES = (1, 100, 1000)
TARGET = 1.2
CONNECTIONS = 64
SECONDS = 2
WARM = 5
"""How often each key, model and backend is asked for before it counts."""
METRIC = "request_us"


class Node(NamedTuple):
    """What a node is configured with, and what is asked of it."""

    backends: int = 1
    keys: int = 1
    models: int = 1

    @property
    def secrets(self) -> list[str]:
        return [f"sk-scaling-{number:06d}-{number * 7919:010d}" for number in range(self.keys)]

    @property
    def names(self) -> list[str]:
        return [f"bench-model-{number}" for number in range(self.models)]

    def configuration(self, urls: Sequence[str]) -> str:
        """Return its inferd.toml."""
        lines = [
            "[auth]",
            f"shared_secrets = {json.dumps(self.secrets)}",
            "[local]",
            "enabled = false",
            "[hub]",
            "enabled = false",
            "[[policy.rules]]",
            'principal = "secret:*"',
            'models = ["bench-*"]',
            'tier = "cloud"',
            "limits.requests_per_minute = 1_000_000_000",
            "limits.concurrency = 100_000",
        ]
        for number in range(self.backends):
            lines += ["[[backends]]", f'name = "up{number}"', 'kind = "openai"']
            lines += [f'base_url = "{urls[number % len(urls)]}"', 'api_key = "env:BENCH_SECRET"']
            lines += [f"models = {json.dumps(self.names)}"]
        return "\n".join(lines) + "\n"

    def script(self) -> str:
        """Return wrk's script: every key and every model in turn."""
        bodies = [
            chat_body(LENGTHS[number % len(LENGTHS)], model=name)
            for number, name in enumerate(self.names * (len(LENGTHS) if self.models == 1 else 1))
        ]
        return script_of([f"Bearer {secret}" for secret in self.secrets], bodies)


DIMENSIONS = {
    "backends": [Node(backends=size) for size in SIZES],
    "keys": [Node(keys=size) for size in SIZES],
    "models": [Node(models=size) for size in SIZES],
}


def measure(dimension: str, site: Site, wrk: Wrk, samples: Samples, rounds: int) -> None:
    """Ask the three nodes of one dimension in turn.

    Raises:
        CannotRun: One doesn't start, or answers with errors.
    """
    with ExitStack() as stack:
        running: list[tuple[str, Node, Gateway]] = []
        for size, node in zip(SIZES, DIMENSIONS[dimension], strict=True):
            name = f"{dimension} {size}"
            lent = gateways.inferd(
                site, name=name, configuration=node.configuration(site.urls("/v1"))
            )
            running.append((name, node, stack.enter_context(lent)))
        for name, node, gateway in running:
            warm_up(name, node, gateway, wrk)
        for turn in range(rounds):
            first = turn % len(running)
            for name, node, gateway in running[first:] + running[:first]:
                window = look(name, node, gateway, wrk)
                if window.cpu_ms:
                    samples.add(name, METRIC, turn, window.cpu_ms * 1e3)


def warm_up(name: str, node: Node, gateway: Gateway, wrk: Wrk) -> None:
    """Ask for everything a few times: what is done once for each isn't what a request costs.

    Raises:
        CannotRun: It answers with errors.
    """
    asked = 0
    for _ in range(10):
        asked += look(name, node, gateway, wrk).requests
        if asked >= WARM * SIZES[-1]:
            break


def look(name: str, node: Node, gateway: Gateway, wrk: Wrk) -> Window:
    """Keep a node busy for a moment.

    Raises:
        CannotRun: It answers with errors.
    """
    window = wrk.look(gateway, CONNECTIONS, SECONDS, node.script())
    if window.errors or not window.requests:
        raise CannotRun(f"{name}: {window.errors} errors: {window.first_error}")
    return window


def main(arguments: Sequence[str]) -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="Cost by number of backends, keys and models.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--only", choices=list(DIMENSIONS), help="only this")
    given = parser.parse_args(arguments)
    processes.leave_on_sigterm()
    samples, not_run = Samples(), list[str]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inferd-bench-")))
        try:
            wrk = Wrk(folder, may_install=True)
            site = Site(folder, stack.enter_context(probes.upstreams(folder)), None)
        except CannotRun as error:
            print(f"not run: {error}")
            return 0
        for dimension in [given.only] if given.only else DIMENSIONS:
            try:
                measure(dimension, site, wrk, samples, 3 if given.quick else 9)
            except CannotRun as error:
                not_run.append(f"{dimension}: {error}")
    print_report(samples, not_run, as_json=given.json)
    return 0


def print_report(samples: Samples, not_run: Sequence[str], *, as_json: bool) -> None:
    """Print what a request costs at each size, and how many times the smallest that is."""
    result: dict[str, report.Cell] = {}
    rows: list[list[report.Cell]] = []
    for dimension in DIMENSIONS:
        one = f"{dimension} {SIZES[0]}"
        row: list[report.Cell] = [dimension]
        for size in SIZES:
            name = f"{dimension} {size}"
            cost = figures.rounded(samples.median(name, METRIC))
            over = figures.rounded(samples.ratio(name, one, METRIC))
            result[f"{dimension}_{size}_us"] = cost
            result[f"{dimension}_{size}_over_1"] = over
            row += [cost, over]
        rows.append(row)
    header = [cell for size in SIZES for cell in (f"{size:,}: µs", "x 1")]
    print(f"CPU for a request by size; {report.machine()}\n")
    print(report.table(["", *header], rows) + "\n")
    for dimension in DIMENSIONS:
        name = f"{dimension}_{SIZES[-1]}_over_1"
        value = result[name]
        assert not isinstance(value, str)
        print(report.verdict(name, value, TARGET, at_most=True))
    for line in not_run:
        print(f"not run: {line}")
    if as_json:
        report.print_json(result | {"not_run": "; ".join(not_run) or None})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
