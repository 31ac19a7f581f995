"""Listings on disk: a byte cap, whole files, nobody else's eyes."""

import os
from pathlib import Path

import msgspec
import pytest

from inferd.core.hub import HubModel, HubQuery
from inferd.hub.store import Kept, Store

ENDPOINT = "https://hub.example"


def kept(number: int, *, models: int = 1) -> Kept:
    return Kept(
        query=HubQuery(task="chat", search=str(number)),
        at=float(number),
        models=tuple(HubModel(id=f"acme/model-{each}") for each in range(models)),
    )


def test_the_oldest_lists_make_room(tmp_path: Path) -> None:
    store = Store(tmp_path, ENDPOINT, most_bytes=4 * 4096)
    for number in range(10):
        store.save(kept(number))
        for age, file in enumerate(tmp_path.iterdir()):
            if file.stat().st_mtime > 2000:
                os.utime(file, (1000 + number, 1000 + number))
            assert age < 10
    left = [int(each.query.search) for each in store.load()]
    # However small, a file takes a block of the disk.
    assert left == [6, 7, 8, 9]


def test_searches_make_room_before_whole_tasks(tmp_path: Path) -> None:
    store = Store(tmp_path, ENDPOINT, most_bytes=4 * 4096)
    task = Kept(query=HubQuery(task="chat"), at=1.0, models=kept(1).models)
    store.save(task)
    os.utime(next(tmp_path.iterdir()), (1, 1))
    for number in range(10):
        store.save(kept(number))
    assert task in store.load()
    assert len(store.load()) == 4


def test_a_search_that_finds_nothing_any_more_leaves_no_file(tmp_path: Path) -> None:
    store = Store(tmp_path, ENDPOINT)
    store.save(kept(1))
    assert [*tmp_path.iterdir()]
    store.save(kept(1, models=0))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("at", [-1e308, -1.0, 1e300])
def test_a_list_of_no_time_we_know_is_removed(tmp_path: Path, at: float) -> None:
    store = Store(tmp_path, ENDPOINT)
    store.save(msgspec.structs.replace(kept(1), at=at))
    assert store.load() == []
    assert not [*tmp_path.iterdir()]


def test_a_list_too_long_to_read_again_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path, ENDPOINT)
    store.save(kept(1, models=60_000))
    assert store.load() == []
    (tmp_path / "long.json").write_bytes(b" " * (5 << 20))
    assert store.load() == []
    assert not [*tmp_path.iterdir()]


def test_a_file_under_another_s_name_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path, ENDPOINT)
    store.save(kept(1))
    [file] = tmp_path.iterdir()
    file.rename(tmp_path / "other.json")
    assert store.load() == []


def test_a_link_in_the_draft_s_place_is_not_followed(tmp_path: Path) -> None:
    folder, victim = tmp_path / "hub", tmp_path / "victim"
    victim.write_text("mine")
    store = Store(folder, ENDPOINT)
    store.save(kept(1))
    [file] = folder.iterdir()
    file.with_suffix(f".{os.getpid()}.draft").symlink_to(victim)
    store.save(kept(1))
    assert victim.read_text() == "mine"
    assert len(store.load()) == 1


def test_no_folder_keeps_nothing() -> None:
    store = Store(None, ENDPOINT)
    store.save(kept(1))
    assert store.load() == []
