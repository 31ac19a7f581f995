"""With scripts off, the page is read, and a text task runs."""

import pytest
from playwright.async_api import expect

from tests.node.nodes import RunningNode
from tests.pages.conftest import OpenPage
from tests.pages.steps import MINILM, SENTIMENT, WORDS

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]


async def test_find_a_model_and_run_it(open_page: OpenPage, laptop: RunningNode) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(laptop.url)
    await page.get_by_role("link", name="Sentiment analysis").click()
    await page.get_by_role("searchbox", name="Filter models").fill("minilm")
    await page.get_by_role("button", name="Filter", exact=True).click()
    rows = page.locator("tbody tr[data-id]")
    await expect(rows).to_have_count(1)
    await page.get_by_role("link", name=f"Run {MINILM}", exact=True).click()
    form = page.get_by_role("region", name=MINILM)
    await form.get_by_label("Text", exact=True).fill(WORDS)
    await form.get_by_role("button", name="Run inference").click()
    await expect(form.get_by_role("table").locator("tbody tr").first).to_contain_text("positive")
    await expect(form.locator(".rcpt")).to_contain_text("Seen by nobody else")
    await expect(form.get_by_label("Text", exact=True)).to_have_value(WORDS)
    await form.get_by_role("checkbox", name="Use remote inference service").check()
    await form.get_by_role("button", name="Run again").click()
    await expect(form.locator(".rcpt")).to_contain_text("Seen by remote-1")


async def test_a_refusal_is_told_and_nothing_is_lost(
    open_page: OpenPage, node: RunningNode
) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{node.url}/?task={SENTIMENT}&run={MINILM}")
    form = page.get_by_role("region", name=MINILM)
    await form.get_by_label("Text", exact=True).fill(WORDS)
    await form.get_by_role("checkbox", name="Use remote inference service").check()
    await form.get_by_role("button", name="Run inference").click()
    await expect(form.get_by_role("alert")).to_contain_text("not configured")
    await expect(form.get_by_label("Text", exact=True)).to_have_value(WORDS)


async def test_every_page_reads(open_page: OpenPage, laptop: RunningNode) -> None:
    page = await open_page(java_script_enabled=False)
    headings = {"/": "Models", "/welcome": "inferd is running on laptop", "/chat": "Chat",
                "/compare": "Compare", "/usage": "Usage", "/backends": "Backends",
                "/explain": "Route explain", "/more": "More"}  # fmt: skip
    for path, heading in headings.items():
        await page.goto(f"{laptop.url}{path}")
        await expect(page.get_by_role("heading", name=heading, level=1)).to_have_count(1)
        assert await page.locator(".js:visible").count() == 0, path


async def test_a_question_is_answered(open_page: OpenPage, node: RunningNode) -> None:
    page = await open_page(java_script_enabled=False)
    await page.goto(f"{node.url}/welcome")
    await page.get_by_label("Ask inferd-docs").fill("How do I add a backend?")
    await page.get_by_role("button", name="Ask", exact=True).click()
    await expect(page.locator(".rcpt")).to_contain_text("Seen by nobody else")
    await expect(page.locator(".result")).to_contain_text("backend")
