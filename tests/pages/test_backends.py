"""Backends and Route explain in a browser: figures stay current, rows open, places come and go."""

from urllib.parse import quote

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode
from tests.pages import axe
from tests.pages.conftest import SECRET, OpenPage, StartNode
from tests.pages.steps import MINILM, SENTIMENT, WORDS, open_form, run

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

TWO = """
[server]
name = "laptop"
[[backends]]
name = "near"
kind = "echo"
models = ["acme/near"]
[[backends]]
name = "shaky"
kind = "echo"
models = ["acme/shaky"]
options = { fail_with = "backend_failed" }
"""


def ask(node: RunningNode, model: str) -> int:
    message = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    return httpx2.post(f"{node.url}/v1/chat/completions", json=message, timeout=30).status_code


async def test_figures_and_states_come_by_themselves(page: Page, start_node: StartNode) -> None:
    node = start_node(toml=TWO)
    await page.goto(f"{node.url}/backends")
    shaky = page.get_by_role("row").filter(has=page.get_by_role("link", name="shaky", exact=True))
    await expect(shaky).to_contain_text("Healthy")
    await page.evaluate("window.isTheSame = true")
    assert ask(node, "acme/shaky") >= 500
    await expect(shaky).to_contain_text("Failing")
    await expect(shaky).to_contain_text("Tried again in")
    await expect(page.locator('.side [data-part="badge-backends"]')).to_have_text("1 down")
    assert await page.evaluate("window.isTheSame")
    assert ask(node, "acme/near") == 200
    await expect(page.locator(".chart canvas")).to_be_visible()


async def test_a_row_opens_keeps_the_focus_and_is_in_the_address(
    page: Page, laptop: RunningNode
) -> None:
    await page.goto(f"{laptop.url}/backends")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    link = page.get_by_role("link", name="near", exact=True)
    await expect(link).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("tr.detail")).to_contain_text("acme/near")
    await expect(link).to_be_focused()
    await expect(link).to_have_attribute("aria-expanded", "true")
    assert page.url.endswith("/backends?open=near")
    await axe.check(page)
    await page.get_by_role("button", name="Check near now").click()
    await expect(page.locator(".toasts")).to_contain_text("Asked near just now")
    await link.press("Enter")
    await expect(page.locator("tr.detail")).to_have_count(0)


async def test_a_node_is_added_drained_and_removed(
    page: Page, forge: RunningNode, start_node: StartNode
) -> None:
    host = forge.url.partition("//")[2].partition(":")[0]
    secret = f'[[secrets]]\nname = "forge"\nvalue = "{SECRET}"\nhosts = ["{host}"]\n'
    node = start_node(toml=TWO + secret)
    await page.goto(f"{node.url}/backends")
    await page.keyboard.press("a")
    dialog = page.get_by_role("dialog", name="Add a backend")
    await expect(dialog.get_by_label("Name")).to_be_focused()
    await dialog.get_by_role("button", name="Add backend").click()
    await expect(dialog.locator("[aria-invalid=true]")).to_have_count(2)
    await axe.check(page)
    await page.set_viewport_size({"width": 1440, "height": 900})
    await dialog.get_by_label("Name").fill("near")
    await dialog.get_by_label("Address").fill(forge.url)
    await dialog.get_by_role("button", name="Add backend").click()
    await expect(dialog).to_contain_text("There is a backend called near already")
    await dialog.get_by_label("Name").fill("forge")
    await dialog.get_by_role("button", name="Add backend").click()
    await expect(dialog.locator("pre")).to_contain_text('name = "forge"')
    await dialog.get_by_role("button", name="Close").last.click()
    row = page.get_by_role("link", name="forge", exact=True)
    await row.click()
    await page.get_by_role("button", name="Drain it").click()
    await expect(page.locator(".backends")).to_contain_text("Draining")
    remove = page.locator("[data-remove]")
    await remove.click()
    await expect(remove).to_contain_text("Remove forge? Press again")
    await remove.click()
    await expect(row).to_have_count(0)


async def test_a_command_is_never_added_from_here(page: Page, laptop: RunningNode) -> None:
    await page.goto(f"{laptop.url}/backends")
    await page.get_by_role("button", name="Add backend").click()
    dialog = page.get_by_role("dialog", name="Add a backend")
    await dialog.get_by_role("button", name="Command").click()
    await expect(dialog.locator("pre")).to_contain_text('kind = "cli_tool"')
    await expect(dialog.get_by_role("button", name="Add backend")).to_have_count(0)


async def test_the_decision_follows_the_fields(page: Page, laptop: RunningNode) -> None:
    await page.goto(f"{laptop.url}/explain?task={SENTIMENT}")
    verdict = page.locator("[data-verdict]")
    await page.get_by_label("Model").fill("acme/near")
    await expect(verdict).to_have_text("near would answer")
    await expect(page.get_by_label("Model")).to_be_focused()
    await page.get_by_label("Model").fill("acme/far")
    await expect(verdict).to_have_text("remote-1 would answer")
    await page.get_by_text("Here", exact=True).click()
    await expect(verdict).to_contain_text("Nowhere, because")
    assert "within=local" in page.url
    await page.get_by_role("tab", name="HTTP").click()
    await expect(page.get_by_role("tabpanel")).to_contain_text('"tier": "local"')


async def test_why_here_tells_of_that_very_request(
    open_page: OpenPage, laptop: RunningNode
) -> None:
    page = await open_page()
    dialog = await open_form(page, laptop, SENTIMENT, MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    async with page.context.expect_page() as opening:
        await answer.get_by_role("link", name="Why here?").click()
    why = await opening.value
    await expect(why.get_by_role("heading", name="What happened")).to_be_visible()
    await expect(why.locator(".ran")).to_contain_text("answered")
    await expect(why.locator("[data-verdict]")).to_have_text("laptop would answer")
    await expect(why.get_by_label("Model")).to_have_value(MINILM)
    assert quote(MINILM, safe="") in why.url
