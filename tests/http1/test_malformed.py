"""The corpus of malformed requests against the server by itself."""

import pytest

from tests.http1.house import House, house
from tests.http1.judging import faults_with
from tests.http1.malformed import CASES, FIRST, HIDDEN, Case, Fate, Target

TARGETS = {
    "native": Target(b"POST", b"/v1/chat/completions", b'{"a":"body"}'),
    "native, no body due": Target(b"GET", b"/v1/models", b"{}"),
    "asgi": Target(b"POST", b"/inference", b'{"a":"body"}'),
    "asgi, no body due": Target(b"GET", b"/healthz", b"{}"),
}
BODIES = {"a request hidden in a body": HIDDEN, "a body of no bytes": b""}


def test_there_are_cases_enough() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def serving_fault(house: House, case: Case, target: Target) -> str:
    """Say what is wrong with what the handlers saw of `case`."""
    seen = [each for each in house.seen if each.id not in ("first", "probe")]
    house.seen.clear()
    if case.fate in (Fate.REFUSED, Fate.CUT):
        return f"handlers saw {seen}" if seen else ""
    if len(seen) > 1 or any(each.id != "case" for each in seen):
        return f"handlers saw {seen}"
    body = BODIES.get(case.name, target.body if b"<B>" in case.raw else b"")
    return f"handlers saw {seen[0].body[:100]!r}" if seen and seen[0].body != body else ""


@pytest.mark.parametrize(
    ("first", "waits"), [(b"", True), (FIRST, True), (FIRST, False)], ids=["1st", "2nd", "behind"]
)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_what_is_malformed_is_refused_and_nothing_behind_it_is_read(
    target: Target, first: bytes, waits: bool
) -> None:
    async with house() as one:
        found = await faults_with(
            one.port,
            target,
            first=first,
            waits=waits,
            also=lambda case: serving_fault(one, case, target),
        )
        assert found == []
        assert one.faults == []
        await one.until(lambda: not one.open)
