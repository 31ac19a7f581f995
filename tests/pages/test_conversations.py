"""Conversations in a real browser: what is said of an answer, what survives, what keys do."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.node.nodes import RunningNode, run_node
from tests.pages.conftest import StartNode

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

PLACES = """
[[backends]]
name = "forge"
kind = "echo"
tier = "team"
models = ["acme/big"]

[[backends]]
name = "tower"
kind = "echo"
tier = "peer"
models = ["acme/big"]
options = { delay = 0.2 }

[[backends]]
name = "attic"
kind = "echo"
tier = "peer"
models = ["acme/other"]
options = { fail_with = "backend_unavailable" }
"""
LONG = "\n\n".join(f"line {number} of many words" for number in range(40))
CUT = (
    'data: {"choices":[{"index":0,"delta":{"content":"Half an answer"}}]}\n\n'
    'data: {"error":{"message":"forge ran out of GPU memory","hint":"ask for less"}}\n\n'
)


@pytest.fixture
def places(start_node: StartNode) -> RunningNode:
    return start_node("places", toml=PLACES)


async def open_chat(page: Page, node: RunningNode, query: str = "?model=acme/big") -> None:
    await page.goto(f"{node.url}/chat{query}")
    await expect(page.locator(".host-pick")).to_be_visible()


async def ask(page: Page, text: str) -> None:
    await page.fill("#m", text)
    await page.keyboard.press("Enter")


async def choose_place(page: Page, name: str) -> None:
    await page.click(".host-pick")
    await page.locator(".host[class*=w-]", has_text=name).click()


def answers(page: Page) -> Locator:
    return page.locator(".msg")


async def test_an_answer_says_where_it_ran_and_who_saw_it(page: Page, places: RunningNode) -> None:
    await open_chat(page, places)
    await choose_place(page, "forge")
    await ask(page, "Some **bold** words")
    receipt = answers(page).locator(".rcpt")
    await expect(receipt).to_contain_text("Seen by forge")
    await expect(receipt).to_contain_text("3 tokens")
    await expect(answers(page).locator("strong")).to_have_text("bold")
    await expect(page.locator("[data-said]")).to_have_text("Some bold words")
    assert await page.locator("[role=log]").count() == 0


async def test_stop_keeps_the_words_and_a_reload_keeps_the_conversation(
    page: Page, places: RunningNode
) -> None:
    await open_chat(page, places)
    await choose_place(page, "tower")
    await ask(page, LONG)
    await expect(answers(page).locator(".md")).to_contain_text("line 1")
    assert await answers(page).get_attribute("aria-busy") == "true"
    await page.keyboard.press("Escape")
    await expect(page.locator(".handoff")).to_have_text("You stopped it here.")
    kept = await answers(page).locator(".md").inner_text()
    assert kept.startswith("line 0")
    await page.reload()
    await expect(answers(page).locator(".md")).to_contain_text("line 0")
    assert await answers(page).locator(".md").inner_text() == kept
    await expect(answers(page)).not_to_have_attribute("aria-busy", "true")


async def test_a_node_that_dies_amid_an_answer_leaves_the_words_and_a_way_on(
    page: Page, places: RunningNode
) -> None:
    port = int(places.url.rpartition(":")[2])
    await open_chat(page, places)
    await choose_place(page, "tower")
    await ask(page, LONG)
    await expect(answers(page).locator(".md")).to_contain_text("line 1")
    places.kill()
    note = page.locator(".note.bad")
    await expect(note).to_contain_text("Stopped here: The node went away")
    await expect(answers(page).locator(".md")).to_contain_text("line 1")
    with run_node(places.home, toml=PLACES, port=port):
        await expect(page.locator("[data-offline]")).to_be_hidden()
        await note.get_by_role("button", name="Try again").click()
        await expect(page.locator(".sides .msg").nth(1).locator(".md")).to_contain_text("line 1")
        await page.keyboard.press("Escape")


async def test_an_error_amid_an_answer_keeps_what_had_come(page: Page, places: RunningNode) -> None:
    await page.route(
        "**/v1/chat/completions",
        lambda route: route.fulfill(
            status=200, headers={"Content-Type": "text/event-stream"}, body=CUT
        ),
    )
    await open_chat(page, places)
    await ask(page, "hello")
    note = page.locator(".note.bad")
    await expect(note).to_contain_text("Stopped here: forge ran out of GPU memory")
    await expect(note).to_contain_text("Ask for less.")
    await expect(answers(page).locator(".md")).to_have_text("Half an answer")


async def test_elsewhere_answers_side_by_side(page: Page, places: RunningNode) -> None:
    await open_chat(page, places)
    await choose_place(page, "tower")
    await ask(page, "hello there")
    await answers(page).get_by_role("button", name="Try elsewhere").click()
    await page.locator(".else").get_by_role("button", name="forge").click()
    await expect(page.locator(".sides .rcpt")).to_have_count(2)
    await expect(page.locator(".sides .rcpt").last).to_contain_text("Seen by forge")


async def test_the_keyboard_does_it_all(page: Page, places: RunningNode) -> None:
    await open_chat(page, places, "?q=from+the+address&model=acme/big")
    assert await page.input_value("#m") == "from the address"
    assert await page.locator(".turn").count() == 0
    await page.fill("#m", "")
    await page.keyboard.press("/")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("other")
    await page.keyboard.press("Enter")
    await expect(page.locator(".pick").first).to_contain_text("other")
    await page.keyboard.press("@")
    await expect(page.get_by_role("listbox", name="Places")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#m")).to_be_focused()
    await page.keyboard.type("first line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second")
    await page.keyboard.press("Enter")
    await expect(page.locator(".me")).to_contain_text("second")
    await expect(page.locator(".note.bad")).to_contain_text("Your question is still here.")
    await page.keyboard.press("ArrowUp")
    assert await page.input_value("#m") == "first line\nsecond"
    await page.keyboard.press("Escape")
    await page.locator(".chat-s").focus()
    await page.keyboard.press("n")
    await expect(page.locator(".turn")).to_have_count(0)


async def test_a_conversation_is_renamed_and_deleted(page: Page, places: RunningNode) -> None:
    await open_chat(page, places)
    await choose_place(page, "forge")
    await ask(page, "hello")
    item = page.locator(".conv")
    await item.hover()
    await item.get_by_role("button", name="Rename").click()
    await expect(page.locator(".ren")).to_be_focused()
    await page.keyboard.type("Greetings")
    await page.keyboard.press("Enter")
    await expect(item.locator("a")).to_have_text("Greetings")
    await item.hover()
    await item.get_by_role("button", name="Delete").click()
    await page.locator(".del").get_by_role("button", name="Delete").click()
    await expect(item).to_have_count(0)
    assert await page.evaluate("JSON.stringify(localStorage).includes('hello')") is False
