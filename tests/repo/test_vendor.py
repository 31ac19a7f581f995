"""The page's libraries are the very files that were pinned."""

import shutil
from pathlib import Path

import pytest

import vendor


def test_the_committed_files_are_those_that_were_pinned() -> None:
    assert vendor.check() == []


def test_a_change_a_stranger_and_a_gap_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(vendor.FOLDER, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(vendor, "FOLDER", tmp_path)
    monkeypatch.setattr(vendor, "LOCK", tmp_path / "vendor.json")
    with (tmp_path / "preact.js").open("a") as file:
        file.write("//")
    (tmp_path / "stranger.js").touch()
    (tmp_path / "htm.js").unlink()
    assert vendor.check() == [
        "stranger.js is nobody's",
        "preact.js isn't what was pinned",
        "htm.js is missing",
    ]
