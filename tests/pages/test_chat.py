"""Talk to a model: words as they come, where from, and what stays."""

import re
from urllib.parse import quote

import pytest
from playwright.async_api import Locator, Page, expect

from tests.node.nodes import RunningNode
from tests.pages.steps import wait_until_in_flight

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

DOCS = "inferd-docs"
LONG = " ".join(f"word{number}" for number in range(1500))


async def open_chat(page: Page, node: RunningNode, model: str) -> Locator:
    await page.goto(f"{node.url}/chat?model={quote(model)}")
    field = page.get_by_role("textbox", name="Message")
    await expect(field).to_be_visible()
    return field


async def test_the_docs_answer_with_markdown_drawn(page: Page, node: RunningNode) -> None:
    field = await open_chat(page, node, DOCS)
    await field.fill("How do I add a backend?")
    async with page.expect_response(f"{node.url}/v1/chat/completions") as asked:
        await field.press("Enter")
    assert (await asked.value).headers["content-type"].startswith("text/event-stream")
    answer = page.locator("article.msg")
    await expect(answer.locator(".rcpt")).to_contain_text("Seen by nobody else")
    await expect(answer.locator("code, strong, li, pre").first).to_be_visible()
    await expect(answer).not_to_have_attribute("aria-busy", "true")
    await expect(page.locator(".me")).to_have_text("How do I add a backend?")
    await expect(field).to_have_value("")

    await page.reload()
    await expect(page.locator(".me")).to_have_text("How do I add a backend?")
    await expect(page.locator("article.msg .rcpt")).to_be_visible()


async def test_it_streams_and_stop_keeps_the_words(
    page: Page, laptop: RunningNode, forge: RunningNode
) -> None:
    field = await open_chat(page, laptop, "acme/writer")
    await field.fill(LONG)
    await field.press("Enter")
    answer = page.locator("article.msg")
    await expect(answer).to_contain_text("word3 ")
    await expect(answer).to_have_attribute("aria-busy", "true")
    wait_until_in_flight(forge, 1)
    await page.get_by_role("button", name="Stop answering").click()
    await expect(answer).to_contain_text("You stopped it here.")
    await expect(answer).to_contain_text("word3 ")
    await expect(answer).not_to_contain_text("word1499")
    await expect(answer.locator(".rcpt")).to_contain_text("Seen by remote-1")
    for each in (forge, laptop):
        wait_until_in_flight(each, 0)
    await page.reload()
    await expect(page.locator("article.msg")).to_contain_text("word3 ")


async def test_escape_stops_too(page: Page, laptop: RunningNode) -> None:
    field = await open_chat(page, laptop, "acme/writer")
    await field.fill(LONG)
    await field.press("Enter")
    await expect(page.locator("article.msg")).to_contain_text("word1 ")
    await page.keyboard.press("Escape")
    await expect(page.locator("article.msg")).to_contain_text("You stopped it here.")


async def test_the_place_is_chosen_and_asked(
    page: Page, laptop: RunningNode, forge: RunningNode
) -> None:
    field = await open_chat(page, laptop, DOCS)
    await field.press("@")
    picker = page.get_by_role("dialog", name="Where to run")
    places = picker.get_by_role("option")
    await expect(places.first).to_contain_text("Best allowed")
    await places.filter(has_text="remote-1").click()
    await expect(picker).to_be_hidden()
    await expect(page.get_by_role("button", name=re.compile("^Where to run"))).to_contain_text(
        "remote-1"
    )
    await field.fill("What is a strategy?")
    async with page.expect_response(f"{laptop.url}/v1/chat/completions") as asked:
        await field.press("Enter")
    assert (await asked.value).headers["x-inference-node"] == forge.id
    await expect(page.locator("article.msg .rcpt")).to_contain_text("Seen by remote-1")


async def test_what_lies_beyond_the_limit_is_locked(page: Page, laptop: RunningNode) -> None:
    field = await open_chat(page, laptop, DOCS)
    await field.press("@")
    picker = page.get_by_role("dialog", name="Where to run")
    await picker.get_by_role("button", name="Here", exact=True).click()
    far = picker.get_by_role("option").filter(has_text="remote-1")
    await expect(far).to_have_attribute("aria-disabled", "true")
    await expect(far).to_contain_text("locked")
    await page.keyboard.press("Escape")
    await expect(picker).to_be_hidden()
    await expect(field).to_be_focused()


async def test_a_failure_keeps_the_question_and_offers_another_try(
    page: Page, laptop: RunningNode
) -> None:
    field = await open_chat(page, laptop, DOCS)
    await page.route("**/v1/chat/completions", lambda route: route.abort())
    await field.fill("What is a strategy?")
    await field.press("Enter")
    answer = page.locator("article.msg")
    await expect(answer.get_by_role("alert")).to_contain_text("isn’t answering")
    await expect(page.locator(".me")).to_have_text("What is a strategy?")
    await page.unroute("**/v1/chat/completions")
    await answer.get_by_role("button", name="Try again").click()
    await expect(page.locator("article.msg .rcpt")).to_be_visible()


async def test_words_of_a_model_are_only_read(page: Page, laptop: RunningNode) -> None:
    field = await open_chat(page, laptop, "acme/near")
    await field.fill("<img src=x onerror=window.harmed=1> [a](javascript:window.harmed=1) **b**")
    await field.press("Enter")
    answer = page.locator("article.msg")
    await expect(answer.locator("strong")).to_have_text("b")
    await expect(answer).to_contain_text("<img src=x")
    assert await page.evaluate("window.harmed") is None
    # The receipt's own link aside.
    assert await answer.locator("img, a[href]:not([href^='/explain?'])").count() == 0


async def test_a_question_asked_on_welcome_is_sent_but_an_address_alone_asks_nothing(
    page: Page, node: RunningNode
) -> None:
    await page.goto(f"{node.url}/chat?q=What+is+a+tier%3F")
    await expect(page.locator(".composer textarea")).to_have_value("What is a tier?")
    await expect(page.locator(".msg")).to_have_count(0)
    await page.goto(f"{node.url}/welcome")
    question = page.locator("[data-ask] textarea")
    await question.fill("What is a tier?")
    await question.press("Enter")
    await expect(page.locator(".msg")).to_contain_text("How far words travel")


async def test_a_long_answer_is_read_from_its_beginning(page: Page, laptop: RunningNode) -> None:
    field = await open_chat(page, laptop, "acme/near")
    short = "word0 word1 word2"
    for count, text in enumerate((short, LONG), start=1):
        await field.fill(text)
        await field.press("Enter")
        await expect(page.locator("article.msg .after")).to_have_count(count)
    newest = page.get_by_role("button", name="Jump to newest")
    await expect(newest).to_be_visible()
    last = page.locator("article.msg").last
    log = await page.get_by_role("region", name="Messages").bounding_box()
    beginning = await last.bounding_box()
    assert log is not None
    assert beginning is not None
    assert beginning["height"] > log["height"]
    assert log["y"] <= beginning["y"] <= log["y"] + 40
    await newest.click()
    await expect(last.locator(".rcpt")).to_be_in_viewport()
    await expect(newest).to_be_hidden()


async def test_cookies_of_another_program_are_told_of(page: Page, node: RunningNode) -> None:
    field = await open_chat(page, node, DOCS)
    refusal = {"error": {"message": "missing credentials", "hint": "sign in"}}
    await page.route(
        "**/v1/chat/completions", lambda route: route.fulfill(status=401, json=refusal)
    )
    await field.fill("What is a tier?")
    await field.press("Enter")
    trouble = page.locator("article.msg").get_by_role("alert")
    await expect(trouble).to_contain_text("This browser holds cookies of another program")
    await expect(trouble).to_contain_text("Clear the cookies of 127.0.0.1")
    await expect(trouble.get_by_role("link", name="Sign in")).to_have_count(0)
    await trouble.get_by_role("button", name="Reload").click()
    await expect(page.locator(".me")).to_have_text("What is a tier?")
