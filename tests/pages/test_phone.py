"""A phone's window: the same things, nothing wider than it."""

import pytest
from playwright.async_api import expect

from tests.node.nodes import RunningNode
from tests.pages.conftest import PHONE, OpenPage
from tests.pages.steps import MINILM, WORDS, list_models, nothing_sideways, open_run, run

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter((each) => each.checkVisibility() && !each.closest("p, td .model, .vh"))
  .map((each) => (each.closest("label") ?? each).getBoundingClientRect())
  .filter((box) => box.width > 1 && box.height > 1 && (box.width < 24 || box.height < 24))
  .map((box) => [box.width, box.height, box.x, box.y].map(Math.round).join(" "))"""


async def test_find_run_and_see(open_page: OpenPage, laptop: RunningNode) -> None:
    page = await open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    await list_models(page, laptop)
    await nothing_sideways(page)
    await expect(page.locator(".side")).to_be_hidden()
    await page.get_by_role("searchbox", name="Filter models").fill("minilm")
    await expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    dialog = await open_run(page, MINILM)
    box = await dialog.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (PHONE["width"], PHONE["height"])
    await nothing_sideways(page)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    await expect(answer.locator(".rcpt")).to_be_visible()
    above, below = await answer.bounding_box(), await dialog.get_by_role("form").bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]
    await nothing_sideways(page)
    await dialog.get_by_role("button", name="Close", exact=True).click()
    await expect(dialog).to_be_hidden()


async def test_the_tabs_at_the_foot_lead_everywhere(
    open_page: OpenPage, laptop: RunningNode
) -> None:
    page = await open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    await page.goto(laptop.url)
    tabs = page.get_by_role("navigation", name="Main, at the foot")
    for name in ("Chat", "Compare", "Backends", "More", "Models"):
        await tabs.get_by_role("link", name=name).click()
        await expect(tabs.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
        await nothing_sideways(page)


@pytest.mark.parametrize("width", [320, 390, 760])
async def test_no_page_is_wider_than_the_window(
    open_page: OpenPage, laptop: RunningNode, width: int
) -> None:
    page = await open_page(viewport={"width": width, "height": 700})
    paths = ("/?task=text-classification", "/chat?model=inferd-docs", "/usage", "/more", "/welcome",
             "/backends", "/explain",
             f"/compare?task=text-classification&model={MINILM}&model=acme/near")  # fmt: skip
    for path in paths:
        await page.goto(f"{laptop.url}{path}")
        await expect(page.locator("main")).to_be_visible()
        await nothing_sideways(page)
        assert not await page.evaluate(SMALL), path


async def test_what_is_in_a_row_ends_at_the_margin(open_page: OpenPage, node: RunningNode) -> None:
    page = await open_page(viewport={"width": 375, "height": 700})
    await page.goto(f"{node.url}/?task=chat")
    kinds = await page.locator(".kinds").bounding_box()
    assert kinds is not None
    assert kinds["x"] + kinds["width"] <= 375 - 16
    await page.goto(f"{node.url}/welcome")
    wide = "(all) => all.filter((each) => each.scrollWidth > each.clientWidth).length"
    assert await page.locator(".lines pre").evaluate_all(wide) == 0
    await page.goto(f"{node.url}/?task=juggling")
    told = await page.get_by_role("alert").bounding_box()
    tasks = await page.get_by_role("navigation", name="Tasks").bounding_box()
    assert told is not None
    assert tasks is not None
    assert tasks["y"] - told["y"] - told["height"] >= 12
    await page.goto(f"{node.url}/chat?model=inferd-docs")
    await expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    assert await page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")
