"""One input over several models side by side."""

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode
from tests.pages.conftest import StartNode
from tests.pages.steps import (
    MINILM,
    SENTIMENT,
    WORDS,
    list_models,
    wait_until_in_flight,
    wait_until_known,
)

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

THREE = (MINILM, "acme/near", "acme/far")


async def test_three_models_side_by_side(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    for model in THREE:
        await page.get_by_role("checkbox", name=f"Compare {model}", exact=True).check()
    await expect(page.locator(".compare-bar")).to_contain_text("3 of 4 ticked")
    await page.get_by_role("button", name="Compare", exact=True).click()
    await expect(page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    await page.get_by_label("Text", exact=True).fill(WORDS)
    await page.get_by_role("button", name="Run 3 side by side").click()
    for model, seer in zip(THREE, ("nobody else", "nobody else", "remote-1"), strict=True):
        column = page.get_by_role("region", name=model, exact=True)
        await expect(column.locator(".rcpt")).to_contain_text(f"Seen by {seer}")
        await expect(column.get_by_role("table")).to_be_visible()
    figures = page.get_by_role("region", name="How fast each was").locator("tbody tr")
    await expect(figures).to_have_count(3)


async def test_each_ends_by_itself_and_one_that_fails_leaves_the_others(
    page: Page, laptop: RunningNode
) -> None:
    query = f"task={SENTIMENT}&model={MINILM}&model=acme/stuck-here&model=acme/near"
    await page.goto(f"{laptop.url}/compare?{query}")
    await page.get_by_label("Text", exact=True).fill(WORDS)
    await page.get_by_role("button", name="Run 3 side by side").click()
    stuck = page.get_by_role("region", name="acme/stuck-here")
    for model in (MINILM, "acme/near"):
        column = page.get_by_role("region", name=model, exact=True)
        await expect(column.locator(".rcpt")).to_be_visible()
    await expect(stuck).to_have_attribute("aria-busy", "true")
    wait_until_in_flight(laptop, 1)
    await stuck.get_by_role("button", name="Cancel acme/stuck-here").click()
    await expect(stuck).to_contain_text("Stopped")
    wait_until_in_flight(laptop, 0)
    await expect(page.get_by_role("button", name="Run 3 side by side")).to_be_enabled()


async def test_the_address_holds_what_is_compared(page: Page, laptop: RunningNode) -> None:
    await page.goto(f"{laptop.url}/compare?task={SENTIMENT}&model={MINILM}&model=acme/near")
    await page.get_by_label("Add a model or place").select_option("acme/far")
    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("button", name="Take acme/near away").click()
    await page.reload()
    columns = page.locator(".cmp > section")
    await expect(columns).to_have_count(2)
    await expect(columns.nth(0)).to_contain_text(MINILM)
    await expect(columns.nth(1)).to_contain_text("acme/far")


async def test_after_the_example_the_keys_run_all(page: Page, laptop: RunningNode) -> None:
    await page.goto(f"{laptop.url}/compare?task={SENTIMENT}&model={MINILM}&model=acme/near")
    await page.get_by_role("button", name="Use the example").click()
    await expect(page.get_by_label("Text", exact=True)).to_be_focused()
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".cmp .rcpt")).to_have_count(2)


async def test_a_place_that_is_lost_says_why_and_leaves_the_others(
    page: Page, start_node: StartNode
) -> None:
    team = start_node("team", {"INFERENCE_SHARED_SECRET": "word"})
    environment = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": f"{team.url}/inference",
        "REMOTE_INFERENCE_TOKEN": "word",
    }
    mine = start_node("mine", environment, toml='[server]\nname = "mine"\n')
    wait_until_known(mine)
    query = f"task={SENTIMENT}&model={MINILM}@local&model={MINILM}@remote-1&model={MINILM}"
    await page.goto(f"{mine.url}/compare?{query}")
    columns = page.locator(".cmp > section")
    await expect(columns.nth(0)).to_contain_text("Only on mine")
    await expect(columns.nth(1)).to_contain_text("Only on remote-1")
    team.kill()
    await page.get_by_role("button", name="Use the example").click()
    await page.get_by_role("button", name="Run 3 side by side").click()
    await expect(columns.nth(1).get_by_role("alert")).to_be_visible()
    await page.reload()
    await expect(columns).to_have_count(3)
    await expect(columns.nth(0)).to_contain_text("Only on mine")
    await expect(columns.nth(1)).to_contain_text("Can’t run here now")
    await expect(columns.nth(1)).to_contain_text("remote-1")
    await page.get_by_role("button", name="Use the example").click()
    await page.get_by_role("button", name="Run 2 side by side").click()
    for each in (0, 2):
        await expect(columns.nth(each).locator(".rcpt")).to_contain_text("mine")
    await expect(columns.nth(1)).to_contain_text("Left out")
