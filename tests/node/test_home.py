"""The home folder with odd things in it: the node says what stands in its way, and what to do."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from inferd.node.home import CannotStart, Home


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def oddly(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


ODD = [Path.mkdir, dangling, os.mkfifo, oddly(b"\xff" * 64), oddly(b"a" * 5000), oddly(b"")]
OTHER_IDS = [oddly(each) for each in (b"node-", b"me", b"node-xyz1", b"node-abcd\r\nx: y")]


@pytest.mark.parametrize("put", [*ODD, *OTHER_IDS])
def test_what_is_no_id_is_told(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "node.id")
    with pytest.raises(CannotStart, match="no node's id") as refused:
        Home(tmp_path).node_id()
    assert "delete it" in refused.value.hint


@pytest.mark.parametrize("put", ODD)
def test_what_is_no_key_is_told(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "session.key")
    with pytest.raises(CannotStart, match=r"session\.key") as refused:
        Home(tmp_path).session_key()
    assert "delete it" in refused.value.hint


@pytest.mark.parametrize("name", ["lock", "node.json"])
def test_a_folder_in_a_file_s_place_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(CannotStart, match=name), Home(tmp_path).claimed():
        pass


def test_an_id_is_made_once(tmp_path: Path) -> None:
    assert Home(tmp_path).node_id() == Home(tmp_path).node_id()
    assert (tmp_path / "node.id").stat().st_mode & 0o077 == 0
