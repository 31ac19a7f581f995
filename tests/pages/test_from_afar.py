"""The page from another machine, over plain HTTP: browsers keep some functions back there."""

import pytest
from playwright.async_api import Page, expect

from tests.pages.conftest import ELSEWHERE, StartNode

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

LOGIN = {"INFERENCE_LOGIN_USER": "mira", "INFERENCE_LOGIN_PASSWORD": "correct horse"}


async def test_it_chats_where_the_browser_trusts_nothing(page: Page, start_node: StartNode) -> None:
    node = start_node(environment=LOGIN, toml=f'[server]\nallowed_hosts = ["{ELSEWHERE}"]\n')
    port = node.url.rpartition(":")[2]
    await page.goto(f"http://{ELSEWHERE}:{port}/chat?model=inferd-docs")
    await page.get_by_label("Name").fill("mira")
    await page.get_by_label("Password").fill("correct horse")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    field = page.get_by_role("textbox", name="Message")
    await expect(field).to_be_visible()
    # Enter sends once the page's scripts have run.
    await page.wait_for_load_state()
    assert not await page.evaluate("isSecureContext")
    await field.fill("What is a tier?")
    await field.press("Enter")
    await expect(page.locator("article.msg .rcpt")).to_contain_text("Seen by nobody else")
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
