"""What several codecs are tried with."""

import msgspec
from hypothesis import strategies as st

from inferd.core.errors import ALL_KINDS, NodeError
from inferd.core.result import Finish, FinishReason, Result, TextDelta, ToolCallDelta, Usage

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
some_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = words.map(lambda text: "".join(char for char in text if char.isprintable()))
counts = st.integers(min_value=0, max_value=1 << 31)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
parameters = st.dictionaries(some_words.map(lambda name: "x_" + name), plain.filter(bool))
usages = st.builds(Usage, input_tokens=counts, output_tokens=counts)
finishes = st.builds(Finish, reason=st.sampled_from(FinishReason), usage=usages)
_calls = st.integers(0, 9).flatmap(
    lambda index: st.builds(
        ToolCallDelta,
        index=st.just(index),
        id=st.sampled_from(["", f"call-{index}"]),
        name=words,
        arguments=some_words,
    )
)
deltas = st.lists(st.builds(TextDelta, some_words) | _calls, max_size=6)
junk = st.one_of(
    st.binary(max_size=60),
    plain.map(msgspec.json.encode),
)

ERRORS: list[NodeError] = [
    cls("the fact", hint="the advice", details={"param": "x"}) for cls in ALL_KINDS.values()
]


def text_result(text: str, finish: Finish | None = None) -> Result:
    """Return a whole answer of text."""
    return Result(finish=finish or Finish(), text=text)
