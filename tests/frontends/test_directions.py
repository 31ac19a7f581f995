"""Headers that say how a request may travel."""

import pytest
from starlette.datastructures import Headers

from inferd.core.errors import InvalidRequest
from inferd.core.request import Place, Tier
from inferd.frontends._http.directions import directions
from inferd.frontends._http.errors import HttpRefusal
from inferd.gateway.routing.strategies import STRATEGIES
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


def test_how_to_choose_is_read() -> None:
    found = read(
        ("X-Inference-Strategy", "p2c"),
        ("X-Inference-Hedge", "true"),
        ("X-Inference-Explain", "True"),
        ("Cache-Control", "max-age=0, No-Store"),
    )
    assert found == {"strategy": "p2c", "hedge": True, "explain": True, "fresh": True}
    assert read(("Cache-Control", "max-age=0")) == {}
    assert read(("Cache-Control", "max-age=0"), ("Cache-Control", "no-cache")) == {"fresh": True}


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(HttpRefusal, match="no strategy called fastest") as refused:
        read(("X-Inference-Strategy", "fastest"))
    assert refused.value.status == 422
    assert refused.value.details["strategies"] == list(STRATEGIES)


@pytest.mark.parametrize("name", ["X-Inference-Hedge", "X-Inference-Explain"])
def test_a_switch_is_true_or_false(name: str) -> None:
    assert read((name, "false"))
    with pytest.raises(InvalidRequest, match="must be true or false"):
        read((name, "1"))


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
        "X-Inference-Strategy",
        "X-Inference-Hedge",
        "X-Inference-Explain",
    ],
)
def test_a_bound_said_twice_or_left_empty_is_refused_and_not_widened(name: str) -> None:
    wide = {
        "X-Inference-Tier": "cloud",
        "X-Inference-Timeout": "60",
        "X-Inference-Strategy": "cost",
    }.get(name, "true")
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
