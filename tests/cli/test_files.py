"""Files in and out of `inferd run`, other nodes, and every kind of output, on the echo backend."""

import json

import pytest

from inferd.core.tasks import TASKS, Task
from tests.cli.terminal import Outcome, Terminal
from tests.node.nodes import RunningNode

ECHO = 'backends=[{"name": "pretend", "kind": "echo", "models": ["acme/pretend"]}]'


def echo(cli: Terminal, *words: str) -> Outcome:
    return cli("run", *words, "--model", "acme/pretend", "--set", ECHO)


def test_an_image_is_saved_where_it_is_wanted(cli: Terminal) -> None:
    outcome = echo(cli, "text-to-image", "A lighthouse", "--output", "light.png")
    assert (cli.home / "light.png").read_bytes().startswith(b"\x89PNG")
    assert "saved as light.png" in outcome.out


def test_without_a_name_no_file_is_replaced(cli: Terminal) -> None:
    echo(cli, "text-to-image", "A lighthouse")
    second = json.loads(echo(cli, "text-to-image", "A lighthouse", "--json").out)
    assert second["file"] == "echo-2.png"
    assert second["content_type"] == "image/png"
    assert {file.name for file in cli.home.glob("*.png")} == {"echo.png", "echo-2.png"}


def test_a_place_that_cannot_be_written_is_told(cli: Terminal) -> None:
    outcome = echo(cli, "text-to-image", "A lighthouse", "--output", "gone/light.png")
    assert outcome.status == 1
    assert "--output" in outcome.err


@pytest.mark.parametrize("word", ["photo.jpg", "image=photo.jpg"])
def test_a_file_goes_with_the_question(cli: Terminal, word: str) -> None:
    (cli.home / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    outcome = echo(cli, "image-classification", "--file", word, "--param", "top_k=1")
    assert outcome.out.startswith("echo  ████")
    assert "note: ignored: top_k" in outcome.err


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_tasks_own_example_can_be_run(cli: Terminal, task: Task) -> None:
    words: list[str] = []
    for field in task.inputs:
        if field.example is not None:
            text = field.example if isinstance(field.example, str) else json.dumps(field.example)
            words += ["--input", f"{field.name}={text}"]
    for file in task.files:
        (cli.home / "thing.bin").write_bytes(b"\x00\x01")
        words += ["--file", f"{file.name}=thing.bin"]
    outcome = echo(cli, task.name, *words)
    assert outcome.status == 0, outcome.err
    assert outcome.out
    assert "ran local · backend pretend" in outcome.err


def test_another_node_is_named_when_it_answers(cli: Terminal, shared_node: RunningNode) -> None:
    cli.environment.setenv("REMOTE_INFERENCE_ENABLED", "true")
    cli.environment.setenv("REMOTE_INFERENCE_ENDPOINT", f"{shared_node.url}/inference")
    cli.environment.setenv("REMOTE_INFERENCE_TOKEN", "letmein-please")
    outcome = cli("run", "sentiment-analysis", "Superb!", "--remote")
    assert outcome.out.startswith("positive")
    assert "ran remote" in outcome.err
    assert f"node {shared_node.id}" in outcome.err
    assert "letmein-please" not in outcome.out + outcome.err
    listed = cli("models", "--task", "chat")
    assert "(team)" in listed.out
    assert "(team)" not in cli("models", "--task", "chat", "--no-remote").out


def test_a_failure_while_streaming_is_told(cli: Terminal) -> None:
    failing = (
        'backends=[{"name": "pretend", "kind": "echo", "models": ["acme/pretend"], '
        '"options": {"fail_with": "backend_failed"}}]'
    )
    outcome = cli(
        "run", "text-generation", "a b", "--stream", "-m", "acme/pretend", "--set", failing
    )
    assert outcome.status == 1
    assert "told to fail" in outcome.err
