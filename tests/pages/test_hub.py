"""The models page over a Hub: a thousand rows, a Hub that fails, names that would harm."""

import json
import re
from collections.abc import Generator
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from tests.hub.standin import Mode, StandIn, many, model, stand_in
from tests.node.nodes import RunningNode
from tests.pages import axe
from tests.pages.conftest import SECRET, OpenPage, StartNode
from tests.pages.steps import MINILM, SENTIMENT

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

TASK = "text-generation"
HARM = "window.harmed = (window.harmed || 0) + 1"
NAMES = (
    f"acme/<img src=x onerror='{HARM}'>",
    f"<script>{HARM}</script>/a",
    f'acme/"onmouseover="{HARM}" x="',
    "../../etc/passwd",
    "acme/" + "very-long-name-" * 20,
    "acme/${alert(1)}{{7*7}}",
)


@pytest.fixture
def hub() -> Generator[StandIn]:
    with stand_in(many(1000)) as running:
        yield running


@pytest.fixture
def node(start_node: StartNode, hub: StandIn) -> RunningNode:
    """A node that lists that Hub's models, and asks it every time."""
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    return start_node(environment=environment, toml="[hub]\ncache_minutes = 0.00001\n")


async def test_a_thousand_rows_come_as_one_scrolls(page: Page, node: RunningNode) -> None:
    await page.goto(f"{node.url}/?task={TASK}")
    count = page.locator(".count")
    await expect(count).to_have_text(re.compile(r"^\d+ models so far$"))
    last = page.locator("tbody tr[data-id='org-13/model-0999']")
    await page.wait_for_function(
        """() => {
          scrollTo(0, document.documentElement.scrollHeight);
          return document.querySelector("tbody tr[data-id='org-13/model-0999']");
        }""",
        polling=100,
        timeout=30_000,
    )
    await expect(last).to_contain_text("model-0999")
    await expect(last).to_have_attribute("aria-rowindex", "1001")
    await expect(count).to_have_text("1,000 models")
    drawn = await page.locator("tbody tr[data-id]").count()
    assert drawn < 300, f"{drawn} of 1,000 rows are in the page at once"


async def test_filters_and_sorting_live_in_the_address(page: Page, node: RunningNode) -> None:
    await page.goto(f"{node.url}/?task={TASK}")
    await expect(page.locator(".count")).to_contain_text("so far")
    await page.get_by_label("Not gated").check()
    await expect(page.locator(".count")).to_have_text("500 models")
    await page.get_by_role("columnheader", name="Downloads").get_by_role("link").click()
    await expect(page.get_by_role("columnheader", name="Downloads")).to_have_attribute(
        "aria-sort", "descending"
    )
    await expect(page).to_have_url(re.compile("gated=false.*sort=downloads"))
    rows = page.locator("tbody tr[data-id]")
    most = "org-12/model-0505"
    await expect(rows.first).to_have_attribute("data-id", most)
    await page.reload()
    await expect(page.locator(".count")).to_have_text("500 models")
    await expect(rows.first).to_have_attribute("data-id", most)
    await page.get_by_role("searchbox", name="Filter models").fill("org-3/ 0411")
    await expect(rows).to_have_count(1)


@pytest.mark.parametrize("mode", ["limited", "html"])
async def test_a_list_that_grew_old_says_so(
    open_page: OpenPage, node: RunningNode, hub: StandIn, mode: Mode
) -> None:
    page = await open_page(reduced_motion="reduce")
    await page.goto(f"{node.url}/?task={TASK}")
    rows = page.locator("tbody tr[data-id]")
    await expect(rows.first).to_be_visible()
    hub.mode = mode
    await page.reload()
    note = page.locator(".hub")
    await expect(note).to_contain_text("Hugging Face is slow to answer. List from")
    await expect(rows.first).to_be_visible()
    await axe.check(page)
    await expect(note).to_contain_text(re.compile(r"Hugging Face is asked again in \d+ s\."))


@pytest.mark.parametrize("mode", ["down", "html"])
async def test_without_a_list_the_own_models_stay(
    open_page: OpenPage, node: RunningNode, hub: StandIn, mode: Mode
) -> None:
    hub.mode = mode
    page = await open_page(reduced_motion="reduce")
    await page.goto(f"{node.url}/?task={SENTIMENT}")
    note = page.locator(".hub")
    await expect(note).to_contain_text("This node’s own models are listed.")
    await expect(note).to_contain_text(re.compile(r"asked again in \d+ s\."))
    await expect(page.locator(f"tbody tr[data-id='{MINILM}']")).to_contain_text("Runs here")
    await expect(page.locator("main")).not_to_contain_text("<script>")
    await axe.check(page)


@pytest.mark.parametrize("query", ["task=text-to-image", "task=text-classification&q=zzzz"])
async def test_nothing_to_list_is_said_once(page: Page, node: RunningNode, query: str) -> None:
    await page.goto(f"{node.url}/?{query}")
    await expect(page.locator(".bone")).to_have_count(0)
    await expect(page.locator(".empty")).to_have_count(1)
    await expect(page.get_by_text("Run a model by its id")).to_have_count(0)


async def test_a_model_that_nobody_lists_is_run_by_its_id(
    page: Page, forge: RunningNode, start_node: StartNode
) -> None:
    environment = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": f"{forge.url}/inference",
        "REMOTE_INFERENCE_TOKEN": SECRET,
    }
    node = start_node(environment=environment)
    await page.goto(f"{node.url}/?task=text-to-image&q=nothing-like-it")
    await expect(page.locator(".bone")).to_have_count(0)
    field = page.get_by_label("Run a model by its id")
    await field.fill("acme/painter")
    await field.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_accessible_name("acme/painter")


async def test_what_the_hub_says_is_only_read(page: Page, start_node: StartNode) -> None:
    odd = [model(name, TASK) for name in NAMES]
    plain = model("acme/plain", TASK, library=f"<img src=x onerror='{HARM}'>")
    with stand_in([*odd, plain]) as hub:
        node = start_node(environment={"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"})
        await page.goto(f"{node.url}/?task={TASK}")
        rows = page.locator("tbody tr[data-id]")
        await expect(rows.filter(has_text="acme/plain")).to_contain_text("<img src=x")
        told = await rows.evaluate_all("(all) => all.map((row) => row.dataset.id)")
        assert not set(told) & set(NAMES), told
        await nothing_harmed(page)


async def test_names_of_models_are_only_read(page: Page, start_node: StartNode) -> None:
    toml = f'[[backends]]\nname = "odd"\nkind = "echo"\nmodels = {json.dumps(NAMES)}\n'
    node = start_node(toml=toml)
    for name in NAMES:
        await page.goto(f"{node.url}/?{urlencode({'task': TASK, 'q': name, 'run': name})}")
        await expect(page.get_by_role("heading", name="Models")).to_be_attached()
        await nothing_harmed(page)
    await page.goto(f"{node.url}/?task={TASK}")
    rows = page.locator("tbody tr[data-id]")
    await expect(rows).to_have_count(len(NAMES))
    await expect(rows.filter(has_text=NAMES[0])).to_have_count(1)
    await rows.filter(has_text=NAMES[0]).locator("[data-run]").click()
    await expect(page.get_by_role("dialog")).to_have_accessible_name(NAMES[0])
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("acme")
    await expect(page.get_by_role("option").filter(has_text=NAMES[0])).to_be_visible()
    await nothing_harmed(page)
    for path in ("/compare?" + urlencode([("task", TASK), *(("model", n) for n in NAMES[:3])]),
                 "/chat?" + urlencode({"model": NAMES[0]})):  # fmt: skip
        await page.goto(f"{node.url}{path}")
        await expect(page.locator("main")).to_contain_text(NAMES[0])
        await nothing_harmed(page)


async def nothing_harmed(page: Page) -> None:
    assert await page.evaluate("window.harmed") is None
    assert await page.locator("img, script:not([src]):not([type='application/json'])").count() == 0
