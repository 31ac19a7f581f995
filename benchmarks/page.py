"""How soon the first page is drawn, how much it weighs, and how smoothly 1,000 models scroll.

    python benchmarks/page.py [--quick] [--json]

A real chromium, with nothing cached, in front of a real node on loopback. The models come from a
stand-in of the Hub on loopback, through the node's own listing.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.lib import figures, node, processes, report
from benchmarks.lib.processes import CannotRun
from tests.hub.standin import many, stand_in

ROWS = 1000
TASK = "text-generation"
BARE = "data:text/html,<!doctype html><title>bare</title><p>One line."
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TARGETS = (
    ("first_paint_ms", 300.0),
    ("page_kb", 250.0),
    ("frame_ms", 20.0),
    ("frame_ms_p95", 34.0),  # two frames of a screen that draws 60 a second
)

_PAINTED = """() => new Promise((resolve) => {
  const seen = () => performance.getEntriesByName("first-contentful-paint")[0];
  if (seen()) return resolve(seen().startTime);
  new PerformanceObserver(() => seen() && resolve(seen().startTime)).observe({type: "paint"});
})"""
_RECORD = """() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = (now) => {
    window.frames_.push(now - last);
    last = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""


class Visit(NamedTuple):
    """One first visit: the time to the first paint with content, and what was transferred."""

    painted_ms: float
    kilobytes: float
    requests: int


def main(arguments: Sequence[str]) -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="The first page, and scrolling the models.")
    parser.add_argument("--quick", action="store_true", help="fewer visits")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(arguments)
    processes.leave_on_sigterm()
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        print("not run: there is no chromium here (apt install chromium)")
        return 0
    visits: list[Visit] = []
    bare: list[Visit] = []
    frames: list[float] = []
    failed: str | None = None
    with (
        tempfile.TemporaryDirectory(prefix="inferd-bench-") as folder,
        stand_in(many(ROWS, TASK)) as hub,
        sync_playwright() as playwright,
    ):
        try:
            with node.running_node(
                Path(folder), {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
            ) as running:
                browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
                times = 5 if given.quick else 15
                for _ in range(times):
                    visits.append(visit(browser, running.url))
                    bare.append(visit(browser, BARE))
                frames = scroll(browser, f"{running.url}/?task={TASK}")
                browser.close()
        except CannotRun as error:
            failed = str(error)
    print_report(visits, bare, frames, failed, as_json=given.json)
    return 0


def visit(browser: Browser, url: str) -> Visit:
    """Open the first page with an empty cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    sizes: list[float] = []

    def finished(told: Mapping[str, float]) -> None:
        sizes.append(told["encodedDataLength"])

    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", finished)
    page.goto(url, wait_until="load")
    painted: float = page.evaluate(_PAINTED)
    page.wait_for_timeout(300)
    context.close()
    return Visit(painted, sum(sizes) / 1000, len(sizes))


def scroll(browser: Browser, url: str) -> list[float]:
    """Scroll down through every model; return each frame's length in milliseconds."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url, wait_until="load")
    page.locator("table.tbl tbody tr").first.wait_for()
    page.mouse.move(720, 600)
    _to_the_end(page)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.evaluate(_RECORD)
    for _ in range(150):
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(16)
    frames: list[float] = page.evaluate("window.frames_")
    page.close()
    return frames[2:]


def _to_the_end(page: Page) -> None:
    """Make the page load every model that it lists.

    Raises:
        CannotRun: They don't all come.
    """
    last = page.locator(f"tr[aria-rowindex='{ROWS + 1}']")
    for _ in range(200):
        if last.count():
            return
        page.mouse.wheel(0, 1_000_000)
        page.wait_for_timeout(100)
    raise CannotRun(f"the page never came to {ROWS} models")


def print_report(
    visits: Sequence[Visit],
    bare: Sequence[Visit],
    frames: Sequence[float],
    failed: str | None,
    *,
    as_json: bool,
) -> None:
    """Print each figure beside its target: medians; of frames, the worst too.

    `bare` are visits to one line of text: what the browser and the machine take in any case.
    """
    result: dict[str, report.Cell] = {
        "first_paint_ms": figures.rounded(figures.median([v.painted_ms for v in visits])),
        "first_paint_ms_min": figures.rounded(min((v.painted_ms for v in visits), default=None)),
        "bare_paint_ms": figures.rounded(figures.median([v.painted_ms for v in bare])),
        "first_paint_ms_max": figures.rounded(max((v.painted_ms for v in visits), default=None)),
        "page_kb": figures.rounded(figures.median([v.kilobytes for v in visits])),
        "page_requests": figures.median([float(v.requests) for v in visits]),
        "frame_ms": figures.rounded(figures.median(frames)),
        "frame_ms_p95": figures.rounded(figures.percentile(frames, 0.95) if frames else None),
        "frame_ms_max": figures.rounded(max(frames, default=None)),
        "frames": float(len(frames)),
        "not_run": failed,
    }
    print(f"The first page, {len(visits)} visits, and {ROWS} models; {report.machine()}\n")
    for name, target in TARGETS:
        value = result[name]
        assert not isinstance(value, str)
        print(report.verdict(name, value, target, at_most=True))
    print(
        f"paint: {result['first_paint_ms_min']} to {result['first_paint_ms_max']} ms, one line of "
        f"text {result['bare_paint_ms']} ms; {result['page_requests']:.0f} requests; "
        f"frames: p95 {result['frame_ms_p95']} ms, longest {result['frame_ms_max']} ms"
        if not failed
        else f"not run: {failed}"
    )
    if as_json:
        report.print_json(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
