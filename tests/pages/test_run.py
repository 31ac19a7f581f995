"""Find a model, run it, see the answer and where it ran."""

import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.node.nodes import RunningNode
from tests.pages.conftest import OpenPage, StartNode
from tests.pages.steps import (
    MINILM,
    SENTIMENT,
    WORDS,
    list_models,
    open_form,
    open_run,
    run,
    wait_until_in_flight,
    wait_until_known,
)

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

REMOTE = "Use remote inference service"


async def test_find_a_model_and_run_it(page: Page, laptop: RunningNode) -> None:
    await page.goto(laptop.url)
    tasks = page.get_by_role("navigation", name="Tasks")
    await tasks.get_by_role("link", name="Sentiment analysis").click()
    rows = page.locator("tbody tr[data-id]")
    await expect(rows.filter(has_text="acme/far")).to_contain_text("On remote-1")
    await page.get_by_role("searchbox", name="Filter models").fill("minilm")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Runs here")
    await expect(page).to_have_url(f"{laptop.url}/?task={SENTIMENT}&q=minilm")

    dialog = await open_run(page, MINILM)
    await expect(dialog.get_by_label("Text", exact=True)).to_be_focused()
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    best = answer.get_by_role("table").locator("tbody tr").first
    await expect(best).to_contain_text("positive")
    await expect(best.get_by_role("img")).to_have_accessible_name(re.compile(r"^\d+ percent$"))
    receipt = answer.locator(".rcpt")
    await expect(receipt).to_contain_text("laptop")
    await expect(receipt).to_contain_text("Seen by nobody else")
    await expect(receipt).not_to_contain_text("remote-1")
    await expect(dialog.get_by_role("button", name="Run again")).to_be_enabled()

    await answer.get_by_role("tab", name="JSON").first.click()
    await expect(answer.get_by_role("tabpanel").first).to_contain_text("result: 3 items")


async def test_ticked_it_runs_on_the_other_node(
    page: Page, laptop: RunningNode, forge: RunningNode
) -> None:
    await list_models(page, laptop)
    dialog = await open_run(page, MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    remote = dialog.get_by_role("checkbox", name=REMOTE)
    await expect(remote).not_to_be_checked()
    await remote.check()
    await expect(remote).to_have_accessible_description("Goes to remote-1.")
    async with page.expect_response(lambda each: each.request.method == "POST") as asked:
        answer = await run(dialog)
    headers = (await asked.value).headers
    assert headers["x-inference-source"] == "remote"
    assert headers["x-inference-node"] == forge.id
    await expect(dialog.locator(".modal-h .where")).to_have_text("On remote-1")
    await expect(answer.get_by_role("table").locator("tbody tr").first).to_contain_text("positive")
    await expect(answer.locator(".rcpt")).to_contain_text("Seen by remote-1")


async def test_until_the_box_is_touched_it_is_not_sent(page: Page, laptop: RunningNode) -> None:
    dialog = await open_form(page, laptop, SENTIMENT, MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    async with page.expect_request(lambda each: each.method == "POST") as asked:
        await run(dialog)
    assert "use_remote" not in ((await asked.value).post_data or "")
    remote = dialog.get_by_role("checkbox", name=REMOTE)
    await expect(remote).to_be_enabled()
    await remote.check()
    await remote.uncheck()
    async with page.expect_request(lambda each: each.method == "POST") as asked:
        await dialog.get_by_role("button", name="Run again").click()
    assert '"use_remote":false' in ((await asked.value).post_data or "")


async def test_a_model_that_only_the_other_node_has_goes_there(
    page: Page, laptop: RunningNode
) -> None:
    await list_models(page, laptop)
    dialog = await open_run(page, "acme/far")
    await expect(dialog.get_by_role("checkbox", name=REMOTE)).to_be_checked()
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    answer = await run(dialog)
    await expect(answer.locator(".rcpt")).to_contain_text("Seen by remote-1")


async def test_remote_that_is_not_set_up_warns_before_and_after(
    page: Page, node: RunningNode
) -> None:
    dialog = await open_form(page, node, SENTIMENT, MINILM)
    field = dialog.get_by_label("Text", exact=True)
    await field.fill(WORDS)
    remote = dialog.get_by_role("checkbox", name=REMOTE)
    await expect(remote).to_have_accessible_description("Runs here. No other node is set up.")
    await remote.check()
    warning = dialog.locator(".note.warn")
    await expect(warning).to_contain_text("not configured")
    await expect(warning).to_contain_text("REMOTE_INFERENCE_ENABLED")
    async with page.expect_response(lambda each: each.request.method == "POST") as asked:
        answer = await run(dialog)
    refused = await asked.value
    assert refused.status == 400
    problem = answer.get_by_role("alert")
    await expect(problem).to_contain_text("not configured")
    await expect(problem).to_contain_text("REMOTE_INFERENCE_ENABLED")
    await expect(problem).to_contain_text((await refused.json())["request_id"])
    await expect(dialog).not_to_contain_text("leave out")
    await expect(field).to_have_value(WORDS)
    await problem.get_by_role("button", name="Let the node choose").click()
    await dialog.get_by_role("button", name="Run again").click()
    await expect(answer.locator(".rcpt")).to_contain_text("Seen by nobody else")


@pytest.mark.parametrize("model", ["acme/stuck-here", "acme/stuck-far"])
async def test_cancelling_frees_the_backend_here_and_there(
    page: Page, laptop: RunningNode, forge: RunningNode, model: str
) -> None:
    worker = forge if model.endswith("far") else laptop
    dialog = await open_form(page, laptop, SENTIMENT, model)
    field = dialog.get_by_label("Text", exact=True)
    await field.fill(WORDS)
    answer = await run(dialog)
    step = answer.get_by_role("list", name="Progress").locator("[aria-current=step]")
    await expect(step).to_contain_text("Run inference")
    await expect(field).to_be_disabled()
    wait_until_in_flight(worker, 1)
    await dialog.get_by_role("button", name="Cancel", exact=True).click()
    await expect(answer).to_contain_text("Stopped. Nothing is running any more.")
    for each in (worker, laptop):
        wait_until_in_flight(each, 0)
    await expect(field).to_have_value(WORDS)


async def test_closing_the_dialog_cancels_too_and_keeps_what_was_typed(
    page: Page, laptop: RunningNode
) -> None:
    await list_models(page, laptop)
    dialog = await open_run(page, "acme/stuck-here")
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    await run(dialog)
    wait_until_in_flight(laptop, 1)
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    wait_until_in_flight(laptop, 0)
    dialog = await open_run(page, MINILM)
    await expect(dialog.get_by_label("Text", exact=True)).to_have_value(WORDS)


async def test_what_is_missing_is_asked_for_before_anything_is_sent(
    page: Page, node: RunningNode
) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    dialog = await open_form(page, node, SENTIMENT, MINILM)
    await run(dialog)
    field = dialog.get_by_label("Text", exact=True)
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).not_to_have_accessible_description("")
    assert "POST" not in sent


async def test_the_snippets_are_the_form_s_and_the_address_opens_it_again(
    open_page: OpenPage, laptop: RunningNode
) -> None:
    page = await open_page(permissions=["clipboard-read", "clipboard-write"])
    dialog = await open_form(page, laptop, SENTIMENT, MINILM)
    await dialog.get_by_label("Text", exact=True).fill('It\'s "fine" $HOME')
    code = dialog.get_by_role("region", name="Call it from code")
    for language, mark in (("cURL", "curl '"), ("Python", "import "), ("JavaScript", "fetch(")):
        await code.get_by_role("tab", name=language).click()
        await expect(code.get_by_role("tabpanel")).to_contain_text(mark)
        await expect(code.get_by_role("tabpanel")).to_contain_text(f"{laptop.url}/inference")
    await code.get_by_role("button", name="Copy").click()
    await expect(code.get_by_role("button", name="Copied")).to_be_visible()
    assert "fetch(" in await page.evaluate("navigator.clipboard.readText()")
    await page.reload()
    await expect(page.get_by_role("dialog")).to_have_accessible_name(MINILM)
    await page.go_back()
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_after_the_example_the_keys_still_run_it(page: Page, node: RunningNode) -> None:
    dialog = await open_form(page, node, SENTIMENT, MINILM)
    await dialog.get_by_role("button", name="Use the example").click()
    await expect(dialog.get_by_label("Text", exact=True)).to_be_focused()
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("Control+Enter")
    await expect(dialog.locator(".rcpt")).to_contain_text("Seen by nobody else")


async def test_forward_opens_the_dialog_that_back_closed(page: Page, node: RunningNode) -> None:
    await list_models(page, node)
    dialog = await open_run(page, MINILM)
    await page.go_back()
    await expect(dialog).to_be_hidden()
    await page.go_forward()
    await expect(page.get_by_role("dialog")).to_have_accessible_name(MINILM)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page).not_to_have_url(re.compile("run="))


async def answer_with(page: Page, document: object) -> None:
    """Let every request be answered so, whatever it is."""

    async def answer(route: Route) -> None:
        if route.request.method == "POST":
            await route.fulfill(json=document, headers={"X-Inference-Source": "local"})
        else:
            await route.continue_()

    await page.route("**/inference", answer)


@pytest.mark.parametrize(
    ("task", "document", "shown"),
    [
        ("zero-shot-classification", {"labels": ["a", "b"], "scores": []}, "labels: 2 items"),
        ("table-question-answering", {"answer": "a", "coordinates": [None]}, "coordinates: 1 item"),
    ],
)
async def test_what_cannot_be_drawn_is_shown_as_it_came(
    page: Page, node: RunningNode, task: str, document: object, shown: str
) -> None:
    await answer_with(page, document)
    dialog = await open_form(page, node, task, MINILM)
    await dialog.get_by_role("button", name="Use the example").click()
    answer = await run(dialog)
    await expect(answer).to_contain_text("Shown as it came")
    await expect(answer.get_by_role("tabpanel").first).to_contain_text(shown)
    await expect(dialog.get_by_role("button", name="Run again")).to_be_enabled()


async def test_a_wide_table_scrolls_inside_the_answer(page: Page, node: RunningNode) -> None:
    row = "| command | what a long heading says | `inferd-run-something-that-cannot-be-broken` |"
    wide = f"> {row}\n> |---|---|---|\n> {row}"
    await answer_with(page, {"generated_text": wide})
    dialog = await open_form(page, node, "chat", "inferd-docs")
    turn = dialog.get_by_label("Turn 1", exact=True)
    await expect(turn).to_be_focused()
    await turn.fill("What is inferd?")
    answer = await run(dialog)
    table = answer.get_by_role("table").first
    await expect(table).to_be_visible()
    pane, inside = await answer.bounding_box(), await table.locator("..").bounding_box()
    assert pane
    assert inside
    assert inside["x"] + inside["width"] <= pane["x"] + pane["width"]
    head = table.get_by_role("columnheader", name="command", exact=True)
    box = await head.bounding_box()
    assert box
    assert box["width"] > 60


async def test_a_remote_that_has_gone_is_named(page: Page, start_node: StartNode) -> None:
    team = start_node("team", {"INFERENCE_SHARED_SECRET": "word"})
    mine = start_node(
        "mine",
        {
            "REMOTE_INFERENCE_ENABLED": "true",
            "REMOTE_INFERENCE_ENDPOINT": f"{team.url}/inference",
            "REMOTE_INFERENCE_TOKEN": "word",
        },
        toml='[server]\nname = "mine"\n',
    )
    wait_until_known(mine)
    dialog = await open_form(page, mine, SENTIMENT, MINILM)
    await dialog.get_by_label("Text", exact=True).fill(WORDS)
    await dialog.get_by_role("checkbox", name=REMOTE).check()
    await expect(dialog.locator(".modal-h .where")).to_have_text("On remote-1")
    team.kill()
    answer = await run(dialog)
    await expect(answer.locator(".note.warn")).to_contain_text(
        re.compile("it ran here$|it ran here")
    )
    await expect(answer.locator(".rcpt")).to_contain_text("mine")
    await expect(dialog.locator(".modal-h .where")).to_have_text("Runs here")
    await expect(dialog).not_to_contain_text("Goes to remote-1")
    mine.kill()
    await dialog.get_by_role("button", name="Run again").click()
    problem = answer.get_by_role("alert")
    await expect(problem).to_contain_text("isn’t answering")
    said = await problem.inner_text()
    assert said.count("still here") == 1
    assert ".." not in said
