"""`inferd usage`, with no node running."""

import csv
import io
import json

import pytest

from inferd.core.records import Row
from inferd.storage.ledger import Ledger
from tests.cli.terminal import Terminal


def row(**said: object) -> Row:
    plain: dict[str, object] = {
        "at": 1_790_000_000.0, "id": "r1", "principal": "owner", "task": "chat", "model": "docs",
        "backend": "local", "node": "n", "source": "local", "input_tokens": 3, "output_tokens": 5,
        "units": 0, "seconds": 0.25, "outcome": "ok",
    }  # fmt: skip
    return Row(**{**plain, **said})  # pyright: ignore[reportArgumentType]  fields by name


@pytest.fixture
def recorded(cli: Terminal) -> Terminal:
    ledger = Ledger(cli.home / "node" / "ledger.db")
    later = 1_790_000_000.0 + 3 * 86_400
    ledger.write(
        [row(), row(id="r2", at=later), row(id="r3", at=later, task="x", outcome="aborted")]
    )
    ledger.close()
    return cli


def test_nothing_recorded_makes_no_ledger(cli: Terminal) -> None:
    outcome = cli("usage")
    assert (outcome.status, outcome.out) == (0, "")
    assert "nothing is recorded" in outcome.err
    assert not (cli.home / "node").exists()


def test_a_run_is_in_the_ledger_afterwards(cli: Terminal) -> None:
    cli("run", "sentiment-analysis", "Fine")
    [total] = json.loads(cli("usage", "--by", "principal,task,outcome", "--json").out)
    assert total["principal"] == "owner"
    assert total["task"] == "text-classification"
    assert (total["outcome"], total["requests"], total["failed"]) == ("ok", 1, 0)
    assert total["input_tokens"] > 0


def test_totals_are_grouped_as_asked(recorded: Terminal) -> None:
    found = json.loads(recorded("usage", "--by", "task", "--json").out)
    assert [(each["task"], each["requests"], each["failed"]) for each in found] == [
        ("chat", 2, 0),
        ("x", 1, 1),
    ]
    assert "2026-09-21" in recorded("usage", "--by", "day").out


def test_since_leaves_out_what_was_before(recorded: Terminal) -> None:
    found = json.loads(recorded("usage", "--by", "task", "--since", "2026-09-23", "--json").out)
    assert [each["requests"] for each in found] == [1, 1]
    assert recorded("usage", "--since", "1s").out == ""


def test_the_latest_come_as_csv_newest_first(recorded: Terminal) -> None:
    lines = list(csv.DictReader(io.StringIO(recorded("usage", "--latest", "2", "--csv").out)))
    assert {line["id"] for line in lines} == {"r2", "r3"}
    assert "2026-" in recorded("usage", "--latest", "1").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--by", "modle"], "did you mean model?"),
        (["--by", ","], "names nothing"),
        (["--since", "yesterday"], "write 7d"),
    ],
)
def test_a_wrong_question_is_told_with_a_right_one(
    cli: Terminal, words: list[str], told: str
) -> None:
    outcome = cli("usage", *words)
    assert outcome.status == 2
    assert told in outcome.err


def test_help_says_what_units_are(cli: Terminal) -> None:
    words = " ".join(cli("usage", "--help").out.replace("│", "").split())
    assert "units elsewhere: texts, rows or images" in words


def test_a_file_that_is_no_ledger_is_told_as_such(cli: Terminal) -> None:
    (cli.home / "node").mkdir(mode=0o700)
    (cli.home / "node" / "ledger.db").write_text("not a database, but long enough to be one" * 99)
    outcome = cli("usage")
    assert outcome.status == 1
    assert "can't be read" in outcome.err
    assert "move ledger.db out" in outcome.err
    cli.environment.setenv("HF_HUB_OFFLINE", "1")
    told = cli("doctor", "--port", "0").out
    assert "ledger: the ledger" in " ".join(told.split())


def test_a_row_of_no_time_we_know_is_shown(cli: Terminal) -> None:
    ledger = Ledger(cli.home / "node" / "ledger.db")
    ledger.write([row(at=1e18)])
    ledger.close()
    assert "1e+18" in cli("usage", "--latest", "1").out
    assert "9999-12-31" in cli("usage", "--by", "day").out


def test_it_needs_none_of_the_node_s_secrets(recorded: Terminal) -> None:
    (recorded.home / "inferd.toml").write_text(
        '[auth]\nshared_secrets = ["env:TEAM_A"]\nlogin_user = "me"\n'
        'login_password = "file:/nowhere/at-all"\n'
        '[[backends]]\nname = "gpu"\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'
        'api_key = "env:GPU_KEY"\n[backends.options]\nextra = "env:OTHER"\n'
    )
    assert recorded("usage").status == 0
    for words in (["up"], ["config", "check"], ["run", "sentiment-analysis", "Fine"]):
        outcome = recorded(*words)
        assert outcome.status == 1
        assert "the environment variable TEAM_A is not set" in outcome.err
        assert "can't read the secret file /nowhere/at-all" in outcome.err
    shown = recorded("config", "show")
    assert shown.status == 0
    assert "TEAM_A is not set here" in shown.err
