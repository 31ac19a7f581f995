"""docs/cli.md names every command, and its examples can be typed."""

import re
import shlex
from pathlib import Path

import pytest

from inferd.cli.app import COMMANDS, build
from inferd.cli.config import app as config

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)` \|.*\| `(inferd [^`]+)` \|$", PAGE, re.MULTILINE)
LINES = re.findall(r"^(?:[A-Z_]+=\S+ )?(inferd [^#\n]+)", PAGE, re.MULTILINE)


def test_every_command_has_a_row() -> None:
    words = {name for name in COMMANDS if name != "config"}
    words |= {f"config {name}" for name in config if not name.startswith("-")}
    assert words | {"--install-completion"} == {name for name, _ in ROWS}


@pytest.mark.parametrize("line", [*(example for _, example in ROWS), *LINES])
def test_every_example_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    build().parse_args(words, exit_on_error=False, print_error=False)
