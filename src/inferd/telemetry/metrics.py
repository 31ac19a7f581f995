"""Numbers for monitoring: plain counts while requests run, written out when somebody asks."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
           60.0, 120.0)  # fmt: skip
"""The bounds of what is timed: from what a gateway adds to what a long answer takes."""

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Labels = Mapping[str, str]
Kind = Literal["counter", "gauge", "histogram"]


class Histogram:
    """How many values fell below each of its bounds, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Family(NamedTuple):
    """One metric with all its series. A counter's name is given without its `_total`."""

    name: str
    kind: Kind
    help: str
    series: Sequence[tuple[Labels, float | Histogram]]


class Reading(NamedTuple):
    """A number that somebody else keeps, and how to read it."""

    name: str
    kind: Kind
    help: str
    read: Callable[[], float]

    def family(self) -> Family:
        """Read it."""
        return Family(self.name, self.kind, self.help, [({}, self.read())])


def as_prometheus(families: Iterable[Family]) -> bytes:
    """Write families in Prometheus' text format, version 0.0.4."""
    return "".join(_family(family, is_open=False) for family in families).encode()


def as_openmetrics(families: Iterable[Family]) -> bytes:
    """Write families in the OpenMetrics text format, version 1.0."""
    return ("".join(_family(family, is_open=True) for family in families) + "# EOF\n").encode()


def _family(family: Family, *, is_open: bool) -> str:
    name = f"{family.name}_total" if family.kind == "counter" else family.name
    told = family.name if is_open else name
    lines = [f"# HELP {told} {family.help}", f"# TYPE {told} {family.kind}"]
    for labels, value in family.series:
        if isinstance(value, Histogram):
            lines += _histogram(family.name, labels, value)
        else:
            lines.append(f"{name}{_labels(labels)} {_number(value)}")
    return "\n".join(lines) + "\n"


def _histogram(name: str, labels: Labels, histogram: Histogram) -> Iterable[str]:
    below = 0
    for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
        below += count
        yield f"{name}_bucket{_labels({**labels, 'le': _number(float(bound))})} {below}"
    yield f"{name}_sum{_labels(labels)} {_number(histogram.total)}"
    yield f"{name}_count{_labels(labels)} {below}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)
