"""The protocol's conformance suite and its Inspector against a running node's /mcp."""

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import node_program, node_with, run
from tests.frontends.mcp_clients import FIVE
from tests.node.nodes import RunningNode, run_node

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

PASSING = [
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "server-sse-multiple-streams",
]
"""The scenarios for any server; the others call tools, prompts and resources of a test server."""


@pytest.fixture(scope="module")
def judges() -> Path:
    return node_with("mcp_judges")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    quiet = {"INFERD_DISCOVERY__AUTO": "false"}
    with run_node(tmp_path_factory.mktemp("judged"), quiet) as node:
        yield node


@pytest.mark.parametrize("scenario", PASSING)
def test_conformance(judges: Path, node: RunningNode, scenario: str) -> None:
    asked = ["conformance", "server", "--url", f"{node.url}/mcp", "--scenario", scenario]
    shown = run(node_program(), judges, *asked)
    assert "0 failed, 0 warnings" in shown
    assert "Passed: 0/0" not in shown


def test_conformance_of_hosts(judges: Path, node: RunningNode) -> None:
    """Its second half wants in whoever says that this node's own page asks; such one signs in."""
    url = f"{node.url}/mcp"
    asked = ["conformance", "server", "--url", url, "--scenario", "dns-rebinding-protection"]
    done = subprocess.run(
        [node_program(), judges, *asked, "--verbose"], capture_output=True, text=True, check=False
    )
    text = done.stdout
    checks: list[dict[str, Any]] = json.JSONDecoder().raw_decode(text[text.index("[\n") :])[0]
    found = {check["id"]: (check["status"], check["details"]["statusCode"]) for check in checks}
    assert found == {
        "localhost-host-rebinding-rejected": ("SUCCESS", 421),
        "localhost-host-valid-accepted": ("FAILURE", 401),
    }


def inspect(judges: Path, node: RunningNode, method: str, *more: str) -> Any:
    asked = ["inspector", "--cli", f"{node.url}/mcp", "--transport", "http", "--method", method]
    return json.loads(run(node_program(), judges, *asked, *more))


def test_the_inspector_lists_and_calls_tools(judges: Path, node: RunningNode) -> None:
    tools = [tool["name"] for tool in inspect(judges, node, "tools/list")["tools"]]
    said = ["--tool-arg", "task=text-classification", "model=minilm", "inputs=I love it"]
    asked = ["--tool-name", "route_inference_request", *said]
    answer = inspect(judges, node, "tools/call", *asked)
    assert tools[:5] == FIVE
    assert answer["structuredContent"]["result"]["result"][0]["label"] == "positive"


def test_the_inspector_reads_resources(judges: Path, node: RunningNode) -> None:
    listed = [each["uri"] for each in inspect(judges, node, "resources/list")["resources"]]
    read = inspect(judges, node, "resources/read", "--uri", "inferd://status")
    templates = inspect(judges, node, "resources/templates/list")["resourceTemplates"]
    assert listed == ["inferd://models", "inferd://tasks", "inferd://status"]
    assert json.loads(read["contents"][0]["text"])["total_backends"] == 1
    assert len(templates) == 2


def test_the_inspector_over_stdio(judges: Path, node: RunningNode) -> None:

    command = [sys.executable, "-m", "inferd", "mcp", "--home", str(node.home)]
    asked = ["inspector", "--cli", *command, "--method", "tools/list"]
    tools = json.loads(run(node_program(), judges, *asked))["tools"]
    assert [tool["name"] for tool in tools][:5] == FIVE
