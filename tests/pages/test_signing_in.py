"""Who may look: the form, a wrong password, the way back, signing out; and a node's first page."""

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode
from tests.pages.conftest import OpenPage, StartNode
from tests.pages.steps import MINILM, SENTIMENT, WORDS, dialog_of, run

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

LOGIN = {"INFERENCE_LOGIN_USER": "mira", "INFERENCE_LOGIN_PASSWORD": "correct horse"}


async def sign_in(page: Page, password: str) -> None:
    await page.get_by_label("Name").fill("mira")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def test_in_by_password_back_to_where_one_was_and_out(
    page: Page, start_node: StartNode
) -> None:
    node = start_node(environment=LOGIN)
    wanted = f"{node.url}/?task={SENTIMENT}&run={MINILM}"
    await page.goto(wanted)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Sign in")
    assert "/login?next=" in page.url

    await sign_in(page, "wrong donkey")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("Name")).to_have_value("mira")
    await expect(page.get_by_label("Password")).to_have_value("")
    await expect(page.get_by_label("Password")).to_be_focused()
    assert "wrong donkey" not in await page.content()

    await sign_in(page, "correct horse")
    await page.wait_for_url(lambda url: "/login" not in url)
    dialog = await dialog_of(page)
    await expect(dialog).to_have_accessible_name(MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    await expect(answer.locator(".rcpt")).to_be_visible()

    await page.keyboard.press("Escape")
    await expect(page.locator(".side")).to_contain_text("mira")
    await page.locator(".side").get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/login")
    await page.goto(node.url)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Sign in")


async def test_nobody_is_sent_to_another_site(page: Page, start_node: StartNode) -> None:
    node = start_node(environment=LOGIN)
    for target in (
        "https://far.example/",
        "//far.example/",
        "/\\far.example",
        "javascript:alert(1)",
    ):
        await page.goto(f"{node.url}/login?next={target}")
        await sign_in(page, "correct horse")
        await page.wait_for_url(lambda url: "/login" not in url)
        assert page.url.startswith(f"{node.url}/"), target
        await page.context.clear_cookies()


async def test_a_session_that_ends_sends_to_the_form(page: Page, start_node: StartNode) -> None:
    node = start_node(environment=LOGIN)
    await page.goto(f"{node.url}/usage")
    await sign_in(page, "correct horse")
    await page.wait_for_url(f"{node.url}/usage")
    await page.context.clear_cookies()
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Sign in")


async def test_a_new_node_says_what_works_and_what_could(
    open_page: OpenPage, node: RunningNode
) -> None:
    page = await open_page()
    await page.goto(node.url)
    await page.get_by_role("link", name="See how").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("inferd is running on")
    works = page.get_by_role("region", name="What works now")
    await expect(works.get_by_role("link", name="Sentiment analysis")).to_be_visible()
    await expect(page.get_by_role("region", name="To run bigger models")).to_contain_text(
        "REMOTE_INFERENCE_ENABLED=true"
    )
    await page.get_by_label("Ask inferd-docs").fill("How do I add a backend?")
    await page.get_by_role("button", name="Ask", exact=True).click()
    # It is sent at once: whoever asked on that page meant it.
    await expect(page.locator(".me")).to_contain_text("How do I add a backend?")
    await expect(page.locator("article.msg .rcpt")).to_contain_text("Seen by nobody else")


async def test_the_banner_of_a_new_node_stays_away_once_sent_away(
    page: Page, node: RunningNode
) -> None:
    await page.goto(node.url)
    await page.get_by_role("button", name="Hide this").click()
    await expect(page.locator("#banner")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_role("heading", name="Models")).to_be_visible()
    await expect(page.locator("#banner")).to_have_count(0)
