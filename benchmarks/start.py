"""How soon this node answers after its start, and what memory it takes.

    python benchmarks/start.py [--quick] [--json] [--imports]

`--imports` says instead what importing costs on the way to the first answer.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib import figures, node, processes, report
from benchmarks.lib.processes import CannotRun
from benchmarks.lib.subjects import Server
from benchmarks.lib.texts import texts

EMBEDDINGS = 100
TARGETS = (("healthy_s", 1.0), ("idle_rss_mb", 90.0), ("model_rss_mb", 170.0))
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( *)(\S+)")


class Run(NamedTuple):
    """One start of the node."""

    healthy_s: float
    idle_mb: float
    model_mb: float | None


class Import(NamedTuple):
    """One line of `-X importtime`, in milliseconds."""

    name: str
    own: float
    total: float


def main(arguments: Sequence[str]) -> int:
    """Start the node a few times and report."""
    parser = argparse.ArgumentParser(description="Start-to-healthy and memory of this node.")
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--imports", action="store_true", help="say what importing costs instead")
    given = parser.parse_args(arguments)
    processes.leave_on_sigterm()
    if given.imports:
        return print_imports()
    runs: list[Run] = []
    failed: str | None = None
    for _ in range(4 if given.quick else 11):
        with tempfile.TemporaryDirectory(prefix="inferd-bench-") as name:
            try:
                runs.append(once(Path(name)))
            except CannotRun as error:
                failed = str(error)
                break
    print_report(runs, failed, as_json=given.json)
    return 0


def once(folder: Path) -> Run:
    """Start the node; read its memory when it has settled and after a hundred embeddings.

    Raises:
        CannotRun: It doesn't start.
    """
    with node.running_node(folder) as running:
        processes.wait_until(
            lambda: processes.answers(f"{running.url}/status") and processes.is_quiet(running.pid),
            running.process,
            folder / "node.log",
            what="this node has settled",
            seconds=20,
        )
        idle = processes.rss_mb(running.pid)
        bodies = folder / "bodies"
        lines = [json.dumps({"model": node.MODEL, "input": [text]}) for text in texts(EMBEDDINGS)]
        bodies.write_text("\n".join(lines) + "\n", encoding="utf-8")
        server = Server(running.pid, running.port, node.EMBEDDINGS, bodies)
        window = server.send(connections=4, seconds=20.0, count=EMBEDDINGS)
        answered = window.requests == EMBEDDINGS
        if not answered:
            print(f"embeddings failed: {window.first_error}", file=sys.stderr)
        model = processes.rss_mb(running.pid) if answered else None
        return Run(running.healthy_seconds, idle, model)


def print_report(runs: Sequence[Run], failed: str | None, *, as_json: bool) -> None:
    """Print each figure beside its target: the least time, the median memory."""
    times = [run.healthy_s for run in runs]
    models = [run.model_mb for run in runs if run.model_mb is not None]
    result: dict[str, report.Cell] = {
        "healthy_s": figures.rounded(figures.median(times)),
        "healthy_s_min": figures.rounded(min(times, default=None)),
        "idle_rss_mb": figures.rounded(figures.median([run.idle_mb for run in runs])),
        "model_rss_mb": figures.rounded(figures.median(models)),
        "runs": float(len(runs)),
        "not_run": failed,
    }
    print(f"Start and memory, {len(runs)} runs; {report.machine()}\n")
    for name, target in TARGETS:
        value = result[name]
        assert not isinstance(value, str)
        print(report.verdict(name, value, target, at_most=True))
    print(f"least time to healthy: {result['healthy_s_min']} s")
    if failed:
        print(f"not run: {failed}")
    if as_json:
        report.print_json(result)


def print_imports() -> int:
    """Print what was imported before the first answer, dearest first."""
    with tempfile.TemporaryDirectory(prefix="inferd-bench-") as name:
        folder = Path(name)
        try:
            lines = _imports_log(folder)
        except CannotRun as error:
            print(f"not run: {error}")
            return 0
    found = parse_imports(lines)
    packages: dict[str, float] = {}
    for each in found:
        package = each.name.partition(".")[0]
        packages[package] = packages.get(package, 0.0) + each.own
    print(f"{len(found)} modules, {sum(each.own for each in found):.0f} ms under -X importtime\n")
    for title, ordered in (
        ("package, with all its modules", sorted(packages.items(), key=lambda item: -item[1])),
        ("module with what it imports", sorted(((e.name, e.total) for e in found), key=_second)),
        ("module alone", sorted(((each.name, each.own) for each in found), key=_second)),
    ):
        print(report.table([title, "ms"], ordered[:15]) + "\n")
    return 0


def _second(pair: tuple[str, float]) -> float:
    return -pair[1]


def _imports_log(folder: Path) -> list[str]:
    home, log, port = folder / "home", folder / "node.log", processes.free_port()
    home.mkdir()
    command = [sys.executable, "-X", "importtime", *node.command(home, port)]
    environment = node.plain_environment()
    with processes.started(command, log, environment=environment) as process:
        processes.wait_until(
            lambda: processes.answers(f"http://127.0.0.1:{port}/healthz"),
            process,
            log,
            what="this node",
            seconds=30,
        )
        # What it imports once it has answered is no part of the start.
        size = os.path.getsize(log)
    with log.open("rb") as written:
        return written.read(size).decode(errors="replace").splitlines()


def parse_imports(lines: Iterable[str]) -> list[Import]:
    """Read the lines of `-X importtime`, leaving out what else was printed."""
    matches = (_IMPORT.match(line) for line in lines)
    return [
        Import(match[4], int(match[1]) / 1e3, int(match[2]) / 1e3) for match in matches if match
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
