"""Pages and examples that are written from the code are current."""

import subprocess
import sys
from pathlib import Path

from reference.files import FILES, stale, write

ROOT = Path(__file__).resolve().parents[2]


def test_the_files_written_from_the_code_are_current() -> None:
    assert stale(ROOT) == [], "run: python scripts/docs.py --write"


def test_the_command_checks_and_writes(tmp_path: Path) -> None:
    def run(what: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "scripts/docs.py", what, "--root", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    old = run("--check")
    assert old.returncode == 1
    assert old.stderr.count("is not current: python scripts/docs.py --write") == len(FILES)
    assert run("--write").returncode == 0
    assert run("--check").returncode == 0


def test_one_line_left_behind_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "docs" / "tasks.md").open("a") as page:
        page.write("more\n")
    assert stale(tmp_path) == ["docs/tasks.md"]
