"""A real browser in front of real nodes."""

import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.node.nodes import RunningNode, run_node
from tests.pages.steps import wait_until_known

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ELSEWHERE = "node.test"
"""A name that the browser takes to this machine, but doesn't trust as it trusts loopback."""
LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SECRET = "s3cret-of-the-team"
REMOTE_TEAM = """
[server]
name = "forge"
[[backends]]
name = "pretend"
kind = "echo"
models = ["acme/far"]
[[backends]]
name = "writer"
kind = "echo"
models = ["acme/writer"]
options = { delay = 0.05 }
[[backends]]
name = "stuck"
kind = "echo"
models = ["acme/stuck-far"]
options = { delay = 900.0 }
"""
OWN = """
[server]
name = "laptop"
[[backends]]
name = "near"
kind = "echo"
models = ["acme/near"]
[[backends]]
name = "stuck"
kind = "echo"
models = ["acme/stuck-here"]
options = { delay = 900.0 }
"""

# A model loads on first use, and other tests want the same cores.
expect.set_options(timeout=20_000)

StartNode = Callable[..., RunningNode]
OpenPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """Debian's chromium: Playwright's own isn't fetched."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no chromium here: apt install chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=found,
            args=[
                "--no-sandbox",
                "--disable-quic",
                f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
            ],
        )
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncGenerator[OpenPage]:
    """Open windows of a laptop's size, each in a profile of its own.

    What goes wrong in their scripts fails the test, and so does what is against their policy but
    for what is `expected`.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def refused(said: str, expected: str) -> None:
        if "Content Security" in said and expected not in said:
            problems.append(said)

    async def open_one(*, expected: str = "nothing", **options: object) -> Page:
        given: dict[str, object] = {"viewport": LAPTOP, **options}
        context = await browser.new_context(**given)  # pyright: ignore[reportArgumentType]
        contexts.append(context)
        context.set_default_timeout(10_000)
        opened = await context.new_page()
        opened.on("pageerror", lambda error: problems.append(f"{opened.url}: {error}"))
        opened.on("console", lambda said: refused(said.text, expected))
        return opened

    yield open_one
    for context in contexts:
        await context.close()
    assert not problems, problems


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> Page:
    """One such window."""
    return await open_page()


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


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    """One node, as `make run` starts it; every test that changes nothing of it looks at it."""
    with run_node(tmp_path_factory.mktemp("alone")) as running:
        yield running


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    """The team's node: a shared secret, backends that the laptop lacks."""
    environment = {"INFERENCE_SHARED_SECRET": SECRET}
    with run_node(tmp_path_factory.mktemp("forge"), environment, toml=REMOTE_TEAM) as running:
        yield running


@pytest.fixture(scope="session")
def laptop(forge: RunningNode, tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    """A laptop that may forward to it."""
    environment = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": f"{forge.url}/inference",
        "REMOTE_INFERENCE_TOKEN": SECRET,
    }
    with run_node(tmp_path_factory.mktemp("laptop"), environment, toml=OWN) as running:
        wait_until_known(running)
        yield running
