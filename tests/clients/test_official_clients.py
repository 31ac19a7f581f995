"""The official clients are the judges of our wires."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import ROOT, python_with, run
from tests.node.nodes import RunningNode, run_node

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

ECHO = """
[[backends]]
name = "pretend"
kind = "echo"
models = ["google/gemma-2-2b-it"]
tasks = ["text-generation"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    home = tmp_path_factory.mktemp("server")
    with run_node(home, {"INFERENCE_SHARED_SECRET": "SUPERSECRET"}, toml=ECHO) as node:
        yield node


@pytest.fixture(scope="module")
def laptop(server: RunningNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    environment = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_TOKEN": "SUPERSECRET",
        "REMOTE_INFERENCE_ENDPOINT": f"{server.url}/inference",
    }
    with run_node(tmp_path_factory.mktemp("laptop"), environment) as node:
        yield node


@pytest.fixture(scope="module")
def found(laptop: RunningNode) -> dict[str, Any]:
    """What the openai package met."""
    script = Path(__file__).with_name("openai_client.py")
    return json.loads(run(python_with("openai"), script, laptop.url))


def test_the_openai_package_lists_models(found: dict[str, Any]) -> None:
    assert {"inferd-docs", "sentence-transformers/all-MiniLM-L6-v2"} <= set(found["models"])


def test_the_openai_package_embeds_in_both_encodings(found: dict[str, Any]) -> None:
    assert (found["dimension"], found["indexes"]) == (384, [0, 1, 2])
    assert found["same"] < 1e-3
    assert found["tokens"] > 0


def test_the_openai_package_chats_and_streams_the_same_answer(found: dict[str, Any]) -> None:
    assert found["whole"] == found["streamed"]
    assert found["finish"] == "stop"
    assert found["pieces"] > 5
    assert found["usage"] > 0


def test_the_openai_package_understands_our_errors(found: dict[str, Any]) -> None:
    name, status, request_id, keys = found["unknown_model"]
    assert (name, status) == ("NotFoundError", 404)
    assert request_id
    assert {"message", "type", "param", "code"} <= set(keys)
    assert found["no_messages"][:2] == ["BadRequestError", 400]


def test_the_briefs_own_example_runs_unchanged_through_two_nodes(
    laptop: RunningNode, tmp_path: Path
) -> None:
    image = tmp_path / "image.jpg"
    image.write_bytes(os.urandom(200_000))
    example = ROOT / "examples" / "remote_inference.py"
    shown = run(
        python_with("requests"), example, f"{laptop.url}/inference", "--image", image,
        "--use-remote", "true",
    )  # fmt: skip
    assert "status: 200" in shown
    assert "source: remote" in shown
    assert "generated_text" in shown
