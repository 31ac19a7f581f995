"""What a request, a chunk and an open stream cost: this node beside its peers, in one run.

    python benchmarks/gateway.py [--quick] [--json] [--cache FOLDER] [--without-peers]
        [--only NAME…] [--rounds N] [--plots FOLDER]

Every gateway gets one core, the load and three scripted upstreams get the others. Windows are
short and their order rotates, so that what else the machine does falls on all alike. This node
runs with everything on: credential, policy, limit, route, metrics, access log, ledger.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import soak
from benchmarks.lib import gateway_report, gateways, probes, processes, report
from benchmarks.lib.gateways import LITELLM, NGINX, OURS, OURS_TLS, STARTERS, Gateway, Site
from benchmarks.lib.processes import CannotRun
from benchmarks.lib.samples import Samples
from benchmarks.lib.wrk import Wrk

CONNECTIONS = 64
STREAMS = (200, 500)
HELD = 1000
UPLOAD = 2_000_000
MANY = 100_000
_WARM_UP = 300


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    window: int
    stream_window: float
    starts: int
    soak: int


QUICK = Scale(rounds=5, window=1, stream_window=1.5, starts=3, soak=60_000)
FULL = Scale(rounds=9, window=2, stream_window=3.0, starts=7, soak=500_000)


class Bench:
    """What runs, what was seen of it, and what couldn't be run."""

    def __init__(self, scale: Scale, site: Site, wrk: Wrk) -> None:
        self.scale, self.site, self.wrk = scale, site, wrk
        self.running: dict[str, Gateway] = {}
        self.samples = Samples()
        self.requests: dict[str, int] = {}
        self.not_run: list[str] = []
        self.slope: float | None = None

    def attempt(self, what: str, action: Callable[[], None]) -> None:
        """Do something, or note why it can't be done."""
        try:
            action()
        except CannotRun as error:
            self.not_run.append(f"{what}: {error}")

    def hold_streams(self, name: str) -> None:
        """Start a gateway anew, hold many streams open through it, and end it.

        Memory that something else has used before would hide what a stream takes.
        """
        with STARTERS[name](self.site) as gateway:
            self.samples.add(name, "healthy_s", 0, gateway.healthy_s)
            probes.latency(gateway, "--count", _WARM_UP)
            _settle(gateway)
            seen = probes.streams(gateway, HELD, 0.5, interval_ms=500)
            self.samples.add(name, "stream_kb", 0, seen.stream_kb)
            if seen.live < HELD:
                self.not_run.append(f"{name}: {seen.live} of {HELD} streams stayed open")

    def start(self, name: str, stack: ExitStack) -> None:
        """Start a gateway for the rest of the run, and read its memory when it has settled."""
        gateway = stack.enter_context(STARTERS[name](self.site))
        self.samples.add(name, "healthy_s", 1, gateway.healthy_s)
        _settle(gateway)
        self.samples.add(name, "rss_idle_mb", 0, processes.rss_mb(gateway.pid))
        self.wrk.look(gateway, CONNECTIONS, 1)
        self.running[name] = gateway

    def rotated(self, turn: int, names: Sequence[str]) -> list[Gateway]:
        """Return those that run, each round beginning with another one."""
        found = [self.running[name] for name in names if name in self.running]
        first = turn % len(found) if found else 0
        return found[first:] + found[:first]

    def ask_all(self, turn: int) -> None:
        """Measure whole requests, as many as each answers."""
        for gateway in self.rotated(turn, list(self.running)):
            self.attempt(gateway.name, lambda gateway=gateway: self._requests(turn, gateway))

    def ask_in_turn(self, turn: int) -> None:
        """Measure requests one after the other, beside the same without a gateway between."""
        direct = Gateway("direct", 0, self.site.upstreams[0], 0.0)
        names = [name for name in self.running if name != OURS_TLS]
        for metric, option in (("ms1", ()), ("ttft", ("--stream",))):
            options = ("--seconds", self.scale.window / 2, *option)
            base = probes.latency(direct, *options)
            for gateway in self.rotated(turn, names):
                seen = probes.latency(gateway, *options)
                for share, title in ((0.5, "p50"), (0.99, "p99")):
                    mine, its = seen.at(share), base.at(share)
                    if mine is not None and its is not None:
                        self.samples.add(gateway.name, f"{metric}_{title}", turn, mine - its)

    def _requests(self, turn: int, gateway: Gateway) -> None:
        window = self.wrk.look(gateway, CONNECTIONS, self.scale.window)
        self.requests[gateway.name] = self.requests.get(gateway.name, 0) + window.requests
        if window.errors:
            raise CannotRun(f"{window.errors} requests failed")
        cpu = window.cpu_ms
        self.samples.add(gateway.name, "request_us", turn, cpu * 1e3 if cpu else None)
        self.samples.add(gateway.name, "rps", turn, window.rate)

    def stream_all(self, turn: int) -> None:
        """Measure chunks: this node and nginx each round, the others in every third."""
        names = [OURS, NGINX] if turn % 3 else [*self.running]
        for count in STREAMS:
            for gateway in self.rotated(turn, [each for each in names if each != OURS_TLS]):
                if gateway.name == LITELLM and (turn or count != STREAMS[0]):
                    continue  # it is saturated by these, and takes long to open more
                self.attempt(gateway.name, lambda g=gateway, n=count: self._chunks(turn, g, n))

    def _chunks(self, turn: int, gateway: Gateway, count: int) -> None:
        seen = probes.streams(gateway, count, self.scale.stream_window)
        self.samples.add(gateway.name, f"chunk_us_{count}", turn, seen.chunk_us)

    def finish(self, gateway: Gateway) -> None:
        """Measure large uploads, and the memory after many requests."""
        if gateway.name != OURS_TLS:
            seen = probes.latency(gateway, "--large", UPLOAD, "--count", 20, "--seconds", 10)
            each = seen.cpu_seconds * 1e3 / (len(seen.times) + 1)
            self.samples.add(gateway.name, "upload_cpu_ms", 0, each)
        for _ in range(4):
            if self.requests.get(gateway.name, 0) < MANY and gateway.name != LITELLM:
                window = self.wrk.look(gateway, CONNECTIONS, 2)
                self.requests[gateway.name] += window.requests
        if self.requests.get(gateway.name, 0) >= MANY:
            self.samples.add(gateway.name, "rss_after_mb", 0, processes.rss_mb(gateway.pid))

    def start_often(self) -> None:
        """Start this node a few more times, to see how soon it is healthy."""
        for turn in range(2, self.scale.starts + 2):
            with gateways.inferd(self.site, name=f"start {turn}") as gateway:
                self.samples.add(OURS, "healthy_s", turn, gateway.healthy_s)

    def soak(self) -> None:
        """Find how memory grows under mixed requests."""
        self.slope = soak.soak(self.site, self.scale.soak).slope


def _settle(gateway: Gateway) -> None:
    for _ in range(20):
        if processes.is_quiet(gateway.pid):
            return


def run(bench: Bench, names: Sequence[str], stack: ExitStack) -> None:
    """Do everything, in an order that disturbs little."""
    for name in names:
        if name != OURS_TLS:
            bench.attempt(f"{name}, {HELD} streams", lambda name=name: bench.hold_streams(name))
    for name in names:
        bench.attempt(name, lambda name=name: bench.start(name, stack))
    for turn in range(bench.scale.rounds):
        bench.ask_all(turn)
        bench.stream_all(turn)
        if turn % 2 == 0:
            bench.attempt("one at a time", lambda turn=turn: bench.ask_in_turn(turn))
    for gateway in bench.running.values():
        bench.attempt(gateway.name, lambda gateway=gateway: bench.finish(gateway))
    if OURS in names:
        bench.attempt("starts", bench.start_often)
        bench.attempt("soak", bench.soak)


def main(arguments: Sequence[str]) -> int:
    """Run it all and report."""
    parser = argparse.ArgumentParser(description="A gateway's cost, beside its peers'.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter windows")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--without-peers", action="store_true", help="install and start no peers")
    parser.add_argument("--only", nargs="+", choices=list(STARTERS), help="only these gateways")
    parser.add_argument("--rounds", type=int, help="how often each is looked at")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write plots there")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "inferd-bench",
        metavar="FOLDER",
        help="where peers are installed (default: ~/.cache/inferd-bench)",
    )
    given = parser.parse_args(arguments)
    processes.leave_on_sigterm()
    _allow_many_files()
    names = given.only or list(STARTERS)
    if given.without_peers:
        names = [name for name in names if name in (OURS, OURS_TLS)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inferd-bench-")))
        cache = None if given.without_peers else given.cache.expanduser().resolve()
        try:
            wrk = Wrk(folder, may_install=cache is not None)
            site = Site(folder, stack.enter_context(probes.upstreams(folder)), cache)
        except CannotRun as error:
            print(f"not run: {error}")
            return 0
        scale = QUICK if given.quick else FULL
        bench = Bench(scale._replace(rounds=given.rounds or scale.rounds), site, wrk)
        run(bench, names, stack)
    if given.without_peers:
        bench.not_run.append("the peers: left out by --without-peers")
    result = gateway_report.flat(bench.samples, bench.slope, bench.not_run)
    gateway_report.print_tables(bench.samples, result, bench.not_run)
    if given.plots:
        gateway_report.write_plots(bench.samples, given.plots)
    if given.json:
        report.print_json(result)
    return 0


def _allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
