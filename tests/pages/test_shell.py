"""Every page: it draws, it follows the theme, it comes back when the node does."""

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode, run_node
from tests.pages.conftest import StartNode

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]


async def test_the_theme_is_kept(page: Page, node: RunningNode) -> None:
    await page.emulate_media(color_scheme="dark")
    await page.goto(node.url)
    await page.locator(".side [data-theme-toggle]").click()
    assert await page.locator("html").get_attribute("data-theme") == "light"
    await page.reload()
    assert await page.locator("html").get_attribute("data-theme") == "light"


async def test_the_page_says_that_the_node_is_away_and_comes_back(
    page: Page, start_node: StartNode
) -> None:
    node = start_node("node")
    port = int(node.url.rpartition(":")[2])
    await page.goto(node.url)
    await expect(page.locator("[data-offline]")).to_be_hidden()
    node.kill()
    await expect(page.locator("[data-offline]")).to_contain_text("Reconnecting")
    with run_node(node.home, port=port):
        await expect(page.locator("[data-offline]")).to_be_hidden()
