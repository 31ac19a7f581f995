"""Folders of programs: what a node that is killed leaves behind goes when the next one starts."""

import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from inferd.process import Workspace, sweep
from inferd.process import workspace as workspaces
from tests.node.inside import served

RUNNING = """
import sys
from inferd.process import Workspace
workspace = Workspace()
(workspace.folder / "left").write_text("behind")
print(workspace.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of this test's own."""
    found = tmp_path / "temporary"
    found.mkdir()
    monkeypatch.setenv("TMPDIR", str(found))
    monkeypatch.setattr(tempfile, "tempdir", str(found))
    monkeypatch.setattr(workspaces, "_rooms", [])
    return found


@pytest.fixture
def other() -> Generator[subprocess.Popen[str]]:
    """Another process, at work in a folder."""
    command = [sys.executable, "-c", RUNNING]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        with suppress(BrokenPipeError):
            process.communicate()


def place_of(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.readline().strip())


async def test_what_a_killed_one_left_goes_and_what_lives_stays(
    folder: Path, tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    own, left = Workspace(), place_of(other)
    assert left.is_relative_to(folder)
    async with served(tmp_path):
        assert (left / "left").exists()
    other.kill()
    other.wait()
    async with served(tmp_path):
        assert not left.parent.exists()
        assert own.folder.exists()


def test_one_that_ends_leaves_nothing(other: subprocess.Popen[str]) -> None:
    left = place_of(other)
    other.communicate()
    assert not left.parent.exists()


def test_links_and_the_tidied_are_no_matter(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dear").mkdir()
    (folder / "inferd-runs-link").symlink_to(tmp_path / "dear")
    (folder / "inferd-runs-file").write_text("")
    first = Workspace()
    assert sweep() == 0
    assert (tmp_path / "dear").exists()
    first.folder.rmdir()
    first.folder.parent.rmdir()
    assert Workspace().folder.exists()
