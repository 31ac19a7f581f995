"""What was seen of each subject, by round, and how two subjects compare."""

from benchmarks.lib import figures


class Samples:
    """Figures by subject, metric and round."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[int, float]] = {}

    def add(self, subject: str, metric: str, turn: int, value: float | None) -> None:
        """Keep one figure of one round; None is no figure."""
        if value is not None:
            self._seen.setdefault((subject, metric), {})[turn] = value

    def values(self, subject: str, metric: str) -> list[float]:
        """Return what each round gave."""
        return list(self._seen.get((subject, metric), {}).values())

    def median(self, subject: str, metric: str) -> float | None:
        """Return the median of the rounds; None if there were none."""
        return figures.median(self.values(subject, metric))

    def least(self, subject: str, metric: str) -> float | None:
        """Return the quietest round's figure."""
        return min(self.values(subject, metric), default=None)

    def ratio(self, over: str, under: str, metric: str) -> float | None:
        """Return how many times the one is the other: the median of the rounds that have both."""
        a, b = (self._seen.get((name, metric), {}) for name in (over, under))
        both = [turn for turn in a if turn in b]
        return figures.paired_ratio([a[turn] for turn in both], [b[turn] for turn in both])

    def least_ratio(self, over: str, under: str, metric: str) -> float | None:
        """Compare the quietest rounds."""
        a, b = self.least(over, metric), self.least(under, metric)
        return a / b if a is not None and b else None
