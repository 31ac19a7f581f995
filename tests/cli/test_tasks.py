"""`inferd tasks`, and the commands it shows."""

import json
import os
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from inferd.cli.examples import command
from inferd.cli.inputs import payload_of
from inferd.cli.program import program
from inferd.core.tasks import TASKS, check, example, form
from tests.cli.terminal import Terminal


def test_every_task_is_listed_with_what_it_takes_and_gives(cli: Terminal) -> None:
    outcome = cli("tasks")
    assert outcome.status == 0
    _, *lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(TASKS)
    [line] = [line for line in lines if line.startswith("zero-shot-audio-classification")]
    assert "candidate_labels, audio (file)" in line
    assert "[{label, score}]" in line


def test_a_task_is_described_with_a_command_to_copy(cli: Terminal) -> None:
    out = cli("tasks", "sentiment-analysis").out
    assert out.startswith("text-classification (also sentiment-analysis)")
    assert "--param  function_to_apply" in out
    assert "one of sigmoid, softmax, none" in out
    assert "run text-classification 'I love this!'" in out.splitlines()[-1]


def test_json_is_the_form(cli: Terminal) -> None:
    chat = {"task": "chat", **form("chat")}
    assert json.loads(cli("tasks", "chat", "--json").out) == chat
    assert chat in json.loads(cli("tasks", "--json").out)


def test_an_unknown_task_is_told_with_what_was_meant(cli: Terminal) -> None:
    outcome = cli("tasks", "chatt")
    assert outcome.status == 2
    assert "did you mean chat?" in outcome.err


@pytest.mark.parametrize("name", TASKS)
def test_the_command_of_each_task_gives_it_what_it_needs(name: str) -> None:
    task = TASKS[name]
    words = shlex.split(command(task).removeprefix(program()))
    assert words[:2] == ["run", name]
    inputs = [word for flag, word in pairwise(words) if flag == "--input"]
    texts = words[2:3] if task.inputs else []
    payload, _ = check(task, payload_of(task, texts, inputs), {})
    wanted, _ = check(task, example(task), {})
    assert payload == {key: wanted[key] for key in payload}
    for file in task.files:
        assert any(word.startswith(f"{file.name}=") for word in words)


def test_the_program_is_named_as_it_can_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / ".venv" / "bin" / "inferd"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == ".venv/bin/inferd"
    monkeypatch.chdir(script.parent)
    assert program() == "./inferd"
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    assert program() == "inferd"


def test_a_program_without_a_script_is_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert program() == f"{tmp_path / 'python'} -m inferd"
