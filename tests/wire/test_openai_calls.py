"""Which tool call a piece belongs to, whatever number and id its server gives it."""

import pytest

from inferd.core.result import ToolCallDelta
from inferd.wire.openai_message import Places


def call(index: int, id: str = "", name: str = "", arguments: str = "") -> ToolCallDelta:  # noqa: A002
    return ToolCallDelta(index=index, id=id, name=name, arguments=arguments)


@pytest.mark.parametrize(
    ("pieces", "places"),
    [
        ([call(0, "a", "f"), call(0, "", "", "{"), call(1, "b", "f"), call(0, "", "", "}")],
         [0, 0, 1, 0]),
        ([call(0, "a", "f"), call(0, "b", "f"), call(0, "", "", "{}"), call(0, "c", "g")],
         [0, 1, 1, 2]),
        ([call(0, "a", "f"), call(0, "b", "", "{"), call(0, "c", "", "}")], [0, 0, 0]),
        ([call(0, "a", "f"), call(0, "a", "f", "{}")], [0, 0]),
        ([call(0, "", "f"), call(0, "a", "f")], [0, 0]),
        ([call(7, "a", "f"), call(3, "b", "f"), call(7, "c", "f")], [7, 3, 8]),
    ],
    ids=["numbered", "all of them 0", "an id a piece", "told twice", "its id late", "gaps"],
)  # fmt: skip
def test_a_piece_finds_its_call(pieces: list[ToolCallDelta], places: list[int]) -> None:
    where = Places()
    assert [where.put(piece).index for piece in pieces] == places
