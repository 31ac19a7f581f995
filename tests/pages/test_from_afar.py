"""The page from another machine, over plain HTTP: browsers keep some functions back there."""

import socket

import pytest
from playwright.async_api import Page, expect

from tests.pages.conftest import StartNode

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

LOGIN = {"INFERENCE_LOGIN_USER": "mira", "INFERENCE_LOGIN_PASSWORD": "correct horse"}
ELSEWHERE = ("192.0.2.1", 9)


@pytest.fixture
def address() -> str:
    """An address of this machine that isn't loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(ELSEWHERE)
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return line.getsockname()[0]


async def test_it_chats_where_the_browser_trusts_nothing(
    page: Page, start_node: StartNode, address: str
) -> None:
    node = start_node(environment=LOGIN, toml='[server]\nhost = "0.0.0.0"\n')
    port = node.url.rpartition(":")[2]
    await page.goto(f"http://{address}:{port}/chat?model=inferd-docs")
    await page.get_by_label("Name").fill("mira")
    await page.get_by_label("Password").fill("correct horse")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    field = page.get_by_role("textbox", name="Message")
    await expect(field).to_be_visible()
    assert not await page.evaluate("isSecureContext")
    await field.fill("What is a tier?")
    await field.press("Enter")
    await expect(page.locator("article.msg .rcpt")).to_contain_text("Seen by nobody else")
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
