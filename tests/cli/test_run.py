"""`inferd run`, with the models that come with inferd."""

import json
import os
import subprocess
import sys

import httpx2
import pytest

from inferd.cli.client import refusal
from tests.cli.strangers import listening
from tests.cli.terminal import Terminal
from tests.node.nodes import RunningNode


def test_a_text_is_classified_in_this_process_when_no_node_runs(cli: Terminal) -> None:
    outcome = cli("run", "sentiment-analysis", "What", "a", "wonderful", "day")
    assert outcome.status == 0
    assert outcome.out.splitlines()[0].startswith("positive")
    assert "█" in outcome.out
    assert "ran local · backend local · model sentence-transformers/all-MiniLM-L6-v2" in outcome.err
    assert not (cli.home / "node" / "node.json").exists()


def test_json_output_is_json_and_nothing_else(cli: Terminal) -> None:
    outcome = cli("run", "feature-extraction", "A cat", "--json")
    assert len(json.loads(outcome.out)["embedding"]) == 384
    assert outcome.err == ""


def test_an_embedding_is_summed_up(cli: Terminal) -> None:
    outcome = cli("run", "feature-extraction", "-i", "A cat", "-i", "A dog")
    lines = outcome.out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("384 numbers, length 1.000: [")


def test_a_ranking_names_the_texts_best_first(cli: Terminal) -> None:
    outcome = cli(
        "run", "sentence-similarity", "a cat", "-i", "sentences=stocks fell", "-i",
        "sentences=a kitten",
    )  # fmt: skip
    _, first, second = outcome.out.splitlines()
    assert "a kitten" in first
    assert "stocks fell" in second


def test_a_list_may_be_json_or_text_with_commas(cli: Terminal) -> None:
    for labels in ("sport,politics", '["sport", "politics"]'):
        outcome = cli(
            "run", "zero-shot-classification", "I love football", "-i", f"candidate_labels={labels}"
        )
        assert outcome.out.startswith("sport")


def test_numbers_are_read_as_a_row(cli: Terminal) -> None:
    assert cli("run", "tabular-classification", "5.1,3.5,1.4,0.2").out.startswith("setosa")


def test_what_is_piped_in_is_the_main_input(cli: Terminal) -> None:
    words = ("run", "question-answering", "Where is it?", "-i")
    assert cli(*words, "qa_context=-", stdin="It is in Oslo.\n").out.startswith("Oslo")
    assert cli("run", "sentiment-analysis", "-", stdin="Superb!").out.startswith("positive")
    assert cli("run", "sentiment-analysis", stdin="Superb!").out.startswith("positive")


def test_a_chat_streams_the_text_that_it_would_give_whole(
    cli: Terminal, shared_node: RunningNode
) -> None:
    words = ("run", "chat", "What is inferd?", "--home", str(shared_node.home))
    whole, stream = cli(*words), cli(*words, "--stream")
    assert stream.status == 0
    assert "inferd" in stream.out
    assert stream.out.strip() == whole.out.strip()


def test_a_json_stream_is_an_event_a_line(cli: Terminal, shared_node: RunningNode) -> None:
    home = str(shared_node.home)
    outcome = cli("run", "chat", "What is inferd?", "--stream", "--json", "--home", home)
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert events[-1]["details"]["finish_reason"] == "eos_token"
    assert outcome.err == ""


def test_the_running_node_is_found_by_its_home(cli: Terminal, shared_node: RunningNode) -> None:
    # A node made for the call would run nothing with this setting.
    words = ("run", "sentiment-analysis", "Fine", "--set", "local.enabled=false")
    assert cli(*words).status == 1
    assert cli(*words, "--home", str(shared_node.home)).status == 0


def test_a_node_named_by_url_wants_its_secret(cli: Terminal, shared_node: RunningNode) -> None:
    cli.environment.setenv("INFERD_URL", shared_node.url)
    refused = cli("run", "sentiment-analysis", "Fine")
    assert refused.status == 1
    assert "a credential is required" in refused.err
    assert "INFERD_TOKEN" in refused.err
    cli.environment.setenv("INFERD_TOKEN", "letmein-please")
    allowed = cli("run", "sentiment-analysis", "Fine")
    assert allowed.status == 0
    assert "letmein-please" not in refused.err + allowed.out + allowed.err


@pytest.mark.parametrize("has_lock", [False, True])
@pytest.mark.parametrize("is_named", [False, True])
def test_a_stranger_on_a_dead_nodes_port_is_sent_nothing(
    cli: Terminal, has_lock: bool, is_named: bool
) -> None:
    home = cli.home / "node"
    home.mkdir(mode=0o700)
    if has_lock:
        (home / "lock").touch()
    with listening() as (url, heard):
        # The number of a dead process may be another's by now: here, ours.
        left = {"url": url, "pid": os.getpid(), "token": "owner-token-77", "version": "0"}
        (home / "node.json").write_text(json.dumps(left))
        outcome = cli(
            "run", "sentiment-analysis", "Fine words", *(["--url", url] if is_named else [])
        )
    said = b"".join(heard)
    assert b"owner-token-77" not in said
    assert outcome.status == int(is_named)
    if not is_named:
        assert said == b""


def test_the_file_of_a_node_that_died_is_not_believed(cli: Terminal) -> None:
    home = cli.home / "node"
    home.mkdir(mode=0o700)
    stale = {"url": "http://127.0.0.1:9", "pid": 1, "token": "old-token", "version": "0"}
    (home / "node.json").write_text(json.dumps(stale))
    assert cli("run", "sentiment-analysis", "Fine").status == 0


FAILED = ("not configured", "no backend", "can't be read", "can't be reached", "no parameter")


@pytest.mark.parametrize(
    ("words", "fact", "hint"),
    [
        (["sentiment-anlysis", "x"], "there is no task called", "did you mean sentiment-analysis?"),
        (["chat", "x", "--modle", "y"], "there is no option --modle", "did you mean --model?"),
        (["chat", "x", "--remote"], "remote inference is not configured", "leave out --remote"),
        (["chat", "x", "--remote", "--local"], "contradict", "give one"),
        (["chat", "x", "--tier", "nowhere"], "--tier: no tier called 'nowhere'", "local, peer"),
        (["text-to-image", "x"], "no backend here runs any model", "inferd models"),
        (["chat"], "chat needs messages", "run chat 'What is inferd?'"),
        (["chat", ""], "chat needs messages", "run chat 'What is inferd?'"),
        (["tabular-classification"], "needs features", "tabular-classification 5.1,3.5,1.4,0.2"),
        (
            ["sentence-similarity", "a cat"],
            "needs sentences",
            """'sentences=["A kitten lay on a rug.","Stocks fell."]'""",
        ),
        (["sentiment-analysis"], "text-classification needs prompt", "text-classification 'I love"),
        (["image-classification"], "needs image", "--file image=photo.jpg"),
        (["sentiment-analysis", "x", "-p", "topk=1"], "no parameter called topk", "mean top_k?"),
        (["image-classification", "x"], "takes no text", "--file image=PATH"),
        (["image-classification", "-f", "gone.jpg"], "gone.jpg can't be read", ""),
        (["chat", "x", "-p", "seed"], "--param seed has no value", "name=value"),
        (["chat", "x", "-p", "seed=x"], "seed must be", ""),
        (["tabular-classification", "1,x"], "features must be", "5.1"),
        (["question-answering", "-i", "qa_contxt=x"], "no input called", "qa_context"),
        (["chat", "x", "--url", "gpu.example"], "no URL of a node", "http://HOST:PORT"),
        (["chat", "x", "--url", "http://127.0.0.1:9"], "can't be reached", "inferd up"),
    ],
)
def test_a_mistake_is_told_as_a_fact_and_a_hint(
    cli: Terminal, words: list[str], fact: str, hint: str
) -> None:
    outcome = cli("run", *words)
    assert outcome.status == (1 if any(mark in fact for mark in FAILED) else 2)
    assert outcome.out == ""
    assert outcome.err.startswith("inferd: ")
    assert fact in outcome.err
    assert hint in outcome.err


@pytest.mark.parametrize(
    ("words", "fact", "hint"),
    [
        (["run", "chat", "x", "--modle", "y"], "there is no option --modle", "mean --model?"),
        (["models", "--tsk", "chat"], "there is no option --tsk", "mean --task?"),
        (["usage", "--bogus"], "there is no option --bogus", "--help"),
        (["doctor", "--prot=1"], "there is no option --prot", "mean --port?"),
        (["config", "shw"], "there is no command shw", "mean show?"),
        (["[modles]"], "there is no command [modles]", "mean models?"),
        (["usage", "--latest", "x"], 'invalid value for --latest: unable to convert "x"', "--help"),
        (["run"], "TASK requires an argument", "--help"),
        (["up", "--set", "a"], "--set a has no value", "section.key=value"),
    ],
)
def test_what_is_not_understood_is_told_alike_with_status_2(
    cli: Terminal, words: list[str], fact: str, hint: str
) -> None:
    outcome = cli(*words)
    assert (outcome.status, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first.startswith("inferd: ")
    assert fact in first
    assert second.startswith("  hint: ")
    assert hint in second


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("GET /run?task=fill-mask describes every field", "`inferd tasks fill-mask` describes"),
        ("GET /models lists the tasks", "`inferd tasks` lists the tasks"),
    ],
)
def test_a_nodes_hint_is_told_in_the_command_lines_words(theirs: str, ours: str) -> None:
    answer = httpx2.Response(400, json={"error": "no", "hint": theirs})
    assert refusal(answer, "the node").hint.startswith(ours)


def test_a_failure_at_the_node_comes_with_the_requests_id(cli: Terminal) -> None:
    assert "\n  request: " in cli("run", "text-to-image", "x").err


def test_python_m_inferd_is_the_same_program(cli: Terminal) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inferd", "version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == cli("version").out


def test_the_backend_may_be_named_and_a_wrong_name_is_answered_with_the_right_ones(
    cli: Terminal,
) -> None:
    assert "backend local" in cli("run", "sentiment-analysis", "good", "--backend", "local").err
    for name in ("nine", "neuf-é"):
        outcome = cli("run", "sentiment-analysis", "good", "--backend", name)
        assert outcome.status != 0
        assert "no backend called" in outcome.err
    outcome = cli("run", "sentiment-analysis", "good", "--backend", "nine")
    assert "those you may ask for: local; leave out --backend" in outcome.err
