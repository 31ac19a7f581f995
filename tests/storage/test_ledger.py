"""The ledger, the audit log, and the batches that feed them: on real files."""

import asyncio
import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from inferd.core.records import Detour, Forward, Row
from inferd.storage.audit import Audit
from inferd.storage.batch import Batch
from inferd.storage.ledger import GROUPS, MOST, Ledger, LedgerBroken
from tests.clocks import HandClock


def row(**fields: object) -> Row:
    usual: dict[str, object] = {
        "at": 1_000_000.0, "id": "r", "principal": "owner", "task": "chat", "model": "m",
        "backend": "local", "node": "n", "source": "local", "input_tokens": 2,
        "output_tokens": 3, "units": 1, "seconds": 0.5, "outcome": "ok",
    }  # fmt: skip
    return msgspec.convert({**usual, **fields}, Row)


def test_rows_add_up_by_group(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row(), row(), row(model="other", outcome="backend_failed")])
    first, second = ledger.totals(["model"])
    assert (first.group, first.requests, first.failed, first.input_tokens) == (("m",), 2, 0, 4)
    assert (second.group, second.failed) == (("other",), 1)
    ledger.close()


def test_one_request_is_found_by_its_id_and_only_for_whom_it_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    old, new = row(at=1.0, id="mine"), row(at=5.0, id="mine", principal="user:jun")
    ledger.write([old, new, row(at=9.0, id="other")])
    assert ledger.find("mine", 0.0) == new
    assert ledger.find("mine", 0.0, "owner") == old
    assert ledger.find("mine", 2.0, "owner") is None
    assert ledger.find("nothing", 0.0) is None
    ledger.close()


@pytest.mark.parametrize("by", GROUPS)
def test_every_group_can_be_asked_for(tmp_path: Path, by: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row()])
    assert ledger.totals([by])[0].requests == 1
    ledger.close()


def test_since_and_prune_go_by_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row(at=10.0), row(at=20.0)])
    assert ledger.totals(["task"], since=15.0)[0].requests == 1
    assert ledger.totals(["task"], principal="nobody") == []
    assert ledger.prune(15.0) == 1
    assert [kept.at for kept in ledger.latest(9)] == [20.0]
    ledger.close()


def test_counts_that_no_request_has_dont_spoil_the_sums(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row(input_tokens=(1 << 53) - 1, output_tokens=-5, units=1 << 70)])
    assert [(kept.input_tokens, kept.output_tokens) for kept in ledger.latest(1)] == [(MOST, 0)]
    # As an earlier version kept them: their plain sum is more than SQLite can count to.
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("UPDATE requests SET input_tokens = 9223372036854775807")
        connection.execute("INSERT INTO requests SELECT * FROM requests")
        connection.commit()
    assert ledger.totals(["day"])[0].input_tokens == 2 * MOST
    ledger.close()


@pytest.mark.parametrize("at", [1e18, 1e300, -1e18])
def test_a_row_from_no_time_we_know_has_a_day(tmp_path: Path, at: float) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row(at=at)])
    day = ledger.totals(["day"], since=-1e300)[0].group[0]
    assert day in ("9999-12-31", "1970-01-01")
    ledger.close()


def test_what_is_no_ledger_is_told_as_such(tmp_path: Path) -> None:
    garbage, folder = tmp_path / "garbage.db", tmp_path / "folder.db"
    garbage.write_bytes(b"no database" * 999)
    folder.mkdir()
    for path, advice in ((garbage, "move garbage.db out"), (folder, "must be an SQLite file")):
        ledger = Ledger(path)
        with pytest.raises(LedgerBroken, match="can't be read") as caught:
            ledger.totals(["model"])
        assert advice in caught.value.hint
        with pytest.raises(LedgerBroken, match="can't be written"):
            ledger.write([row()])
        ledger.close()


def test_the_ledger_is_for_its_owners_eyes_and_holds_no_words(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row()])
    assert stat.S_IMODE((tmp_path / "ledger.db").stat().st_mode) == 0o600
    assert not {"prompt", "inputs", "text"} & set(Row.__struct_fields__)
    ledger.close()


def test_a_row_written_is_there_after_opening_again(tmp_path: Path) -> None:
    for _ in range(2):
        ledger = Ledger(tmp_path / "ledger.db")
        ledger.write([row()])
        ledger.close()
    again = Ledger(tmp_path / "ledger.db")
    assert len(again.latest(9)) == 2
    again.close()


def test_a_request_that_failed_elsewhere_first_is_a_row_like_others(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    detour = Detour(**msgspec.structs.asdict(row()), after=("a",))
    ledger.write([row(), detour] * 40)
    assert ledger.latest(99) == [row()] * 80
    ledger.close()


def test_a_ledger_of_an_earlier_version_is_carried_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger(path)
    ledger.write([row(tier="team")])
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE requests DROP COLUMN tier")
    again = Ledger(path)
    again.write([row(tier="cloud")])
    assert {total.group: total.requests for total in again.totals(["tier"])} == {
        ("",): 1,
        ("cloud",): 1,
    }
    again.close()


def test_a_ledger_deleted_under_a_running_node_begins_anew(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.write([row()])
    (tmp_path / "ledger.db").unlink()
    ledger.write([row()])
    assert len(ledger.latest(9)) == 1
    ledger.close()
    assert (tmp_path / "ledger.db").exists()


def test_the_audit_log_only_grows(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit" / "remote.jsonl")
    line = Forward(
        at=1.0, id="r", principal="owner", task="chat", model="m", backend="far", node="n",
        sent_bytes=5, seconds=0.1, outcome="ok",
    )  # fmt: skip
    audit.write([line])
    audit.write([line, line])
    written = (tmp_path / "audit" / "remote.jsonl").read_text().splitlines()
    assert [json.loads(each)["sent_bytes"] for each in written] == [5, 5, 5]


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def test_a_batch_writes_when_its_time_comes_and_what_is_left_when_it_ends(
    thread: ThreadPoolExecutor,
) -> None:
    clock, written = HandClock(), list[list[int]]()
    wrote = asyncio.Event()
    loop = asyncio.get_running_loop()

    def write(records: list[int]) -> None:
        written.append(records)
        loop.call_soon_threadsafe(wrote.set)

    batch = Batch[int]("test", write, clock, thread)
    task = loop.create_task(batch.run())
    batch.add(1)
    await clock.has_sleepers()
    clock.turn(1)
    await wrote.wait()
    batch.add(2)
    batch.add(3)
    task.cancel()
    await asyncio.wait([task])
    assert written == [[1], [2, 3]]


async def test_a_store_that_fails_loses_nothing_while_it_is_down(
    thread: ThreadPoolExecutor,
) -> None:
    written: list[int] = []
    broken = True

    def write(records: list[int]) -> None:
        if broken:
            raise OSError("disk full")
        written.extend(records)

    batch = Batch[int]("test", write, HandClock(), thread)
    batch.add(1)
    await batch.flush()
    batch.add(2)
    await batch.flush()
    broken = False
    await batch.flush()
    assert written == [1, 2]


async def test_what_comes_during_a_failing_write_is_kept_in_order(
    thread: ThreadPoolExecutor,
) -> None:
    written: list[int] = []
    entered, go = threading.Event(), threading.Event()

    def write(records: list[int]) -> None:
        if not go.is_set():
            entered.set()
            go.wait(5)
            raise OSError("disk full")
        written.extend(records)

    batch = Batch[int]("test", write, HandClock(), thread)
    batch.add(1)
    flushing = asyncio.get_running_loop().create_task(batch.flush())
    await asyncio.to_thread(entered.wait, 5)
    batch.add(2)
    go.set()
    await flushing
    await batch.flush()
    assert written == [1, 2]


async def test_a_batch_keeps_a_bounded_number_of_records(thread: ThreadPoolExecutor) -> None:
    written: list[int] = []
    batch = Batch[int]("test", written.extend, HandClock(), thread)
    for number in range(60_000):
        batch.add(number)
    await batch.flush()
    assert (len(written), written[-1]) == (50_000, 59_999)
    assert batch.dropped == 10_000


async def test_what_a_failing_store_makes_too_many_is_counted(thread: ThreadPoolExecutor) -> None:
    entered, go = threading.Event(), threading.Event()

    def write(records: list[int]) -> None:
        entered.set()
        go.wait(5)
        raise OSError("disk full")

    batch = Batch[int]("test", write, HandClock(), thread)
    for number in range(30_000):
        batch.add(number)
    flushing = asyncio.get_running_loop().create_task(batch.flush())
    await asyncio.to_thread(entered.wait, 5)
    for number in range(30_000):
        batch.add(number)
    go.set()
    await flushing
    assert batch.dropped == 10_000


def test_rows_are_all_there_however_many_come_at_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    for count in (1, 31, 32, 33, 100):
        ledger.write([row(id=f"{count}-{number}") for number in range(count)])
    kept = ledger.latest(999)
    assert len({each.id for each in kept}) == len(kept) == 197
    assert {(each.principal, each.tier, each.outcome) for each in kept} == {("owner", "", "ok")}
    ledger.close()
