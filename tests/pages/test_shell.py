"""Every page: it draws, it follows the theme, it comes back when the node does."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode, run_node
from tests.pages.conftest import StartNode
from tests.pages.steps import MINILM, WORDS, list_models, open_form, open_run, run

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

OFFLINE = "[data-offline]"


async def test_the_theme_is_kept(page: Page, node: RunningNode) -> None:
    await page.emulate_media(color_scheme="dark")
    await page.goto(node.url)
    await page.locator(".side [data-theme-toggle]").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")


async def test_the_page_outlives_its_node_and_runs_again(page: Page, start_node: StartNode) -> None:
    node = start_node()
    port = int(node.url.rpartition(":")[2])
    await list_models(page, node)
    dialog = await open_run(page, MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    await expect(answer.locator(".rcpt")).to_be_visible()
    await page.evaluate("window.isTheSame = true")

    node.kill()
    await expect(page.locator(OFFLINE)).to_contain_text("Reconnecting")
    await expect(page.locator(".side [data-live]")).to_have_class(re.compile("lost"))
    again = dialog.get_by_role("button", name="Run again")
    await again.click()
    await expect(answer.get_by_role("alert")).to_contain_text("isn’t answering")
    await expect(dialog.get_by_label("Text", exact=True)).to_have_value(WORDS)

    with run_node(node.home, port=port):
        await expect(page.locator(OFFLINE)).to_be_hidden()
        await again.click()
        await expect(answer.locator(".rcpt")).to_contain_text("Seen by nobody else")
        await expect(answer.get_by_role("table")).to_be_visible()
        assert await page.evaluate("window.isTheSame")


async def test_a_node_that_dies_mid_run_is_told_of(page: Page, start_node: StartNode) -> None:
    toml = '[[backends]]\nname = "stuck"\nkind = "echo"\noptions = { delay = 900.0 }\n'
    node = start_node(toml=toml)
    dialog = await open_form(page, node, "summarization", "echo")
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    await expect(answer).to_contain_text("stuck is at it")
    node.kill()
    await expect(answer.get_by_role("alert")).to_contain_text("isn’t answering")
    await expect(dialog.get_by_label("Text", exact=True)).to_have_value(WORDS)
    await expect(dialog.get_by_role("button", name="Run again")).to_be_enabled()
