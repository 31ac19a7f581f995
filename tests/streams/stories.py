"""The corpus: streams as servers send them, byte for byte, with the whole answer that each tells.

`corpus/NAME.sse` is the body of an event stream; `corpus/NAME.json` says what it is about, the same
server's answer when it isn't asked to stream, how the stream ends, and how many of its events are
no chunks at all. To add one, add both files.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from hypothesis import strategies as st

HERE = Path(__file__).parent / "corpus"

Ends = Literal["done", "finish", "error", "cut"]
"""With [DONE]; with a finish reason and no [DONE]; with the upstream's error; with neither."""

_END = rb"(?:\r\n|\n|\r(?!\n))"
_GAP = re.compile(_END + _END)


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """One stream, and what it tells."""

    about: str
    ends: Ends
    malformed: int
    whole: dict[str, object]
    """The whole answer, in OpenAI's shape; of a stream that breaks, as far as it came."""
    error: str = ""
    """What kind of failure a stream that breaks is."""
    data: bytes = b""

    @property
    def breaks(self) -> bool:
        """Whether it has no good end."""
        return self.ends in ("error", "cut")

    @property
    def body(self) -> bytes:
        """The whole answer as a server sends it."""
        return msgspec.json.encode(self.whole)

    def with_usage(self) -> bytes:
        """What a caller sees who asked for usage."""
        return readable(self.data)

    def without_usage(self) -> bytes:
        """What a caller who didn't ask for usage sees."""
        return without_usage(self.data)


def readable(data: bytes) -> bytes:
    """The bytes less the events that are no JSON."""
    return b"".join(_kept(event) for event in _events(data))


def without_usage(data: bytes) -> bytes:
    """The bytes less the events that are no JSON, or tell only the usage."""
    return b"".join(_kept(event, usage=False) for event in _events(data))


def _events(data: bytes) -> Iterator[bytes]:
    at = 0
    for gap in _GAP.finditer(data):
        yield data[at : gap.end()]
        at = gap.end()
    yield data[at:]


def _kept(event: bytes, *, usage: bool = True) -> bytes:
    """The event, or the blank lines before one that is left out."""
    said = _said(event)
    if not said or said == b"[DONE]":
        return event
    try:
        document = msgspec.json.decode(said.decode(errors="replace"))
    except msgspec.DecodeError:
        document = None
    if isinstance(document, dict) and (usage or not _tells_only_usage(document)):
        return event
    return event[: len(event) - len(event.lstrip(b"\r\n"))]


def _read(path: Path) -> Story:
    told = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Story)
    return msgspec.structs.replace(told, data=path.read_bytes())


STORIES = {path.stem: _read(path) for path in sorted(HERE.glob("*.sse"))}


def rechunked(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """The bytes in other pieces: a few, many small ones, or cut beside and within line ends."""
    beside = [
        at + step
        for at, byte in enumerate(data)
        if byte in b"\r\n" or byte >= 0x80
        for step in (0, 1)
    ]
    anywhere = st.integers(0, len(data))
    points = st.lists(anywhere, max_size=8)
    if beside:
        points |= st.lists(st.sampled_from(beside) | anywhere, max_size=40)
    smallest = max(1, len(data) // 2000)
    sizes = st.lists(st.integers(smallest, 60 * smallest), min_size=1, max_size=9)
    return points.map(lambda cuts: _cut(data, cuts)) | sizes.map(lambda each: _sized(data, each))


def _cut(data: bytes, points: list[int]) -> list[bytes]:
    marks = [0, *sorted(points), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks) if end > start]


def _sized(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            return pieces
        pieces.append(data[at : at + size])
        at += size
    return pieces


def _said(event: bytes) -> bytes:
    lines = re.split(rb"\r\n|\n|\r", event)
    return b"\n".join(
        line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")
    )


def _tells_only_usage(document: dict[str, object]) -> bool:
    return document.get("choices") == [] and bool(document.get("usage"))
