"""Sends the corpus of malformed requests, and says what is wrong with what came back."""

from collections.abc import Callable

from tests.http1.malformed import (
    CASES,
    CHUNKED,
    HOST,
    ID,
    JSON,
    LINE,
    PROBE,
    REFUSALS,
    Case,
    Fate,
    Target,
)
from tests.http1.raw import Broken, Reply, talk

_CHUNKED = LINE + HOST + ID + JSON + CHUNKED + b"\r\n"
"""A head with nothing wrong in it, before a body in chunks."""


async def ask(
    port: int, case: Case, target: Target, *, first: bytes = b"", waits: bool = True
) -> list[Reply]:
    """Send `first`, then `case` and a probe; return what these two were answered.

    Without `waits`, all is sent at once.

    Raises:
        Broken: Something else than answers came, or the connection is still open.
    """
    async with talk(port) as line:
        line.send(first)
        if first and waits:
            await line.answered(1)
        line.send(case.to(target))
        if case.fate is not Fate.CUT:
            line.send(PROBE)
        elif not line.is_closed:
            line.transport.write_eof()
        got = await line.ended()
    if first and (not got or got[0].id != "first" or got[0].status != 200):
        raise Broken(f"the request in front was answered {[each.status for each in got]}")
    return got[1:] if first else got


def fault_of(case: Case, target: Target, got: list[Reply]) -> str:
    """Say what is wrong with the answers to `case` and the probe behind it; empty, nothing.

    A route that reads no body may have answered before the body turns out to be malformed.
    """
    if any(each.id == "hidden" for each in got):
        return "the hidden request was answered"
    if not all(each.is_whole for each in got):
        return "an answer was cut"
    statuses = [each.status for each in got]
    if case.fate is Fate.CUT:
        return "" if len(got) <= 1 else f"half a request was answered {statuses}"
    ignores = not target.reads and _CHUNKED in case.raw
    refused = len(got) == 1 and (ignores or statuses[0] in (case.statuses or REFUSALS))
    served = len(got) == 2 and got[1].id == "probe" and statuses[1] == 200
    if {Fate.REFUSED: refused, Fate.SERVED: served}.get(case.fate, refused or served):
        return ""
    return f"answered {statuses} {[each.id for each in got]}"


async def faults_with(
    port: int,
    target: Target,
    *,
    first: bytes = b"",
    waits: bool = True,
    also: Callable[[Case], str] = lambda case: "",
) -> list[str]:
    """Send every case; return what went wrong with each, by name.

    `also` is asked after each case, for what only the other side can tell.
    """
    faults: list[str] = []
    for case in CASES:
        try:
            fault = fault_of(case, target, await ask(port, case, target, first=first, waits=waits))
        except Broken as broken:
            fault = str(broken)
        if fault := "; ".join(filter(None, [fault, also(case)])):
            faults.append(f"{case.name}: {fault}")
    return faults
