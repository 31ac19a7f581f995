"""What people do on the pages, step by step."""

from urllib.parse import urlencode

import httpx2
from playwright.async_api import Locator, Page, expect

from tests.node.nodes import RunningNode

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SENTIMENT = "text-classification"
WORDS = "The delivery was late but the food was wonderful."
_ATTEMPTS = 3000
_WIDE = """() => {
  const MAY = ".rail, pre, .seg, .scroll-x, .code-h, .tabs, [role=tablist], textarea, input";
  const page = document.scrollingElement;
  const scrolls = (each) => /auto|scroll/.test(getComputedStyle(each).overflowX);
  return [page, ...document.querySelectorAll("main, main *, dialog, dialog *")]
    .filter((each) => each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1)
    .filter((each) => each === page || (scrolls(each) && !each.matches(MAY)))
    .map((each) => `${each.tagName}.${each.className} ${each.scrollWidth} > ${each.clientWidth}`);
}"""


async def list_models(page: Page, node: RunningNode, task: str = SENTIMENT) -> None:
    """Show a task's models."""
    await page.goto(f"{node.url}/?{urlencode({'task': task})}")


async def open_run(page: Page, model: str) -> Locator:
    """Press "Run" in a model's row; return the dialog once its form is there."""
    await page.get_by_role("link", name=f"Run {model}", exact=True).click()
    return await dialog_of(page)


async def open_form(page: Page, node: RunningNode, task: str, model: str) -> Locator:
    """Open a model's form by its address; return the dialog once its form is there."""
    await page.goto(f"{node.url}/?{urlencode({'task': task, 'run': model})}")
    return await dialog_of(page)


async def dialog_of(page: Page) -> Locator:
    """Return the Run dialog once its form is there."""
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("form", name="Input")).to_be_visible()
    return dialog


async def run(dialog: Locator) -> Locator:
    """Press "Run inference"; return where the answer appears."""
    await dialog.get_by_role("button", name="Run inference", exact=True).click()
    return dialog.get_by_role("region", name="Answer")


async def nothing_sideways(page: Page) -> None:
    """Fail where the page, or a dialog on it, is wider than the window."""
    wide = await page.evaluate(_WIDE)
    assert not wide, (page.url, wide)


def in_flight(node: RunningNode) -> int:
    """Return how many requests the node's backends are at."""
    headers = {"Authorization": f"Bearer {node.token}"}
    status = httpx2.get(f"{node.url}/status", headers=headers, timeout=10).json()
    return sum(backend["metrics"]["in_flight"] for backend in status["backends"])


def wait_until_in_flight(node: RunningNode, count: int) -> None:
    """Ask the node until it is at `count` requests."""
    assert any(in_flight(node) == count for _ in range(_ATTEMPTS)), in_flight(node)


def wait_until_known(node: RunningNode, remote: str = "remote-1") -> None:
    """Ask the node until it knows what its remote offers: it asks when it starts."""
    listing = f"{node.url}/models?task={SENTIMENT}&include_remote=true"
    told = (httpx2.get(listing, timeout=10).text for _ in range(_ATTEMPTS))
    assert any(f'"{remote}"' in text for text in told), remote
