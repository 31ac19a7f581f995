"""Files that people choose: shown before they are sent, and refused in words."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode
from tests.pages.pictures import NO_PNG, PNG
from tests.pages.steps import open_form, run

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

TASK = "image-classification"


async def test_a_picture_is_shown_named_and_replaced(page: Page, laptop: RunningNode) -> None:
    dialog = await open_form(page, laptop, TASK, "acme/near")
    await dialog.locator("input[type=file]").set_input_files(PNG)
    await expect(dialog).to_contain_text("street.png")
    picture = dialog.locator(".run-ask img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("(each) => each.decode().then(() => each.naturalWidth)") == 64
    answer = await run(dialog)
    await expect(answer.locator(".rcpt")).to_contain_text("Seen by nobody else")


async def test_a_png_that_is_none_is_said_to_be_none(page: Page, laptop: RunningNode) -> None:
    dialog = await open_form(page, laptop, TASK, "acme/near")
    await dialog.locator("input[type=file]").set_input_files(NO_PNG)
    await expect(dialog.get_by_role("form")).to_contain_text(
        "The name says PNG, but its content is"
    )
    await expect(dialog.locator(".run-ask img:visible")).to_have_count(0)


async def test_two_hundred_megabytes_are_refused_before_they_are_sent(
    page: Page, laptop: RunningNode, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as made:
        made.truncate(200 << 20)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    dialog = await open_form(page, laptop, TASK, "acme/near")
    await dialog.locator("input[type=file]").set_input_files(large)
    wrong = dialog.locator(".run-ask .err")
    await expect(wrong).to_contain_text("MB")
    await run(dialog)
    await expect(wrong).to_be_visible()
    assert "POST" not in sent
