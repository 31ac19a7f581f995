"""A whole node and a Hub: its list survives a restart, its token stays where it belongs."""

from pathlib import Path

import httpx2
import pytest

from tests.hub.standin import many, stand_in
from tests.node.nodes import RunningNode, run_node

pytestmark = pytest.mark.extra

TOKEN = "hf_secretsecretsecret"


def ask(node: RunningNode) -> httpx2.Response:
    return httpx2.get(f"{node.url}/models?task=text-generation", timeout=30)


def test_a_list_survives_a_restart_and_the_token_is_only_the_hub_s(tmp_path: Path) -> None:
    with stand_in(many(30)) as upstream, stand_in() as other:
        upstream.link_host = other.url
        environment = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": upstream.url, "HF_TOKEN": TOKEN}
        with run_node(tmp_path, environment) as node:
            first = ask(node)
        upstream.mode = "redirecting"
        with run_node(tmp_path, environment) as node:
            again = ask(node)
            other_task = httpx2.get(f"{node.url}/models?task=fill-mask", timeout=30)
    assert len(first.json()) == len(again.json()) == 30
    assert (first.headers["x-hf-cache"], again.headers["x-hf-cache"]) == ("fresh", "fresh")
    assert "Needs an engine for transformers models" in first.json()[0]["verdict"]["reason"]
    assert (other_task.status_code, other_task.json()["error"]) == (502, "hf_api_failed")
    assert [each.headers["authorization"] for each in upstream.requests] == [f"Bearer {TOKEN}"] * 2
    assert other.asked == []
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written
    assert TOKEN not in first.text + str(first.headers) + other_task.text


def test_a_node_that_is_offline_asks_nobody(tmp_path: Path) -> None:
    with stand_in(many(30)) as upstream, run_node(tmp_path, {"HF_ENDPOINT": upstream.url}) as node:
        answer = ask(node)
    assert (answer.status_code, answer.json(), answer.headers["x-hf-cache"]) == (200, [], "none")
    assert upstream.asked == []
