"""`scripts/setup.sh` installs what changed and nothing else, shown with a Python that only logs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Answers every probe, makes a .venv out of itself and uv, and logs what it is asked to run.
PYTHON = """#!/bin/sh
case "$1 $2 $3" in
"-c "*) exit 0 ;;
--version*) echo "Python 3.11.0"; exit 0 ;;
"-m venv --clear") rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; cp "$0" "$4/bin/uv" ;;
esac
echo "${0##*/} $*" >>"$LOG"
"""


class Tree:
    """A copy of what set-up reads, with a log of what it ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tree"
        self.bin = folder / "bin"
        self._log = folder / "log"
        shutil.copytree(ROOT / "requirements", self.folder / "requirements")
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        (self.folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "setup.sh", self.folder / "scripts")
        self.bin.mkdir()
        self.write_python(PYTHON)

    def write_python(self, text: str) -> None:
        python = self.bin / "python3"
        python.write_text(text)
        python.chmod(0o755)

    def set_up(self, what: str) -> subprocess.CompletedProcess[str]:
        self._log.write_text("")
        env = {"PATH": f"{self.bin}{os.pathsep}{os.defpath}", "LOG": str(self._log)}
        script = self.folder / "scripts" / "setup.sh"
        return subprocess.run(
            ["sh", script, what], env=env | {"PYTHON": "python3"}, capture_output=True, text=True
        )

    def installed(self, what: str) -> list[str]:
        """The requirement files that one call installed."""
        done = self.set_up(what)
        assert done.returncode == 0, done.stderr
        words = self._log.read_text().split()
        assert words[-1] == "scripts/build_models.py"
        return [word.split("/")[1] for word in words if word.startswith("requirements/")]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_running_needs_no_developers_tools(tree: Tree) -> None:
    assert tree.installed("run") == ["uv.txt", "run.txt", "build.txt"]


def test_a_second_call_installs_nothing(tree: Tree) -> None:
    assert tree.installed("dev") == ["uv.txt", "run.txt", "build.txt", "dev.txt"]
    assert tree.installed("dev") == []
    assert tree.installed("run") == []


def test_a_changed_file_is_installed_again(tree: Tree) -> None:
    tree.installed("dev")
    with (tree.folder / "requirements" / "dev.txt").open("a") as file:
        file.write("# changed\n")
    assert tree.installed("dev") == ["dev.txt"]


def test_a_failed_install_is_tried_again(tree: Tree) -> None:
    tree.installed("run")
    (tree.folder / "requirements" / "run.txt").write_text("# changed\n")
    uv = tree.folder / ".venv" / "bin" / "uv"
    uv.write_text("#!/bin/sh\nexit 1\n")
    assert tree.set_up("run").returncode != 0
    uv.write_text(PYTHON)
    assert tree.installed("run") == ["run.txt", "build.txt"]


def test_a_moved_tree_makes_its_environment_anew(tree: Tree) -> None:
    tree.installed("run")
    tree.folder = tree.folder.rename(tree.folder.with_name("moved"))
    assert tree.installed("run") == ["uv.txt", "run.txt", "build.txt"]


def test_an_old_python_is_named_as_the_reason(tree: Tree) -> None:
    tree.write_python("#!/bin/sh\nexit 1\n")
    done = tree.set_up("run")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
