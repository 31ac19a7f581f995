"""Our own secrets, in what others say of us."""

import json

import pytest

from inferd.core.hiding import Secrets


@pytest.mark.parametrize("key", ["k", "sk-1234", 'with "quotes"', "base/64==", "back\\slash"])
def test_a_key_is_hidden_however_it_is_written(key: str) -> None:
    secrets = Secrets(key)
    for written in (key, json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace("/", r"\/")):
        assert secrets.hide(f"<{written}>") == "<[hidden]>"
        assert secrets.hide_in(f"<{written}>".encode()) == b"<[hidden]>"
    assert key not in repr(secrets)


def test_of_others_only_the_long_ones_are_hidden_and_none_in_part() -> None:
    secrets = Secrets("", ["plain", "long-enough", "long-enough-and-more"])
    assert secrets.hide("plain long-enough-and-more long-enough") == "plain [hidden] [hidden]"
    assert Secrets().hide("as it is") == "as it is"
    assert Secrets("", ["-- begin --\nline one"]).hide("in line one") == "in [hidden]"
