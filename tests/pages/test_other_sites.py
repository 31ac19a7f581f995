"""Another site in the same browser: it can't drive the node, frame it, or read it."""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.node.nodes import RunningNode, run_node
from tests.pages.conftest import OpenPage
from tests.pages.steps import MINILM, SENTIMENT, open_form

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

SPEC = '{"task":"text-classification","model_id":"","payload":{"prompt":"from elsewhere"}}'
CHAT = '{"model":"inferd-docs","messages":[{"role":"user","content":"from elsewhere"}]}'
PAGE = b"<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>"
FORMS = (
    ("application/x-www-form-urlencoded", "spec", SPEC),
    ("multipart/form-data", "spec", SPEC),
    ("text/plain", SPEC[:-2] + ',"x":"', '"}}'),
)
FETCH = """async ([url, paths]) => {
  const done = [];
  for (const [path, type, body] of paths) {
    for (const credentials of ["include", "omit"]) {
      for (const mode of ["no-cors", "cors"]) {
        const headers = { "Content-Type": type };
        const sent = { method: "POST", mode, credentials, headers, body };
        const told = (answer) => `${answer.type} ${answer.status}`;
        done.push(await fetch(url + path, sent).then(told, () => "refused"));
      }
    }
  }
  return done;
}"""
FORM = """([url, path, type, name, value]) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: url + path, enctype: type });
  const field = Object.assign(document.createElement("textarea"), { name });
  field.value = value;
  form.append(field);
  document.body.append(form);
  form.submit();
}"""
LOAD = """([tag, url]) => new Promise((done) => {
  const made = document.createElement(tag);
  made.onload = () => done("loaded");
  made.onerror = () => done("failed");
  made.src = url;
  document.body.append(made);
})"""


class Elsewhere(BaseHTTPRequestHandler):
    """Another origin on this machine."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module", params=["127.0.0.1", "localhost"])
def elsewhere(request: pytest.FixtureRequest) -> Generator[str]:
    """A site on another port, and one of another name too."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{request.param}:{server.server_address[1]}"
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningNode]:
    """A node that only this file asks: what it ran is counted."""
    with run_node(tmp_path_factory.mktemp("asked")) as running:
        yield running


def ran(node: RunningNode) -> int:
    """Return how many requests the node's ledger holds."""
    headers = {"Authorization": f"Bearer {node.token}"}
    told = httpx2.get(f"{node.url}/admin/usage", headers=headers, timeout=10)
    assert told.status_code == 200, told.text
    return sum(total["requests"] for total in told.json()["totals"])


async def visited(page: Page, node: RunningNode, elsewhere: str) -> None:
    """The owner has looked at the page in this browser: it holds the session's cookie."""
    await page.goto(node.url)
    await expect(page.get_by_role("heading", name="Models")).to_be_visible()
    assert await page.context.cookies(node.url)
    await page.goto(elsewhere)


async def test_its_scripts_run_nothing(page: Page, node: RunningNode, elsewhere: str) -> None:
    await visited(page, node, elsewhere)
    paths = [
        (path, type_, body)
        for path, body in (
            ("/inference", SPEC),
            ("/v1/chat/completions", CHAT),
            ("/try", "task=chat"),
        )
        for type_ in ("text/plain", "application/x-www-form-urlencoded", "application/json")
    ]
    answers = await page.evaluate(FETCH, [node.url, paths])
    assert len(answers) == 4 * len(paths)
    assert set(answers) <= {"opaque 0", "refused"}
    assert ran(node) == 0


@pytest.mark.parametrize("path", ["/inference", "/v1/chat/completions", "/try", "/logout"])
async def test_its_forms_run_nothing(
    page: Page, node: RunningNode, elsewhere: str, path: str
) -> None:
    await visited(page, node, elsewhere)
    cookies = await page.context.cookies(node.url)
    for type_, name, value in FORMS:
        async with page.expect_navigation() as sent:
            await page.evaluate(FORM, [node.url, path, type_, name, value])
        answer = await sent.value
        assert answer is not None
        assert (answer.request.method, answer.status) == ("POST", 403), type_
        await page.goto(elsewhere)
    assert ran(node) == 0
    assert await page.context.cookies(node.url) == cookies


async def test_it_can_neither_frame_nor_load_nor_read(
    open_page: OpenPage, node: RunningNode, elsewhere: str
) -> None:
    page = await open_page(expected="frame-ancestors")
    await visited(page, node, elsewhere)
    query = f"/?task={SENTIMENT}&run={quote(MINILM)}"
    assert await page.evaluate(LOAD, ["img", f"{node.url}/inference?task={SENTIMENT}"]) == "failed"
    assert await page.evaluate(LOAD, ["script", f"{node.url}/models"]) == "failed"
    read = "(url) => fetch(url, { credentials: 'include' }).then((a) => a.text(), () => 'refused')"
    for path in ("/models", "/status", "/admin/usage", "/"):
        assert await page.evaluate(read, f"{node.url}{path}") == "refused", path
    await page.evaluate(LOAD, ["iframe", f"{node.url}{query}"])
    await page.evaluate(LOAD, ["iframe", elsewhere])
    await expect(page.frame_locator("iframe >> nth=1").locator("h1")).to_have_text("Elsewhere")
    await expect(page.frame_locator("iframe >> nth=0").locator("main, form")).to_have_count(0)
    assert ran(node) == 0


async def test_the_page_itself_does_run(page: Page, node: RunningNode) -> None:
    """What the others may not do is counted when it is done."""
    before = ran(node)
    dialog = await open_form(page, node, SENTIMENT, MINILM)
    await dialog.get_by_label("Text", exact=True).fill("from here")
    await dialog.get_by_role("button", name="Run inference").click()
    await expect(dialog.locator(".rcpt")).to_be_visible()
    assert ran(node) == before + 1
