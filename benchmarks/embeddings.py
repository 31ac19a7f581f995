"""Embeddings of one text of twenty tokens: this node, its peers and the bare runtime, in one run.

    python benchmarks/embeddings.py [--quick] [--json] [--cache FOLDER] [--without-peers]

Everything is started first and then measured in turn, in short windows whose order rotates, so
that what else the machine does falls on all alike. What can't be installed or started is said.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib import figures, node, peers, processes, report, subjects
from benchmarks.lib.processes import CannotRun
from benchmarks.lib.subjects import Direct, Server, Subject, Window
from benchmarks.lib.texts import texts
from inferd.engine.embedded import weights
from inferd.engine.embedded.device import usable_cores

CONNECTIONS = (1, 8, 64)
HEADLINE = 64
"""The connections at which peers batch best."""

OURS, INFINITY, INFINITY_TUNED = "ours", "infinity", "infinity_tuned"
DIRECT, DIRECT_8, ST_1, ST_8 = "direct", "direct_b8", "st_b1", "st_b8"
TITLES = {
    OURS: "inferd: block-32 int8, onnxruntime",
    INFINITY: "infinity-emb as installed: fp32, torch",
    INFINITY_TUNED: "infinity-emb tuned: fp32, torch",
    DIRECT: "onnxruntime called directly: block-32 int8, batch 1",
    DIRECT_8: "onnxruntime called directly: block-32 int8, batch 8",
    ST_1: "sentence-transformers called directly: fp32, batch 1",
    ST_8: "sentence-transformers called directly: fp32, batch 8",
}

SERVERS = (OURS, INFINITY, INFINITY_TUNED)
COLUMNS = ("rps", "p50_ms", "p95_ms", "cpu_ms", "cpu_ms_min")
TARGETS = (
    ("cpu_ratio_infinity", 3.0, False),
    ("cpu_ratio_direct", 1.2, True),
    ("rps_ratio_infinity", 1.0, False),
    ("rss_ratio_infinity", 1.0, False),
    ("cpu_ratio_infinity_tuned", 3.0, False),
    ("rps_ratio_infinity_tuned", 1.0, False),
)


class Case(NamedTuple):
    """A subject at a load: connections of a server, threads of a model."""

    name: str
    load: int

    @property
    def key(self) -> str:
        return f"{self.name}_{'c' if self.name in SERVERS else 't'}{self.load}"


class Bench:
    """The subjects that run, what was seen of them, and what couldn't be run."""

    def __init__(self) -> None:
        self.subjects: dict[str, Subject] = {}
        self.windows: dict[Case, list[Window]] = {}
        self.idle_mb: dict[str, float] = {}
        self.after_mb: dict[str, float] = {}
        self.agreement: float | None = None
        self.not_run: list[str] = []

    def cases(self, cores: int) -> list[Case]:
        """Return what to measure; what will be compared stands together."""
        threads = {DIRECT: sorted({1, cores}), DIRECT_8: [cores], ST_1: [1], ST_8: [1]}
        wanted = [Case(name, load) for load in CONNECTIONS for name in SERVERS]
        wanted += [Case(name, load) for name, loads in threads.items() for load in loads]
        return [case for case in wanted if case.name in self.subjects]

    def measure(self, rounds: int, seconds: float) -> None:
        """Look at each case once a round, beginning with another one each time."""
        cases = self.cases(usable_cores())
        for turn in range(rounds):
            start = turn * len(cases) // rounds
            for case in cases[start:] + cases[:start]:
                window = self.subjects[case.name].look(case.load, seconds)
                self.windows.setdefault(case, []).append(window)

    def each(self, case: Case, figure: Callable[[Window], float | None]) -> list[float]:
        """Return a figure of each round."""
        found = (figure(window) for window in self.windows.get(case, []))
        return [value for value in found if value is not None]

    def least_ratio(self, over: Case, under: Case) -> float | None:
        """Compare the processor time of each one's quietest window."""
        a, b = self.each(over, _cpu), self.each(under, _cpu)
        return min(a) / min(b) if a and b else None

    def ratio(
        self, over: Case, under: Case, figure: Callable[[Window], float | None]
    ) -> float | None:
        """Return how many times the one is the other, by rounds."""
        return figures.paired_ratio(self.each(over, figure), self.each(under, figure))


def main(arguments: Sequence[str]) -> int:
    """Run it all and report."""
    parser = argparse.ArgumentParser(description="Embeddings: this node, its peers, the runtime.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter windows")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--without-peers", action="store_true", help="install and start no peers")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "inferd-bench",
        metavar="FOLDER",
        help="where peers are installed (default: ~/.cache/inferd-bench)",
    )
    given = parser.parse_args(arguments)
    processes.leave_on_sigterm()
    bench = Bench()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inferd-bench-")))
        cache = None if given.without_peers else given.cache.expanduser().resolve()
        start(bench, cache, folder, stack)
        bench.measure(*((3, 1.5) if given.quick else (7, 2.5)))
        for name, subject in bench.subjects.items():
            bench.after_mb[name] = processes.rss_mb(subject.pid)
    result = flat(bench)
    print_tables(bench, result)
    if given.json:
        report.print_json(result)
    return 0


def start(bench: Bench, cache: Path | None, folder: Path, stack: ExitStack) -> None:
    """Start everything that can be started, warm it up, and note what can't."""
    written = texts(256)
    listing = folder / "texts"
    listing.write_text("\n".join(written) + "\n", encoding="utf-8")
    ours, theirs = folder / "ours.bodies", folder / "infinity.bodies"
    _write_bodies(ours, written, node.MODEL)

    def attempt(what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except CannotRun as error:
            bench.not_run.append(f"{what}: {error}")

    def this_node() -> None:
        running = stack.enter_context(node.running_node(folder))
        _add_server(bench, OURS, Server(running.pid, running.port, node.EMBEDDINGS, ours))

    def directly() -> None:
        data = weights.built_folder()
        model, vocabulary = data / weights.MINILM, data / weights.VOCABULARY
        if not (model.is_file() and vocabulary.is_file()):
            raise CannotRun("the embedded models are not built; run `make setup`")
        files = ["--texts", listing, "--model", model, "--vocabulary", vocabulary]
        process = stack.enter_context(
            subjects.direct_process(Path(sys.executable), "onnxruntime", files, folder)
        )
        bench.subjects[DIRECT], bench.subjects[DIRECT_8] = Direct(process, 1), Direct(process, 8)

    attempt("inferd", this_node)
    attempt("onnxruntime called directly", directly)
    if cache is None:
        bench.not_run.append("the peers: left out by --without-peers")
        return

    def sentence_transformers() -> None:
        with peers.locked(cache):
            model = peers.model(cache)
            programs = peers.environment(peers.SENTENCE_TRANSFORMERS, cache)
        files = ["--texts", listing, "--model", model]
        process = stack.enter_context(
            subjects.direct_process(programs / "python", "sentence-transformers", files, folder)
        )
        bench.subjects[ST_1], bench.subjects[ST_8] = Direct(process, 1), Direct(process, 8)

    def infinity() -> None:
        with peers.locked(cache):
            model = peers.model(cache)
            programs = peers.environment(peers.INFINITY, cache)
        _write_bodies(theirs, written, model.name)
        for name, tuned in ((INFINITY_TUNED, True), (INFINITY, False)):
            server = subjects.infinity_server(programs, model, theirs, folder, tuned=tuned)
            _add_server(bench, name, stack.enter_context(server))

    attempt("sentence-transformers", sentence_transformers)
    attempt("infinity-emb", infinity)
    attempt("comparing vectors", lambda: _compare_vectors(bench))


def _write_bodies(file: Path, written: Sequence[str], model: str) -> None:
    lines = [json.dumps({"model": model, "input": [text]}) for text in written]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _add_server(bench: Bench, name: str, server: Server) -> None:
    """Wait until a server has settled, read its memory, and let it answer for the first time."""
    for _ in range(20):
        if processes.is_quiet(server.pid):
            break
    bench.idle_mb[name] = processes.rss_mb(server.pid)
    window = server.send(connections=8, seconds=10.0, count=64)
    if window.errors or not window.requests:
        raise CannotRun(f"it answers with errors: {window.first_error}")
    bench.subjects[name] = server


def _compare_vectors(bench: Bench) -> None:
    """Check that both servers compute the same thing, but for the precision."""
    ours, theirs = bench.subjects.get(OURS), bench.subjects.get(INFINITY_TUNED)
    if isinstance(ours, Server) and isinstance(theirs, Server):
        a, b = ours.first_vector(), theirs.first_vector()
        bench.agreement = sum(x * y for x, y in zip(a, b, strict=True)) / (
            math.hypot(*a) * math.hypot(*b)
        )


def flat(bench: Bench) -> dict[str, report.Cell]:
    """Return every figure by name; None where it couldn't be had."""
    result: dict[str, report.Cell] = dict(ratios(bench))
    every = [Case(name, load) for name in SERVERS for load in CONNECTIONS]
    every += [case for case in bench.cases(usable_cores()) if case.name not in SERVERS]
    for case in every:
        result.update(figures_of(bench, case))
    for name in SERVERS:
        result[f"{name}_rss_idle_mb"] = figures.rounded(bench.idle_mb.get(name))
        result[f"{name}_rss_after_mb"] = figures.rounded(bench.after_mb.get(name))
    result["cosine_with_infinity"] = bench.agreement
    result["errors"] = sum(window.errors for seen in bench.windows.values() for window in seen)
    result["not_run"] = "; ".join(bench.not_run) or None
    return result


def ratios(bench: Bench) -> dict[str, float | None]:
    """Return the figures to compare with the targets, at the headline load first."""

    def over_direct(load: int, threads: int) -> float | None:
        return bench.ratio(Case(OURS, load), Case(DIRECT, threads), _cpu)

    found: dict[str, float | None] = {}
    for peer in (INFINITY, INFINITY_TUNED):
        for load in (HEADLINE, *CONNECTIONS):
            end = f"ratio_{peer}" if f"cpu_ratio_{peer}" not in found else f"ratio_{peer}_c{load}"
            ours, theirs = Case(OURS, load), Case(peer, load)
            found[f"cpu_{end}"] = bench.ratio(theirs, ours, _cpu)
            found[f"rps_{end}"] = bench.ratio(ours, theirs, _rate)
        headline = Case(peer, HEADLINE), Case(OURS, HEADLINE)
        found[f"cpu_ratio_{peer}_least"] = bench.least_ratio(*headline)
        mine, its = bench.after_mb.get(OURS), bench.after_mb.get(peer)
        found[f"rss_ratio_{peer}"] = its / mine if mine and its else None
    # As many threads as the node has: what they take from one another counts for both.
    found["cpu_ratio_direct"] = over_direct(HEADLINE, usable_cores())
    # This node reads what waits in batches of 8; the runtime could do so too.
    batched = Case(DIRECT_8, usable_cores())
    found["cpu_ratio_direct_b8"] = bench.ratio(Case(OURS, HEADLINE), batched, _cpu)
    headline = Case(OURS, HEADLINE), Case(DIRECT, usable_cores())
    found["cpu_ratio_direct_least"] = bench.least_ratio(*headline)
    for load in CONNECTIONS:
        found[f"cpu_ratio_direct_c{load}"] = over_direct(load, 1 if load == 1 else usable_cores())
    return {name: figures.rounded(value) for name, value in found.items()}


def figures_of(bench: Bench, case: Case) -> dict[str, float | None]:
    """Return one case's own figures."""
    cpu = bench.each(case, _cpu)
    latencies = [each for window in bench.windows.get(case, []) for each in window.latencies_ms]
    found = {"rps": figures.median(bench.each(case, _rate)), "cpu_ms": figures.median(cpu)}
    found["cpu_ms_min"] = min(cpu, default=None)
    if case.name in SERVERS:
        found["p50_ms"] = figures.percentile(latencies, 0.5) if latencies else None
        found["p95_ms"] = figures.percentile(latencies, 0.95) if latencies else None
    return {f"{case.key}_{name}": figures.rounded(value) for name, value in found.items()}


def _cpu(window: Window) -> float | None:
    return window.cpu_ms


def _rate(window: Window) -> float | None:
    return window.rate


def print_tables(bench: Bench, result: dict[str, report.Cell]) -> None:
    """Print ratios, then every figure, then what couldn't be run."""
    print(f"Embeddings, one text of 20 tokens a request; {report.machine()}\n")
    for name, target, at_most in TARGETS:
        value = result[name]
        assert not isinstance(value, str)
        print(report.verdict(name, value, target, at_most=at_most))
    header = ["", "load", "req/s", "p50 ms", "p95 ms", "CPU ms", "min", "RSS MB", "idle"]
    rows: list[list[report.Cell]] = []
    for case in bench.windows:
        own = [result.get(f"{case.key}_{name}") for name in COLUMNS]
        memory = [result.get(f"{case.name}_rss_{when}_mb") for when in ("after", "idle")]
        unit = "conn." if case.name in SERVERS else "thr."
        rows.append([TITLES[case.name], f"{case.load} {unit}", *own, *memory])
    print("\n" + report.table(header, rows) + "\n")
    print(f"cosine of this node's and infinity-emb's vector: {result['cosine_with_infinity']}")
    print(f"requests that failed: {result['errors']}")
    for line in bench.not_run:
        print(f"not run: {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
