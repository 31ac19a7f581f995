import pytest

from benchmarks.embeddings import DIRECT, INFINITY, OURS, Bench, Case, flat, ratios
from benchmarks.lib import figures, report
from benchmarks.lib.subjects import Window
from benchmarks.lib.texts import texts
from benchmarks.start import parse_imports


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.2, 1), (0.5, 3), (0.61, 4), (0.95, 5), (1.0, 5)]
)
def test_percentile_is_a_value_that_was_seen(share: float, expected: float) -> None:
    assert figures.percentile([5, 3, 1, 4, 2], share) == expected


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 0.5)


def test_paired_ratio_is_the_median_of_the_rounds() -> None:
    # The second round ran on a machine three times as slow: the ratio is the same.
    assert figures.paired_ratio([4, 12, 5], [2, 6, 2]) == 2


def test_paired_ratio_of_nothing_is_none() -> None:
    assert figures.paired_ratio([], [1.0]) is None
    assert figures.paired_ratio([1.0], [0.0]) is None


def test_median_of_nothing_is_none() -> None:
    assert figures.median([]) is None
    assert figures.median([3, 1, 2]) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (0.0, 0.0), (0.012345, 0.0123), (1.2345, 1.23), (12.345, 12.3), (12345, 12345)],
)
def test_three_figures_are_kept(value: float | None, expected: float | None) -> None:
    assert figures.rounded(value) == expected


def test_texts_are_different_and_always_the_same() -> None:
    written = texts(256)
    assert len(set(written)) == 256
    assert written == texts(256)
    assert {len(text.split()) for text in written} == {17}


def test_a_figure_that_was_not_measured_is_not_a_miss() -> None:
    assert report.verdict("x", None, 3) == "x: not measured (target ≥ 3)"
    assert report.verdict("x", 3.0, 3) == "x: 3 (target ≥ 3: met)"
    assert report.verdict("x", 1.3, 1.2, at_most=True) == "x: 1.3 (target ≤ 1.2: missed)"


def test_tables_line_up() -> None:
    assert report.table(["", "ms"], [["a", 1.5], ["longer", None]]).splitlines() == [
        "         ms",
        "-----------",
        "a       1.5",
        "longer    –",
    ]


def test_import_times_are_read_among_other_lines() -> None:
    lines = [
        "import time: self [us] | cumulative | imported package",
        "import time:       250 |       1250 |     encodings.aliases",
        "listening on http://127.0.0.1:8000",
    ]
    (found,) = parse_imports(lines)
    assert found == ("encodings.aliases", 0.25, 1.25)


def seen(cpu_ms: list[float], rate: float) -> list[Window]:
    return [Window(1000, 1000 / rate, cpu_seconds=each) for each in cpu_ms]


def test_ratios_compare_the_rounds_at_the_same_load() -> None:
    bench = Bench()
    for load in (1, 8, 64):
        bench.windows[Case(OURS, load)] = seen([2, 4, 3], rate=200)
        bench.windows[Case(INFINITY, load)] = seen([6, 12, 12], rate=50)
    for threads in range(1, 257):  # whatever the number of cores here
        bench.windows[Case(DIRECT, threads)] = seen([2, 4, 2], rate=400)
    found = ratios(bench)
    assert found["cpu_ratio_infinity"] == found["cpu_ratio_infinity_c64"] == 3
    assert found["cpu_ratio_infinity_least"] == 3
    assert found["rps_ratio_infinity_c8"] == 4
    assert found["cpu_ratio_direct"] == found["cpu_ratio_direct_c1"] == 1
    assert found["cpu_ratio_infinity_tuned"] is None
    assert found["rss_ratio_infinity"] is None


def test_what_was_not_run_is_null_and_said() -> None:
    bench = Bench()
    bench.not_run.append("infinity-emb: no network")
    found = flat(bench)
    assert found["cpu_ratio_infinity"] is found["ours_c64_cpu_ms"] is None
    assert found["not_run"] == "infinity-emb: no network"
    assert found["errors"] == 0
