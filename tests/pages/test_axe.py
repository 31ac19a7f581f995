"""What axe-core says of every page and state. Nothing is to be said."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode
from tests.pages import axe
from tests.pages.conftest import OpenPage, StartNode
from tests.pages.pictures import PNG, SOUND
from tests.pages.steps import MINILM, SENTIMENT, WORDS, list_models, open_form, run

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]


class Nodes(NamedTuple):
    laptop: RunningNode
    alone: RunningNode


State = Callable[[Page, Nodes], Awaitable[None]]


def visit(path: str, *, alone: bool = False) -> State:
    async def go(page: Page, nodes: Nodes) -> None:
        await page.goto(f"{(nodes.alone if alone else nodes.laptop).url}{path}")
        await expect(page.locator("h1").first).to_be_attached()
        await expect(page.locator(".hub.wait, .bone")).to_have_count(0)

    return go


async def empty_filter(page: Page, nodes: Nodes) -> None:
    await list_models(page, nodes.laptop)
    await page.get_by_role("searchbox", name="Filter models").fill("nothing is called this")
    await expect(page.locator(".empty")).to_be_visible()


async def ticked(page: Page, nodes: Nodes) -> None:
    await list_models(page, nodes.laptop)
    await page.get_by_role("checkbox", name=f"Compare {MINILM}").check()
    await expect(page.locator(".compare-bar")).to_be_visible()


async def jump(page: Page, nodes: Nodes) -> None:
    await list_models(page, nodes.laptop)
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("option").first).to_be_visible()


async def keys(page: Page, nodes: Nodes) -> None:
    await list_models(page, nodes.laptop)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


async def form_with_errors(page: Page, nodes: Nodes) -> None:
    dialog = await open_form(page, nodes.laptop, SENTIMENT, MINILM)
    await dialog.get_by_text("Advanced options").click()
    await run(dialog)
    await expect(dialog.locator("[aria-invalid=true]").first).to_be_focused()


async def not_configured(page: Page, nodes: Nodes) -> None:
    dialog = await open_form(page, nodes.alone, SENTIMENT, MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    await dialog.get_by_role("checkbox", name="Use remote").check()
    answer = await run(dialog)
    await expect(answer.get_by_role("alert")).to_be_visible()


async def running(page: Page, nodes: Nodes) -> None:
    dialog = await open_form(page, nodes.laptop, SENTIMENT, "acme/stuck-here")
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    await expect(answer).to_contain_text("stuck is at it")


async def json_tree(page: Page, nodes: Nodes) -> None:
    await result(SENTIMENT)(page, nodes)
    await page.get_by_role("tab", name="JSON").first.click()


def result(task: str, model: str = MINILM, file: object = None) -> State:
    """Run a task's own example, and show what comes."""

    async def go(page: Page, nodes: Nodes) -> None:
        dialog = await open_form(page, nodes.laptop, task, model)
        example = dialog.get_by_role("button", name="Use the example")
        if file is not None:
            await dialog.locator("input[type=file]").first.set_input_files(file)  # pyright: ignore[reportArgumentType]
        if await example.count():
            await example.click()
        answer = await run(dialog)
        await expect(answer.locator(".rcpt")).to_be_visible()

    return go


async def compared(page: Page, nodes: Nodes) -> None:
    await page.goto(f"{nodes.laptop.url}/compare?task={SENTIMENT}&model={MINILM}&model=acme/near")
    await page.get_by_label("Text", exact=True).fill(WORDS)
    await page.get_by_role("button", name="Run 2 side by side").click()
    await expect(page.get_by_role("region", name="How fast each was")).to_be_visible()


async def answered(page: Page, nodes: Nodes) -> None:
    await page.goto(f"{nodes.laptop.url}/chat?model=inferd-docs")
    field = page.get_by_role("textbox", name="Message")
    await field.fill("How do I add a backend?")
    await field.press("Enter")
    await expect(page.locator("article.msg .rcpt .after")).to_be_visible()


async def chat_failed(page: Page, nodes: Nodes) -> None:
    await page.route("**/v1/chat/completions", lambda route: route.abort())
    await page.goto(f"{nodes.laptop.url}/chat?model=inferd-docs")
    field = page.get_by_role("textbox", name="Message")
    await field.fill("How do I add a backend?")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()


def picking(key: str, name: str) -> State:
    async def go(page: Page, nodes: Nodes) -> None:
        await page.goto(f"{nodes.laptop.url}/chat?model=inferd-docs")
        await page.get_by_role("textbox", name="Message").press(key)
        await expect(page.get_by_role("dialog", name=name)).to_be_visible()

    return go


async def tried(page: Page, nodes: Nodes) -> None:
    """The answer as the server draws it, without scripts."""
    await page.goto(f"{nodes.alone.url}/?task={SENTIMENT}&run={MINILM}")
    await page.evaluate(
        "(words) => { const form = document.querySelector('form[action^=\"/try\"]');"
        "form.querySelector('textarea').value = words; form.submit(); }",
        WORDS,
    )
    await expect(page.locator(".rcpt")).to_be_visible()


STATES: dict[str, State] = {
    "models": visit(f"/?task={SENTIMENT}"),
    "models, sorted": visit(f"/?task={SENTIMENT}&sort=name"),
    "models, new node": visit("/?task=summarization", alone=True),
    "models, empty filter": empty_filter,
    "models, ticked": ticked,
    "models, unknown task": visit("/?task=nonsense"),
    "jump": jump,
    "keys": keys,
    "run, errors in the form": form_with_errors,
    "run, not configured": not_configured,
    "run, running": running,
    "result, labels": result(SENTIMENT),
    "result, JSON": json_tree,
    "result, vectors": result("feature-extraction"),
    "result, answer": result("question-answering"),
    "result, scores": result("sentence-similarity"),
    "result, ranking": result("text-ranking"),
    "result, zero-shot": result("zero-shot-classification"),
    "result, table": result("table-question-answering", "acme/near"),
    "result, spans": result("token-classification", "acme/near"),
    "result, words": result("fill-mask", "acme/near"),
    "result, text": result("text-generation", "acme/near"),
    "result, conversation": result("chat", "inferd-docs"),
    "result, boxes": result("object-detection", "acme/near", PNG),
    "result, masks": result("image-segmentation", "acme/near", PNG),
    "result, picture": result("text-to-image", "acme/near"),
    "result, sound": result("text-to-speech", "acme/near"),
    "result, of a sound": result("automatic-speech-recognition", "acme/near", SOUND),
    "compare": visit(f"/compare?task={SENTIMENT}"),
    "compare, done": compared,
    "chat, none": visit("/chat", alone=True),
    "chat": visit("/chat"),
    "chat, answered": answered,
    "chat, failed": chat_failed,
    "chat, places": picking("@", "Where to run"),
    "chat, models": picking("/", "Model"),
    "usage": visit("/usage"),
    "backends": visit("/backends"),
    "explain": visit("/explain?task=text-classification"),
    "explain, nowhere": visit("/explain?task=chat&model=nobody-has-this"),
    "welcome": visit("/welcome", alone=True),
    "welcome, with a remote": visit("/welcome"),
    "more": visit("/more"),
    "without scripts": tried,
}


@pytest.mark.parametrize("state", STATES)
async def test_nothing_to_say(
    open_page: OpenPage, laptop: RunningNode, node: RunningNode, state: str
) -> None:
    page = await open_page(reduced_motion="reduce")
    await STATES[state](page, Nodes(laptop, node))
    await axe.check(page)


async def test_nothing_to_say_at_the_door(open_page: OpenPage, start_node: StartNode) -> None:
    node = start_node(
        environment={"INFERENCE_LOGIN_USER": "mira", "INFERENCE_LOGIN_PASSWORD": "correct horse"}
    )
    page = await open_page(reduced_motion="reduce")
    await page.goto(f"{node.url}/usage")
    await axe.check(page)
    await page.get_by_label("Name").fill("mira")
    await page.get_by_label("Password").fill("wrong donkey")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await axe.check(page)
    await page.get_by_label("Password").fill("correct horse")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="Nothing asked", exact=False)).to_be_visible()
    await axe.check(page)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("document.querySelector('main').append(document.createElement('button'))", "button-name"),
        ("document.querySelector('h1').style.color = '#888'", "color-contrast"),
    ],
)
async def test_what_is_wrong_would_be_said(
    page: Page, node: RunningNode, fault: str, rule: str
) -> None:
    await page.goto(f"{node.url}/more")
    await page.evaluate(fault)
    with pytest.raises(AssertionError, match=rule):
        await axe.check(page)
