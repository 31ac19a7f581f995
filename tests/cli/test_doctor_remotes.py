"""What `inferd doctor` says of other nodes, whatever their addresses look like."""

import pytest

from inferd.cli.doctor import remotes
from inferd.config.remote import Remote, RemoteEndpoint
from inferd.config.schema import NodeConfig
from tests.cli.terminal import Terminal
from tests.node.nodes import RunningNode


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://a..b", "can't be the name of a host"),
        ("http://a.example:port", "the port must be"),
        ("http://[::1", "not an http"),
        ("http://" + "a" * 64, "can't be the name of a host"),
    ],
)
async def test_an_odd_address_is_a_finding(url: str, said: str) -> None:
    # Not as the configuration checks it: what that lets through is its own matter.
    node = RemoteEndpoint.model_construct(url=url, name="", token=None)
    remote = Remote().model_copy(update={"enabled": True, "endpoints": (node,)})
    [check] = await remotes.examine(NodeConfig().model_copy(update={"remote": remote}))
    assert check.level == "fail"
    assert said in check.found


def test_proxies_are_not_asked(
    cli: Terminal, shared_node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    cli.environment.setenv("HF_HUB_OFFLINE", "1")
    cli.environment.setenv("REMOTE_INFERENCE_ENABLED", "true")
    cli.environment.setenv("REMOTE_INFERENCE_ENDPOINT", shared_node.url)
    cli.environment.setenv("REMOTE_INFERENCE_TOKEN", "letmein-please")
    outcome = cli("doctor", "--port", "0")
    assert "lets us in" in outcome.out
