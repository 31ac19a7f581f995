"""`inferd models`."""

import json

from inferd.cli import client
from inferd.cli.reach import answers_as_node
from tests.cli.strangers import stranger
from tests.cli.terminal import Terminal
from tests.node.nodes import RunningNode

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def test_each_model_is_listed_once_with_its_tasks_and_place(
    cli: Terminal, shared_node: RunningNode
) -> None:
    outcome = cli("models", "--json", "--home", str(shared_node.home))
    found = {model["id"]: model for model in json.loads(outcome.out)}
    assert {MINILM, "iris", "inferd-docs"} <= found.keys()
    assert "feature-extraction" in found[MINILM]["tasks"]
    assert [place["source"] for place in found[MINILM]["runs"]] == ["local"]


def test_every_place_of_a_model_is_listed(cli: Terminal, shared_node: RunningNode) -> None:
    cli.environment.setenv("REMOTE_INFERENCE_ENABLED", "true")
    cli.environment.setenv("REMOTE_INFERENCE_ENDPOINT", shared_node.url)
    cli.environment.setenv("REMOTE_INFERENCE_TOKEN", "letmein-please")
    lines = cli("models").out.splitlines()
    for model in (MINILM, "iris", "inferd-docs"):
        [line] = [line for line in lines if line.startswith(model)]
        assert line.rstrip().endswith("here; at remote-1 (team)")
    assert "remote-1" not in cli("models", "--no-remote").out


def test_a_task_narrows_the_list(cli: Terminal) -> None:
    outcome = cli("models", "--task", "chat")
    assert "inferd-docs" in outcome.out
    assert MINILM not in outcome.out
    assert "here" in outcome.out


def test_an_unknown_task_is_told_with_what_was_meant(cli: Terminal) -> None:
    outcome = cli("models", "--task", "chatt")
    assert outcome.status == 2
    assert "did you mean chat?" in outcome.err


def test_why_gives_each_backend_and_its_reason(cli: Terminal) -> None:
    cli.environment.setenv("REMOTE_INFERENCE_ENABLED", "true")
    cli.environment.setenv("REMOTE_INFERENCE_ENDPOINT", "http://127.0.0.1:9")
    cli.environment.setenv("REMOTE_INFERENCE_TOKEN", "remote-token-77")
    outcome = cli("models", "--why", "inferd-docs", "--task", "text-to-image")
    assert "local" in outcome.out
    assert "it doesn't do text-to-image" in outcome.out
    assert "remote_node" in outcome.out
    assert "remote-token-77" not in outcome.out + outcome.err


def test_why_tells_the_same_story_once(cli: Terminal) -> None:
    outcome = cli("models", "--why", "minilm")
    assert outcome.out.count("can and may run it") == 1
    assert "feature-extraction, question-answering" in outcome.out


def test_why_suggests_the_model_that_was_meant(cli: Terminal) -> None:
    outcome = cli("models", "--why", "minilmm")
    assert "nobody would answer" in outcome.out
    assert "did you mean minilm?" in outcome.err


def test_why_explains_a_request_that_names_no_model(cli: Terminal) -> None:
    outcome = cli("models", "--why", "", "--task", "chat", "--backend", "local")
    assert "any model for chat" in outcome.out
    assert "can and may run it" in outcome.out
    assert outcome.err == ""


def test_why_as_json_is_the_nodes_explanation(cli: Terminal) -> None:
    [explanation] = json.loads(cli("models", "--why", "iris", "--json").out)
    assert explanation["task"] == "tabular-classification"
    assert explanation["candidates"][0]["order"] == 1


def test_why_says_what_decided_and_which_rule_lets_in(cli: Terminal) -> None:
    outcome = cli("models", "--why", "iris", "--strategy", "cost", "--within", "local")
    assert "local is asked first: it is the only one that can and may." in outcome.out
    assert "owner: allowed by" in outcome.out


def test_why_for_somebody_who_is_not_there_says_who_is(cli: Terminal) -> None:
    outcome = cli("models", "--why", "iris", "--as", "secret:nobody")
    assert outcome.status != 0
    assert "--as: there is nobody called secret:nobody" in outcome.err
    assert "those who may ask here: owner" in outcome.err


def test_a_host_that_is_no_node_is_told_as_such(cli: Terminal) -> None:
    with stranger("", b"<html>") as url:
        outcome = cli("models", "--url", url)
    assert outcome.status == 1
    assert "doesn't answer as a node does" in outcome.err


def test_a_node_in_another_folder_is_told_of(cli: Terminal, shared_node: RunningNode) -> None:
    cli.environment.setattr(client, "answers_as_node", answers_as_node)
    cli.environment.setenv("INFERD_SERVER__PORT", shared_node.url.rpartition(":")[2])
    outcome = cli("models", "--json")
    assert "inferd-docs" in outcome.out
    assert f"no node runs in {cli.home / 'node'}: one was opened" in outcome.err
    assert f"a node runs at {shared_node.url}: add --home" in outcome.err
    assert cli("models", "--json", "--home", str(shared_node.home)).err == ""


def test_why_says_what_a_routes_name_stands_for(cli: Terminal) -> None:
    route = {"name": "quick", "model": "fast", "use": ["inferd-docs"]}
    cli.environment.setenv("INFERD_ROUTES", json.dumps([route]))
    outcome = cli("models", "--why", "fast")
    assert "fast is a route's name: it stands for inferd-docs." in outcome.out
    assert "(route quick)" in outcome.out
