"""What was asked and what came of it, in plain counts that are read when somebody asks.

Labels are few on purpose: tasks, backends, and models that backends list. Who asked is the
ledger's to know.
"""

from collections.abc import Iterable, Sequence

from inferd.telemetry.metrics import Family, Histogram, Labels

_MOST_MODELS = 200
OTHER = "other"
"""Stands for the models that no backend lists, and for those beyond the first 200."""


class Tokens:
    """How many were read and written."""

    __slots__ = ("read", "written")

    def __init__(self) -> None:
        self.read = 0
        self.written = 0


class Tally:
    """The requests for one task that ended with one backend."""

    __slots__ = ("first_byte", "good", "lost", "others", "seconds", "skipped")

    def __init__(self) -> None:
        self.good = 0
        self.others: dict[str, int] = {}
        """How many ended otherwise, by outcome."""
        self.lost = Tokens()
        """Of answers that the backend began and another ended."""
        self.skipped = 0
        """Events of streams that couldn't be read, and were left out."""
        self.seconds = Histogram()
        self.first_byte = Histogram()

    def ended(self, outcome: str) -> None:
        """Count a request that didn't end well."""
        self.others[outcome] = self.others.get(outcome, 0) + 1


class Tallies:
    """Every count of this node's gateway."""

    def __init__(self) -> None:
        # Tasks are those that there are, backends the configured ones.
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._tokens: dict[str, Tokens] = {OTHER: Tokens()}

    def of(self, task: str, backend: str) -> Tally:
        """Return the counts of a task with a backend; an empty one stands for nobody."""
        tally = self._tallies.get((task, backend))
        if tally is None:
            tally = self._tallies[task, backend] = Tally()
        return tally

    def tokens(self, model: str) -> Tokens:
        """Return the counts of a model that is listed; of all others together, where it isn't."""
        found = self._tokens.get(model)
        if found is None:
            if not model or len(self._tokens) > _MOST_MODELS:
                return self._tokens[OTHER]
            found = self._tokens[model] = Tokens()
        return found

    def families(self) -> Iterable[Family]:
        """Yield the counts as metrics."""
        rows = sorted(self._tallies.items())
        named = [({"task": task, "backend": backend}, tally) for (task, backend), tally in rows]
        requests: list[tuple[Labels, float]] = []
        for labels, tally in named:
            outcomes = {"ok": tally.good, **tally.others}
            requests += [
                ({**labels, "outcome": outcome}, count)
                for outcome, count in outcomes.items()
                if count
            ]
        yield Family(
            "inferd_requests",
            "counter",
            "Inference requests that have ended, by how they ended.",
            requests,
        )
        yield Family(
            "inferd_request_seconds",
            "histogram",
            "Seconds from a request's start to the end of its answer.",
            [(labels, tally.seconds) for labels, tally in named if any(tally.seconds.counts)],
        )
        yield Family(
            "inferd_time_to_first_byte_seconds",
            "histogram",
            "Seconds until a backend began its answer.",
            [(labels, tally.first_byte) for labels, tally in named if any(tally.first_byte.counts)],
        )
        yield Family(
            "inferd_tokens",
            "counter",
            "Tokens that models read and wrote.",
            [
                ({"direction": direction, "model": model}, count)
                for model, tokens in sorted(self._tokens.items())
                for direction, count in (("input", tokens.read), ("output", tokens.written))
            ],
        )
        yield from _of_broken(named)


def _of_broken(named: Sequence[tuple[Labels, Tally]]) -> Iterable[Family]:
    """Yield the counts of what went wrong within answers."""
    yield Family(
        "inferd_lost_tokens",
        "counter",
        "Tokens of answers that a backend began, and another had to begin again or to end.",
        [
            ({**labels, "direction": direction}, count)
            for labels, tally in named
            for direction, count in (("input", tally.lost.read), ("output", tally.lost.written))
            if count
        ],
    )
    yield Family(
        "inferd_skipped_events",
        "counter",
        "Events of streams that couldn't be read, and were left out.",
        [(labels, tally.skipped) for labels, tally in named if tally.skipped],
    )
