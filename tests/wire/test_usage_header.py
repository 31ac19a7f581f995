"""Usage between nodes."""

from hypothesis import given
from hypothesis import strategies as st

from inferd.core.result import NO_USAGE, Usage
from inferd.wire.usage_header import decode_usage, encode_usage

COUNTS = st.integers(0, 10**9 - 1)


@given(st.builds(Usage, input_tokens=COUNTS, output_tokens=COUNTS, units=COUNTS))
def test_usage_survives_the_trip(usage: Usage) -> None:
    assert decode_usage(encode_usage(usage)) == usage


@given(st.text())
def test_whatever_another_node_says_is_usage_or_nothing(text: str) -> None:
    decode_usage(text)


def test_nonsense_counts_nothing() -> None:
    for text in (
        "",
        "input_tokens=-5",
        "units=9" * 40,
        "units=" + "9" * 5000,
        "cost=7",
        "input_tokens=٣",
    ):
        assert decode_usage(text) == NO_USAGE
