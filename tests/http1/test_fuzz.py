"""The server against bytes that nobody thought of: no hang, no crash, nothing left behind."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http1.driving import Outcome, drive
from tests.http1.malformed import CASES, FIRST, PROBE, REFUSALS, Case, Fate, Target

TARGETS = (
    Target(b"POST", b"/v1/chat/completions", b'{"a":"body"}'),
    Target(b"POST", b"/inference", b'{"a":"body"}'),
    Target(b"GET", b"/v1/models"),
)
SMALL = [case for case in CASES if len(case.raw) < 5000]
BITS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b" ",
    b":",
    b"0\r\n\r\n",
    b"1\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Host: localhost\r\n",
    b"HTTP/1.1",
    b"GET / ",
    b"\xff",
    b";",
    FIRST,
    PROBE,
]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(places) if start < stop]


cases = st.sampled_from(SMALL)
targets = st.sampled_from(TARGETS)
cuts = st.lists(st.integers(0, 10_000), max_size=12)


def told(outcome: Outcome) -> tuple[object, ...]:
    """What must not depend on how the bytes came.

    A refusal's id is made up, and its reason is what was found first.
    """
    replies = [
        (each.status, each.id) if each.status == 200 else ("refused", each.status in REFUSALS)
        for each in outcome.replies
    ]
    return replies, outcome.seen


@settings(max_examples=150, deadline=None)
@given(case=cases, target=targets, cuts=cuts, together=st.booleans())
def test_any_split_of_a_conversation_is_read_the_same(
    case: Case, target: Target, cuts: list[int], together: bool
) -> None:
    data = FIRST + case.to(target) + (b"" if case.fate is Fate.CUT else PROBE)

    async def run() -> None:
        whole = await drive([data])
        assert told(await drive(split(data, cuts), together=together)) == told(whole)

    asyncio.run(run())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.path.decode())
async def test_a_conversation_that_comes_byte_by_byte_is_read_the_same(target: Target) -> None:
    for case in SMALL:
        data = case.to(target) + (b"" if case.fate is Fate.CUT else PROBE)
        bytewise = await drive([data[at : at + 1] for at in range(len(data))], together=True)
        assert told(bytewise) == told(await drive([data])), case.name


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A conversation with a few bytes more, less or in another place."""
    data = draw(cases).to(draw(targets)) + PROBE
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        until = at + draw(st.integers(0, 20))
        bit = draw(st.sampled_from(BITS) | st.binary(max_size=8))
        data = data[:at] + bit + data[until:]
    return data


@settings(max_examples=200, deadline=None)
@given(data=mangled(), cuts=cuts, together=st.booleans())
def test_nothing_that_is_sent_hangs_or_breaks_a_connection(
    data: bytes, cuts: list[int], together: bool
) -> None:
    async def run() -> None:
        whole = await drive([data])
        assert all(each.is_whole for each in whole.replies)
        assert not any(each.status >= 500 and each.status not in REFUSALS for each in whole.replies)
        assert told(await drive(split(data, cuts), together=together)) == told(whole)

    asyncio.run(run())


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=300), cuts=cuts)
def test_noise_is_refused(data: bytes, cuts: list[int]) -> None:
    async def run() -> None:
        outcome = await drive(split(data, cuts))
        assert outcome.seen == []
        assert len(outcome.replies) <= 1

    asyncio.run(run())
