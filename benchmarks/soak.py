"""Whether memory grows: 500,000 mixed requests, resident memory over the second half.

    python benchmarks/soak.py [--quick] [--json]

Whole answers, streams, clients that leave, upstreams that break off, refused requests, over 64
connections. The slope is a straight line through the second half's fifty figures.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.lib import figures, gateways, probes, processes, report
from benchmarks.lib.gateways import Site
from benchmarks.lib.mixed import KINDS
from benchmarks.lib.processes import CannotRun

COUNT, QUICK = 500_000, 60_000


class Soak(NamedTuple):
    """What a long run showed."""

    points: Sequence[tuple[int, float]]
    """Requests so far, and resident memory in 10^6 bytes."""
    seen: dict[str, int]

    @property
    def slope(self) -> float | None:
        """Growth over the second half, in 10^6 bytes for each 100,000 requests."""
        slope = figures.slope(self.points[len(self.points) // 2 :])
        return None if slope is None else slope * 1e5

    @property
    def unexpected(self) -> dict[str, int]:
        names = {kind.name for kind in KINDS}
        return {name: count for name, count in self.seen.items() if name not in names}


def soak(site: Site, count: int) -> Soak:
    """Start a node and ask it so many things.

    Raises:
        CannotRun: It doesn't start, or stops answering.
    """
    with gateways.inferd(site, name="soak") as gateway:
        told = probes.mixed(gateway, count)
    return Soak(told["points"], told["seen"])


def main(arguments: Sequence[str]) -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description="Memory under 500,000 mixed requests.")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} requests")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(arguments)
    processes.leave_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="inferd-bench-") as name:
        folder = Path(name)
        try:
            with probes.upstreams(folder) as ports:
                found = soak(Site(folder, ports, None), QUICK if given.quick else COUNT)
        except CannotRun as error:
            print(f"not run: {error}")
            return 0
    slope = figures.rounded(found.slope)
    print(f"{sum(found.seen.values()):,} mixed requests; {report.machine()}\n")
    print(report.table(["answered", ""], [[name, float(n)] for name, n in found.seen.items()]))
    steps = found.points[9::10]
    print("\n" + report.table(["requests", "MB"], [[f"{done:,}", mb] for done, mb in steps]) + "\n")
    print(report.verdict("rss_slope_mb_per_100k", slope, 2.0, at_most=True))
    unexpected = float(sum(found.unexpected.values()))
    if given.json:
        report.print_json({"rss_slope_mb_per_100k": slope, "unexpected": unexpected})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
