"""`[[routes]]` and prices: what is read, what is refused, and what the router gets of it."""

from pathlib import Path

import pytest

from inferd.config.load import load
from inferd.config.problems import ConfigError
from inferd.config.schema import NodeConfig
from inferd.core.request import Tier
from inferd.gateway.routing.member import ANY_MODEL, Price
from inferd.gateway.routing.routes import Route
from inferd.gateway.routing.strategies import STRATEGIES
from inferd.node.compose import routing_rules, wanted


def read(folder: Path, text: str) -> NodeConfig:
    (folder / "inferd.toml").write_text(text)
    return load(environ={}, cwd=folder).config


def test_a_route_says_which_models_to_use_and_how(tmp_path: Path) -> None:
    text = """
        [[routes]]
        model = "smart"
        task = ["chat", "text-*"]
        use = ["llama-70b", "llama-8b"]
        strategy = "prefix_affinity"
        order = ["local", "team"]
        hedge_after = 2
        cache = true
        [[routes]]
        name = "mine"
        task = "summarization"
        use = "small"
    """
    assert routing_rules(read(tmp_path, text)).routes == (
        Route(
            name="route 1",
            models=("smart",),
            tasks=("chat", "text-*"),
            use=("llama-70b", "llama-8b"),
            strategy=STRATEGIES["prefix_affinity"],
            order=(Tier.LOCAL, Tier.TEAM),
            hedge_after=2,
            cache=True,
        ),
        Route(name="mine", tasks=("summarization",), use=("small",)),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('use = ["a"]\nstrategy = "fastest"', "strategy is 'fastest': expected 'round_robin'"),
        ('model = "smart"', "a route needs something to say"),
        ('use = ["a"]\norder = ["team", "team"]', "expected each tier once"),
        ('use = ["a"]\norder = ["moon"]', "order"),
        ("use = []\nhedge_after = 0", "hedge_after"),
        ('use = ["a"]\nfallback = 1', "fallback"),
    ],
)
def test_a_route_that_can_not_be_meant_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, f"[[routes]]\n{lines}\n")
    assert said in str(refused.value)


def test_prices_are_by_model_with_one_for_all_others(tmp_path: Path) -> None:
    text = """
        [[backends]]
        name = "hosted"
        kind = "echo"
        price = { input = 0.15, output = 0.6 }
        prices = { "gpt-4o" = { input = 2.5, output = 10 } }
    """
    found = {want.settings.name: want.prices for want in wanted(read(tmp_path, text))}
    assert found["hosted"] == {
        "gpt-4o": Price(input=2.5, output=10),
        ANY_MODEL: Price(input=0.15, output=0.6),
    }
    with pytest.raises(ConfigError):
        read(tmp_path, text.replace("0.15", "-1"))
