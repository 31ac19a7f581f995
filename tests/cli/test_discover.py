"""`inferd discover`, and what the doctor says of the same."""

import json
import os
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def claude(cli: Terminal) -> Path:
    """A claude that says its version, in the PATH."""
    folder = cli.home / "bin"
    folder.mkdir()
    path = folder / "claude"
    path.write_text("#!/bin/sh\necho '2.1.5 (Claude Code)'\n")
    path.chmod(0o755)
    cli.environment.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    cli.environment.setenv("INFERD_DISCOVERY__HARDWARE", "false")
    return path


@pytest.mark.extra
def test_what_is_here_is_listed_with_its_verdict(cli: Terminal, claude: Path) -> None:
    cli.environment.setenv("INFERD_DISCOVERY__AUTO", "true")
    found = {each["id"]: each for each in json.loads(cli("discover", "--json").out)}
    assert found["cli:claude"]["endpoint"] == str(claude)
    assert found["cli:claude"]["verdict"] == "in use"
    assert found["api:openai"]["hint"] == "set OPENAI_API_KEY in the node's environment"
    assert found["backend:local"]["backend"] == "local"


def test_switched_off_it_shows_and_uses_nothing(cli: Terminal, claude: Path) -> None:
    outcome = cli("discover")
    assert "usable" in outcome.out
    assert "Claude Code" in outcome.out
    assert "OPENAI_API_KEY" not in outcome.out
    assert "not there: OpenAI" in outcome.err
    assert "discovery.auto is off" in outcome.err


@pytest.mark.extra
def test_all_is_shown_to_who_wants_it(cli: Terminal, claude: Path) -> None:
    assert "set OPENAI_API_KEY" in " ".join(cli("discover", "--all").out.split())


@pytest.mark.extra
def test_the_doctor_says_what_could_answer(cli: Terminal, claude: Path) -> None:
    cli.environment.setenv("HF_HUB_OFFLINE", "1")
    assert "discovery: off" in cli("doctor", "--port", "0").out
    cli.environment.setenv("INFERD_DISCOVERY__AUTO", "true")
    assert "Claude Code" in cli("doctor", "--port", "0").out
