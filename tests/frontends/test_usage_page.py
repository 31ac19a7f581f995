"""The usage page over a real ledger: what it adds up, what it shows to whom, and its CSV."""

import asyncio
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from inferd.core.records import Row
from inferd.frontends.admin.routes import Usage
from inferd.gateway.admission.policy import Rule
from inferd.storage.ledger import GROUPS, Ledger
from tests.clocks import HandClock
from tests.frontends.nodes import Node, open_node

DAY = 86_400.0
NOW = 20_000 * DAY + 3600
SECRET = {"Authorization": "Bearer s"}
GUEST = f"secret:{hashlib.sha256(b's').hexdigest()[:8]}"


def row(days_ago: float = 0, **said: object) -> Row:
    plain: dict[str, object] = {
        "at": NOW - days_ago * DAY, "id": "r", "principal": "owner", "task": "chat",
        "model": "acme/big", "backend": "local", "node": "n", "source": "local", "tier": "local",
        "input_tokens": 100, "output_tokens": 20, "units": 0, "seconds": 2.0, "outcome": "ok",
    }  # fmt: skip
    return Row(**{**plain, **said})  # pyright: ignore[reportArgumentType]  fields by name


@asynccontextmanager
async def counting(tmp_path: Path, rows: Sequence[Row], **options: object) -> AsyncGenerator[Node]:
    """Run a node whose ledger holds `rows`, at NOW."""
    ledger = Ledger(tmp_path / "ledger.db")
    if rows:
        ledger.write(rows)

    async def totals(by: tuple[str, ...], since: float, principal: str) -> Sequence[object]:
        return await asyncio.to_thread(ledger.totals, by, since=since, principal=principal)

    books = Usage(GROUPS, totals)
    async with open_node(clock=HandClock(NOW), books=books, **options) as node:  # pyright: ignore[reportArgumentType]
        yield node
    ledger.close()


async def visit(node: Node, status: int = 200, **query: str) -> str:
    answer = await node.client.get("/usage", params=query, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text[:300]
    return answer.text


def words(page: str) -> str:
    """Return what is read, on one line."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


def chart(page: str) -> Any:
    found = re.search(r'id="page-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])["chart"]


async def test_figures_add_up_and_the_table_holds_what_the_chart_draws(tmp_path: Path) -> None:
    rows = [row(), row(1), row(1, principal="user:jun", output_tokens=900)]
    async with counting(tmp_path, rows) as node:
        page = await visit(node, period="7", by="person")
    said = words(page)
    assert "Tokens 1.2k" in said
    assert "Requests 3 all of them answered" in said
    assert "Owner (you)" in said
    drawn = chart(page)
    assert drawn["series"] == [
        {"name": "Owner", "values": [0, 0, 0, 0, 0, 120, 120]},
        {"name": "jun", "values": [0, 0, 0, 0, 0, 1000, 0]},
    ]
    assert "Day Owner jun 4 October 120 0 3 October 120 1,000 2 October 0 0" in said


async def test_what_failed_or_was_stopped_is_counted_and_marked(tmp_path: Path) -> None:
    rows = [row(), row(outcome="aborted"), row(outcome="backend_failed"), row(outcome="aborted")]
    async with counting(tmp_path, rows) as node:
        said = words(await visit(node))
    assert "Requests 4 1 failed, 2 stopped by the caller" in said
    assert "Owner (you) 1 failed, 2 stopped by the caller" in said


@pytest.mark.parametrize(("period", "count"), [("today", 1), ("7", 2), ("30", 3), ("all", 4)])
async def test_a_period_begins_at_midnight(tmp_path: Path, period: str, count: int) -> None:
    rows = [row(), row(1 / 12), row(10), row(100)]
    async with counting(tmp_path, rows) as node:
        page = await visit(node, period=period)
    assert f"Requests {count} all" in words(page)
    assert re.search(rf'href="/usage\?period={period}[^"]*" aria-current', page)


async def test_how_far_words_travelled(tmp_path: Path) -> None:
    cloud = row(source="remote", tier="cloud", backend="openrouter")
    nowhere = row(backend="", source="", tier="", outcome="model_not_found")
    async with counting(tmp_path, [row(), row(), cloud, nowhere, row(tier="")]) as node:
        said = words(await visit(node))
    assert "Stayed here nobody else saw them 75%" in said
    assert "Cloud openrouter 25%" in said
    assert "Team none 0%" in said


async def test_five_series_and_the_others(tmp_path: Path) -> None:
    rows = [row(model=f"m{n}", input_tokens=1000 - n) for n in range(9)]
    async with counting(tmp_path, rows) as node:
        page = await visit(node, by="model", of="requests")
    drawn = [(series["name"], series["values"][-1]) for series in chart(page)["series"]]
    assert drawn == [*((f"m{n}", 1) for n in range(5)), ("others", 4)]
    assert all(f"m{n}" in words(page) for n in range(9))


async def test_nothing_asked_yet(tmp_path: Path) -> None:
    async with counting(tmp_path, []) as node:
        page = await visit(node, period="all")
        week = await visit(node)
    assert "Nothing asked yet" in page
    assert 'href="/?runnable=true"' in page
    assert "Nothing asked in this time" in week
    assert "period=all" in week


async def test_whoever_may_not_see_it_is_told_so_in_words(tmp_path: Path) -> None:
    rules = [Rule(principal="secret:*", actions=("list",))]
    async with counting(tmp_path, [row()], secrets=["s"], rules=rules) as node:
        node.client.headers.update(SECRET)
        page = await visit(node, status=403)
        table = await node.client.get("/usage.csv")
    assert "You may not see usage here" in words(page)
    assert "Tokens" not in words(page)
    assert table.status_code == 403


async def test_a_guest_sees_its_own_requests_and_no_other_s(tmp_path: Path) -> None:
    rows = [row(model="acme/secret"), row(principal=GUEST, input_tokens=5, output_tokens=2)]
    async with counting(tmp_path, rows, secrets=["s"]) as node:
        node.client.headers.update(SECRET)
        page = words(await visit(node))
        by_model = words(await visit(node, by="model"))
        table = await node.client.get("/usage.csv")
    assert "Requests 1 all of them answered" in page
    assert "(you)" in page
    assert "Owner" not in page
    assert "acme/secret" not in by_model + table.text
    assert table.text.count(GUEST) == 1


async def test_a_node_without_a_ledger_says_so() -> None:
    async with open_node() as node:
        assert "This node keeps no ledger" in words(await visit(node))


async def test_the_csv_holds_every_group_and_no_formula(tmp_path: Path) -> None:
    rows = [row(model="=1+1"), row(tier="team", source="remote", backend="forge"), row()]
    async with counting(tmp_path, rows) as node:
        answer = await node.client.get("/usage.csv", params={"period": "today"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="usage-today.csv"' in answer.headers["content-disposition"]
    head, *lines = csv.reader(io.StringIO(answer.text))
    assert head[:5] == ["day", "principal", "model", "backend", "tier"]
    assert {(line[2], line[4], line[7]) for line in lines} == {
        ("'=1+1", "local", "1"),
        ("acme/big", "team", "1"),
        ("acme/big", "local", "1"),
    }


async def test_names_are_words_and_no_markup(tmp_path: Path) -> None:
    evil = '"><img src=x onerror=alert(1)>{{7*7}}'
    async with counting(tmp_path, [row(model=evil, principal=f"user:{evil}")]) as node:
        pages = [await visit(node, by=by) for by in ("person", "model", "backend")]
        odd = await visit(node, period="'", by="<script>", of="x")
    assert not any("<img" in page for page in pages)
    assert "<script>alert" not in odd
    assert evil in words(pages[1])


async def test_a_ledger_that_cant_be_read_is_said_in_words(tmp_path: Path) -> None:
    async with counting(tmp_path, []) as node:
        (tmp_path / "ledger.db").write_bytes(b"no database" * 999)
        said = words(await visit(node, status=503))
        assert "The ledger can’t be read" in said
        assert "move ledger.db out" in said
        assert str(tmp_path) not in said
        answer = await node.client.get("/usage.csv", headers={"Accept": "application/json"})
        assert answer.status_code == 503
        assert "can't be read" in answer.json()["reason"]


async def test_a_row_from_the_far_future_spoils_no_page(tmp_path: Path) -> None:
    async with counting(tmp_path, [row(at=1e18)]) as node:
        for period in ("today", "7", "30", "all"):
            assert "Requests 1" in words(await visit(node, period=period))
