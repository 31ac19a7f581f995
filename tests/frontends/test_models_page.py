"""The models page and the welcome page as the server draws them: without any script."""

import csv
import html
import re
from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from io import StringIO

import httpx2
import pytest

from inferd.core.backend import Model
from inferd.core.request import Tier
from inferd.frontends.web import figures
from inferd.gateway.admission.policy import Rule
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import Node, open_node

TASK = "text-generation"
HOSTILE = '<script>alert(1)</script>/"><img src=x onerror=alert(2)>{{7*7}}'


SECRET = "a-secret-of-some-length"


def only(action: str) -> list[Rule]:
    return [Rule(principal="secret:*", actions=(action,))]


def model(name: str, **detail: object) -> Model:
    return Model(id=name, tasks=frozenset({TASK}), detail=detail)


def here(*models: Model) -> FakeBackend:
    return FakeBackend(says(*HELLO), "here", models=models)


def forge(*models: Model) -> FakeBackend:
    return FakeBackend(says(*HELLO), "forge", tier=Tier.TEAM, is_node=True, models=models)


MODELS = (
    model("acme/little", likes=5, downloads=900, trendingScore=2.5),
    model("acme/middle", likes=70, downloads=1_200_000, gated="manual"),
    model("zeta/great", likes=3100, downloads=20, library="gguf", size_bytes=7_300_000_000),
    model("zeta/unheard-of"),
)


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with open_node(here(*MODELS[:2]), forge(*MODELS[1:])) as running:
        yield running


class Reader(HTMLParser):
    """Reads a page as somebody without scripts does: rows, links, and what a script would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def rows(self) -> list[str]:
        return [row["data-id"] for row in self.all("tr") if "data-id" in row]


async def read(node: Node, path: str = "/", **query: str) -> tuple[httpx2.Response, Reader]:
    answer = await node.client.get(path, params=query)
    return answer, Reader(answer.text)


async def rows(node: Node, **query: str) -> list[str]:
    answer, page = await read(node, task=TASK, **query)
    assert answer.status_code == 200
    return page.rows


async def test_a_row_says_where_it_runs_and_links_to_its_form(node: Node) -> None:
    answer, page = await read(node, task=TASK)
    assert page.rows == ["acme/little", "acme/middle", "zeta/great", "zeta/unheard-of"]
    text = html.unescape(re.sub(r"<[^>]+>", " ", answer.text))
    assert "Runs here" in text
    assert "On forge" in text
    assert "+ 1 more" in text
    assert "gguf" in text
    assert "1.2M" in text
    links = [link["href"] for link in page.all("a") if "data-run" in link]
    assert "/?task=text-generation&run=acme/little#run" in links


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "acme"}, ["acme/little", "acme/middle"]),
        ({"q": " GREAT  zeta "}, ["zeta/great"]),
        ({"q": "nothing-like-it"}, []),
        ({"gated": "false"}, ["acme/little", "zeta/great", "zeta/unheard-of"]),
        ({"gated": "true"}, ["acme/middle"]),
        ({"sort": "name", "dir": "desc"}, [each.id for each in MODELS[::-1]]),
        ({"sort": "likes"}, ["zeta/great", "acme/middle", "acme/little", "zeta/unheard-of"]),
        (
            {"sort": "likes", "dir": "asc"},
            ["acme/little", "acme/middle", "zeta/great", "zeta/unheard-of"],
        ),
        ({"sort": "downloads", "q": "acme"}, ["acme/middle", "acme/little"]),
    ],
)
async def test_filters_and_sorting_are_in_the_address(
    node: Node, query: Mapping[str, str], found: list[str]
) -> None:
    assert await rows(node, **query) == found


async def test_an_address_with_nonsense_in_it_still_opens(node: Node) -> None:
    nonsense = {"sort": "colour", "dir": "up", "gated": "maybe", "page": "-3", "run": "\n"}
    assert len(await rows(node, **nonsense)) == len(MODELS)


async def test_what_cannot_run_is_told_why_and_has_no_run_button() -> None:
    down = FakeBackend(says(*HELLO), "forge", tier=Tier.TEAM, is_node=True, models=MODELS[:1])
    async with open_node(down) as node:
        (member,) = node.gateway.pool
        member.error = "it has gone <away>"
        answer, page = await read(node, task=TASK)
        assert await rows(node, runnable="true") == []
    assert page.rows == ["acme/little"]
    assert "forge can’t be asked: it has gone &lt;away&gt;" in answer.text
    assert not [link for link in page.all("a") if "data-run" in link]


async def test_the_sorted_head_says_so(node: Node) -> None:
    _, page = await read(node, task=TASK, sort="likes", dir="asc")
    assert [head["aria-sort"] for head in page.all("th") if "aria-sort" in head] == ["ascending"]


async def test_a_form_keeps_what_was_asked(node: Node) -> None:
    _, page = await read(node, task=TASK, q='"><b>', runnable="true", sort="name", dir="desc")
    fields = {field["name"]: field for field in page.all("input") if "name" in field}
    assert fields["q"]["value"] == '"><b>'
    assert "checked" in fields["runnable"]
    assert fields["task"]["value"] == TASK
    assert fields["dir"]["value"] == "desc"
    assert [each["value"] for each in page.all("option") if "selected" in each] == ["name"]


async def test_long_lists_come_in_pages() -> None:
    async with open_node(here(*(model(f"o/m{at:03}") for at in range(70)))) as node:
        first, second, third = [await rows(node, page=page) for page in ("1", "2", "3")]
        answer, _ = await read(node, task=TASK, page="2", sort="name")
    assert first + second + third == [f"o/m{at:03}" for at in range(70)]
    assert 'href="/?task=text-generation&amp;sort=name&amp;page=3"' in answer.text
    assert ">70 models<" in answer.text


async def test_names_with_scripts_in_them_stay_names() -> None:
    async with open_node(here(model(HOSTILE, library="<i>"))) as node:
        answer, page = await read(node, task=TASK, q="script", run=HOSTILE)
    assert page.rows == [HOSTILE]
    assert not page.all("img")
    assert not page.all("i")
    assert "49" not in page.rows[0]
    scripts = page.all("script")
    assert all(each.get("src") or each["type"] == "application/json" for each in scripts)
    assert "alert(1)</script>" not in answer.text
    (box,) = [field for field in page.all("input") if field.get("form") == "compare"]
    assert box["value"] == HOSTILE


async def test_nothing_in_a_page_is_inline(node: Node) -> None:
    for path in ("/", "/welcome", "/more"):
        _, page = await read(node, path)
        attributes = [attributes for _, attributes in page.tags]
        assert not [each for each in attributes if "style" in each], path
        assert not [name for each in attributes for name in each if name.startswith("on")], path
        assert not page.all("style"), path


async def test_a_csv_has_what_is_filtered_and_runs_nothing() -> None:
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "  =1+1", 'a"b,c', "plain"]
    async with open_node(here(*(model(name) for name in names), model("other/one"))) as node:
        answer = await node.client.get("/models.csv", params={"task": TASK, "sort": "name"})
        some = await node.client.get("/models.csv", params={"task": TASK, "q": "other"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    table = list(csv.DictReader(StringIO(answer.text)))
    cells = [cell for row in table for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@"))]
    assert {row["id"].removeprefix("'") for row in table} == {*names, "other/one"}
    assert table[0]["where"] == "local"
    assert [row["id"] for row in csv.DictReader(StringIO(some.text))] == ["other/one"]


async def test_an_unknown_task_is_a_page_that_offers_the_others(node: Node) -> None:
    answer, page = await read(node, task="<b>juggling</b>")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "No task is called ‘&lt;b&gt;juggling&lt;/b&gt;’" in answer.text
    assert "/?task=text-generation" in [link["href"] for link in page.all("a")]


async def test_a_task_by_another_name_is_found(node: Node) -> None:
    answer, _ = await read(node, task="sentiment-analysis")
    assert 'data-count="text-classification"' in answer.text
    assert "Nothing here can do sentiment analysis yet" in answer.text


async def test_a_place_that_takes_what_it_does_not_list_is_offered_any_id() -> None:
    anything = FakeBackend(
        says(*HELLO), "forge", tier=Tier.TEAM, models=(), open_tasks=frozenset({TASK})
    )
    async with open_node(anything) as node:
        listed, page = await read(node, task=TASK)
        searched, found = await read(node, task=TASK, q="acme/unheard-of")
        other, _ = await read(node, task="fill-mask")
    assert "No model is listed for text generation yet" in listed.text
    assert "Run a model by its id" in searched.text
    forms = [form for form in page.all("form") if form.get("action") == "/#run"]
    assert [form["method"] for form in forms] == ["get"]
    fields = {field.get("name"): field.get("value") for field in found.all("input")}
    assert (fields["task"], fields["run"]) == (TASK, "acme/unheard-of")
    assert "Nothing here can do" in other.text
    assert "Run a model by its id" not in other.text


async def test_without_a_task_the_first_that_something_runs_is_shown(node: Node) -> None:
    _, page = await read(node)
    assert page.rows[0] == "acme/little"


async def test_who_may_not_list_is_told_on_a_page() -> None:
    async with open_node(here(*MODELS), secrets=[SECRET], rules=only("infer")) as node:
        node.client.headers["Authorization"] = f"Bearer {SECRET}"
        answer, page = await read(node)
        told = await node.client.get("/models.csv")
        welcome, _ = await read(node, "/welcome")
    assert answer.status_code == 403
    assert "You may not look at this node’s models" in answer.text
    assert not page.rows
    assert "acme" not in answer.text
    assert told.status_code == 403
    assert welcome.status_code == 200


async def test_who_may_not_infer_sees_no_run_button() -> None:
    async with open_node(here(*MODELS), secrets=[SECRET], rules=only("list")) as node:
        node.client.headers["Authorization"] = f"Bearer {SECRET}"
        _, page = await read(node, task=TASK)
        _, welcome = await read(node, "/welcome")
    assert len(page.rows) == len(MODELS)
    assert not [link for link in page.all("a") if "data-run" in link]
    assert not [form for form in welcome.all("form") if form.get("action") == "/try"]


async def test_only_a_node_on_its_own_points_to_the_welcome_page(node: Node) -> None:
    together, _ = await read(node)
    async with open_node(here(*MODELS)) as alone:
        single, _ = await read(alone)
    assert 'id="banner"' not in together.text
    assert 'id="banner"' in single.text


async def test_the_welcome_page_says_what_was_found_and_what_is_down(node: Node) -> None:
    for member in node.gateway.pool:
        member.error = "refused <our> key" if member.name == "forge" else ""
    answer, page = await read(node, "/welcome")
    assert "refused &lt;our&gt; key" in answer.text
    assert "/?task=text-generation" in [link["href"] for link in page.all("a")]
    assert "REMOTE_INFERENCE_ENDPOINT" in answer.text


async def test_the_welcome_page_asks_the_guide_without_scripts() -> None:
    guide = Model(id="inferd-docs", tasks=frozenset({"chat"}))
    async with open_node(here(guide)) as node:
        _, page = await read(node, "/welcome")
    (form,) = [form for form in page.all("form") if form.get("action") == "/try"]
    assert form["method"] == "post"
    fields = {field.get("name"): field.get("value") for field in page.all("input")}
    assert fields["csrf"]
    assert (fields["task"], fields["model"]) == ("chat", "inferd-docs")


@pytest.mark.parametrize(
    ("figure", "written"),
    [
        (None, ""), (0, "0"), (7, "7"), (2.5, "2.5"), (999, "999"), (1000, "1k"), (3100, "3.1k"),
        (412_000, "412k"), (999_990, "1M"), (8_400_000, "8.4M"), (70_000_000_000, "70B"),
    ],
)  # fmt: skip
def test_figures_are_short(figure: float | None, written: str) -> None:
    assert figures.compact(figure) == written


def test_ages_are_said_in_their_own_units() -> None:
    assert [figures.ago(n) for n in (3, 240, 7300)] == ["3 s", "4 min", "2 h"]
