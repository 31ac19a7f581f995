"""Headers that say how a request may travel."""

import pytest
from starlette.datastructures import Headers

from inferd.core.errors import InvalidRequest
from inferd.core.request import Place, Tier
from inferd.frontends._http.directions import directions
from tests.clocks import HandClock


def read(*lines: tuple[str, str]):
    raw = [(name.lower().encode(), value.encode()) for name, value in lines]
    return directions(Headers(raw=raw), HandClock())


def test_what_is_said_is_read() -> None:
    found = read(
        ("X-Inference-Tier", "team"),
        ("X-Inference-Use-Remote", "true"),
        ("X-Inference-Timeout", "5"),
        ("X-Inference-Hops", "node-a, node-b"),
        ("X-Inference-Backend", " vllm "),
    )
    assert found == {
        "tiers": frozenset({Tier.LOCAL, Tier.PEER, Tier.TEAM}),
        "place": Place.REMOTE,
        "deadline": 105.0,
        "hops": ("node-a", "node-b"),
        "backend": "vllm",
    }


def test_a_trace_is_passed_on_where_it_is_one() -> None:
    good = f"00-{'a' * 32}-{'b' * 16}-01"
    assert read(("traceparent", good)) == {"trace": good.encode()}
    none = f"00-{'0' * 32}-{'b' * 16}-01"
    for lines in ([none], ["x"], [good, good], [good + "\r\nx: y"], [good.upper()]):
        assert read(*[("traceparent", line) for line in lines]) == {}


@pytest.mark.parametrize(
    "name",
    [
        "X-Inference-Tier",
        "X-Inference-Use-Remote",
        "X-Inference-Timeout",
        "X-Inference-Backend",
    ],
)
def test_a_bound_said_twice_or_left_empty_is_refused_and_not_widened(name: str) -> None:
    wide = {"X-Inference-Tier": "cloud", "X-Inference-Timeout": "60"}.get(name, "true")
    for lines in ([(name, wide), (name, "local")], [(name, "")], [(name, "  ")]):
        with pytest.raises(InvalidRequest, match=name):
            read(*lines)


@pytest.mark.parametrize("text", ["5", "5.", "0.5", ".5", " 5\t", "86400"])
def test_a_timeout_is_a_plain_number(text: str) -> None:
    assert read(("X-Inference-Timeout", text)).get("deadline") == 100 + float(text)


@pytest.mark.parametrize(
    "text",
    ["1_0", "1e1", "+5", "-5", "0", "nan", "inf", "Infinity", "86401", "9" * 400, "٥", "５", "x"],
)
def test_a_timeout_that_only_python_reads_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="number of seconds"):
        read(("X-Inference-Timeout", text))
