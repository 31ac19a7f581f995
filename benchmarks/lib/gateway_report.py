"""What the gateway benchmark prints, plots and gives as JSON."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.lib import figures, plot, report
from benchmarks.lib.gateways import LITELLM, NGINX, OURS, OURS_TLS, ROUTERS, STARTERS
from benchmarks.lib.samples import Samples

METRICS = {
    "request_us": "CPU µs/request",
    "rps": "req/s",
    "ms1_p50": "added p50 µs",
    "ms1_p99": "added p99 µs",
    "chunk_us_200": "CPU µs/chunk, 200",
    "chunk_us_500": "500",
    "ttft_p50": "added TTFT µs",
    "stream_kb": "KB/stream",
    "upload_cpu_ms": "2 MB CPU ms",
    "rss_idle_mb": "idle MB",
    "rss_after_mb": "after 100k",
    "healthy_s": "start s",
}
MORE_IS_BETTER = {"rps"}
TARGETS = (
    ("request_cpu_over_nginx", 3.5, True),
    ("request_cpu_over_best_router", 1.0, True),
    ("request_cpu_under_litellm", 250.0, False),
    ("tls_cpu_over_plain", 1.5, True),
    ("chunk_cpu_over_nginx", 1.8, True),
    ("chunk_cpu_over_nginx_500", 1.4, True),
    ("stream_kb_over_nginx", 1.0, True),
    ("added_p50_us", 60.0, True),
    ("rss_slope_mb_per_100k", 2.0, True),
    ("healthy_s", 1.0, True),
)


def flat(samples: Samples, slope: float | None, not_run: Sequence[str]) -> dict[str, report.Cell]:
    """Return every figure by name; None where it couldn't be had."""
    routers = [samples.ratio(OURS, router, "request_us") for router in ROUTERS]
    under = samples.ratio(LITELLM, OURS, "request_us")
    found: dict[str, float | None] = {
        "request_cpu_over_nginx": samples.ratio(OURS, NGINX, "request_us"),
        "request_cpu_over_nginx_least": samples.least_ratio(OURS, NGINX, "request_us"),
        "request_cpu_over_best_router": max((r for r in routers if r is not None), default=None),
        "request_cpu_under_litellm": under,
        "tls_cpu_over_plain": samples.ratio(OURS_TLS, OURS, "request_us"),
        "chunk_cpu_over_nginx": samples.ratio(OURS, NGINX, "chunk_us_200"),
        "chunk_cpu_over_nginx_500": samples.ratio(OURS, NGINX, "chunk_us_500"),
        "stream_kb_over_nginx": samples.ratio(OURS, NGINX, "stream_kb"),
        "added_p50_us": samples.median(OURS, "ms1_p50"),
        "rss_slope_mb_per_100k": slope,
        "healthy_s": samples.median(OURS, "healthy_s"),
    }
    for name in STARTERS:
        key = name.lower().replace("-", "_").replace(" ", "_")
        for metric in METRICS:
            found[f"{key}_{metric}"] = samples.median(name, metric)
        found[f"{key}_request_us_least"] = samples.least(name, "request_us")
    rounded: dict[str, report.Cell] = {n: figures.rounded(v) for n, v in found.items()}
    rounded["not_run"] = "; ".join(not_run) or None
    return rounded


def print_tables(samples: Samples, result: dict[str, report.Cell], not_run: Sequence[str]) -> None:
    """Print the targets, every figure, our ratios, and what couldn't be run."""
    print(f"Gateways, chat requests of about 1 KB; {report.machine()}\n")
    for name, target, at_most in TARGETS:
        value = result[name]
        assert not isinstance(value, str)
        print(report.verdict(name, value, target, at_most=at_most))
    rows = [
        [name, *(figures.rounded(samples.median(name, metric)) for metric in METRICS)]
        for name in STARTERS
        if any(samples.values(name, metric) for metric in METRICS)
    ]
    print("\n" + report.table(["", *METRICS.values()], rows) + "\n")
    print(report.table(["inferd", "median", "x nginx", "x best peer", ""], list(_ours(samples))))
    print()
    for line in dict.fromkeys(not_run):
        print(f"not run: {line}")


def _ours(samples: Samples) -> list[list[report.Cell]]:
    peers = [name for name in STARTERS if name not in (OURS, OURS_TLS)]
    rows: list[list[report.Cell]] = []
    for metric, title in METRICS.items():
        mine = samples.median(OURS, metric)
        theirs = {
            name: value for name in peers if (value := samples.median(name, metric)) is not None
        }
        pick = max if metric in MORE_IS_BETTER else min
        best = pick(theirs, key=lambda name: theirs[name], default=None)
        over = [samples.ratio(OURS, peer, metric) if peer else None for peer in (NGINX, best)]
        rows.append([title, *map(figures.rounded, [mine, *over]), best])
    return rows


def write_plots(samples: Samples, folder: Path) -> None:
    """Write a plot of each of the figures that matter most."""
    folder.mkdir(parents=True, exist_ok=True)
    for metric, title in (
        ("request_us", "CPU µs per request of 1 KB (log scale)"),
        ("chunk_us_200", "CPU µs per SSE chunk, 200 streams (log scale)"),
        ("stream_kb", "KB per open stream, 1,000 streams (log scale)"),
        ("ms1_p50", "Added latency at one connection, p50, µs (log scale)"),
    ):
        bars = [
            (name, value)
            for name in STARTERS
            if name != OURS_TLS and (value := samples.median(name, metric)) is not None
        ]
        file = folder / f"perf-{metric.replace('_', '-')}.svg"
        file.write_text(plot.bars(title, bars, highlight=OURS), encoding="utf-8")
