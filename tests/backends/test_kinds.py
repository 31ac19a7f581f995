"""From a name in the configuration to a backend."""

import pytest

from inferd.backends import Settings, open_kind
from tests.backends.subjects import NODE
from tests.clocks import HandClock


@pytest.mark.parametrize("kind", ["acme", "_http", "", "open_kind", "local.abilities"])
def test_an_unknown_kind_is_refused_with_those_that_are_known(kind: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"backend x: .* kinds are [a-z_, ]*echo, huggingface, local, mcp_tool, openai",
    ):
        open_kind(kind, Settings(name="x"), node=NODE, clock=HandClock())


def test_settings_show_no_secrets() -> None:
    settings = Settings(name="x", api_key="sk-1", options={"other": "sk-2"})
    assert repr(settings) == "<Settings of x>"
