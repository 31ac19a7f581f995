"""A real browser in front of real nodes."""

import shutil
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.node.nodes import RunningNode, run_node

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

StartNode = Callable[..., RunningNode]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """Debian's chromium: Playwright's own isn't fetched."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium here: apt install chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-quic"]
        )
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncGenerator[Page]:
    """A window of a laptop's size, in a profile of its own; what goes wrong in it fails the test."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    opened = await context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "console",
        lambda said: problems.append(said.text) if "Content Security" in said.text else None,
    )
    yield opened
    await context.close()
    assert not problems, problems


@pytest.fixture
def start_node(tmp_path: Path) -> Generator[StartNode]:
    """Start nodes that end with the test."""
    with ExitStack() as stack:

        def start(
            name: str = "node", environment: Mapping[str, str] | None = None, **options: object
        ) -> RunningNode:
            running: AbstractContextManager[RunningNode] = run_node(
                tmp_path / name,
                environment,
                **options,  # pyright: ignore[reportArgumentType]
            )
            return stack.enter_context(running)

        yield start


@pytest.fixture
def node(start_node: StartNode) -> RunningNode:
    """One node, as `make run` starts it."""
    return start_node()
