"""No mouse: everything is reached, done and left by keys."""

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode
from tests.pages.steps import MINILM, WORDS, dialog_of, list_models

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

FOCUSED = """() => {
  const at = document.activeElement;
  const box = at.getBoundingClientRect();
  const style = getComputedStyle(at);
  const holder = getComputedStyle(at.closest(".in-i, .composer, .tokens, label") ?? at);
  const ring = [style, holder].some((s) => s.outlineStyle !== "none" || s.boxShadow !== "none");
  return { name: at.getAttribute("aria-label") ?? at.textContent.trim().slice(0, 40) ?? at.id,
    tag: at.tagName, seen: box.width > 0 && box.height > 0, ring };
}"""


async def test_find_run_and_close(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    press = page.keyboard.press
    await press("/")
    await expect(page.get_by_role("searchbox", name="Filter models")).to_be_focused()
    await page.keyboard.type("minilm")
    await expect(page.locator("tbody tr[data-id]")).to_have_count(1)
    run = page.get_by_role("link", name=f"Run {MINILM}", exact=True)
    for _ in range(20):
        await press("Tab")
        if await run.evaluate("(each) => each === document.activeElement"):
            break
    await expect(run).to_be_focused()
    await press("Enter")
    dialog = await dialog_of(page)
    await expect(dialog.get_by_label("Text", exact=True)).to_be_focused()
    await page.keyboard.type(WORDS)
    await press("Control+Enter")
    await expect(dialog.locator(".rcpt")).to_be_visible()
    await press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(run).to_be_focused()


async def test_focus_stays_in_the_dialog_and_is_seen(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    await page.get_by_role("link", name=f"Run {MINILM}", exact=True).press("Enter")
    await dialog_of(page)
    inside = (
        "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
    )
    for _ in range(25):
        await page.keyboard.press("Tab")
        assert await page.evaluate(inside)


@pytest.mark.parametrize(
    "path", ["/", "/chat", "/compare", "/usage", "/backends", "/explain", "/welcome"]
)
async def test_every_stop_of_tab_is_seen_and_marked(
    page: Page, laptop: RunningNode, path: str
) -> None:
    await page.goto(f"{laptop.url}{path}")
    if path == "/chat":
        await expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    else:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    hidden: list[object] = []
    for _ in range(30):
        stop = await page.evaluate(FOCUSED)
        if stop["tag"] != "BODY" and not (stop["seen"] and stop["ring"]):
            hidden.append(stop)
        await page.keyboard.press("Tab")
    assert not hidden, hidden


async def test_rows_by_j_and_k_and_r(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    rows = page.locator("tbody tr[data-id]")
    await expect(rows).not_to_have_count(0)
    await page.keyboard.press("j")
    await expect(rows.nth(0).locator("[data-open]")).to_be_focused()
    await page.keyboard.press("j")
    await expect(rows.nth(1).locator("[data-open]")).to_be_focused()
    await page.keyboard.press("k")
    await expect(rows.nth(0).locator("[data-open]")).to_be_focused()
    await page.keyboard.press("r")
    await dialog_of(page)


async def test_jumping(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    opener = page.locator(".side [data-jump]")
    await opener.focus()
    await page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search or jump to")
    await expect(box).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("compare")
    await expect(page.get_by_role("option").first).to_contain_text("Compare")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    # The page is seen before its scripts have run.
    await page.wait_for_load_state()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("minilm")
    await page.get_by_role("option").filter(has_text=MINILM).first.wait_for()
    await page.keyboard.press("Enter")
    await expect(await dialog_of(page)).to_have_accessible_name(MINILM)


async def test_letters_go_to_pages_but_not_while_typing(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    field = page.get_by_role("searchbox", name="Filter models")
    await field.focus()
    await page.keyboard.type("g c/?")
    await expect(field).to_have_value("g c/?")
    await page.locator("main").focus()
    for letter, path in (("c", "chat"), ("o", "compare"), ("u", "usage"), ("m", "")):
        await page.keyboard.press("g")
        await page.keyboard.press(letter)
        await page.wait_for_url(f"{laptop.url}/{path}")
        await page.locator("main").focus()


async def test_the_list_of_keys_and_switching_letters_off(page: Page, laptop: RunningNode) -> None:
    await list_models(page, laptop)
    await page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    await expect(keys).to_contain_text("Search or jump to")
    await expect(keys).to_contain_text("Run the model")
    await keys.get_by_role("checkbox", name="Single letters").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await page.keyboard.press("/")
    await expect(keys).to_be_hidden()
    await expect(page.get_by_role("searchbox", name="Filter models")).not_to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox", name="Search or jump to")).to_be_focused()


async def test_the_place_picker_by_arrows(page: Page, laptop: RunningNode) -> None:
    await page.goto(f"{laptop.url}/chat?model=inferd-docs")
    field = page.get_by_role("textbox", name="Message")
    await field.press("@")
    picker = page.get_by_role("dialog", name="Where to run")
    await expect(picker.get_by_role("listbox", name="Places")).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(picker).to_be_hidden()
    await expect(field).to_be_focused()
    await expect(page.get_by_role("button", name="Where to run: remote-1")).to_be_visible()
