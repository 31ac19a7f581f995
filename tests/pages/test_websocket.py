"""A browser on `/ws`: a page of the node talks, and a page elsewhere isn't let in."""

import pytest
from playwright.async_api import Page

from tests.node.nodes import RunningNode
from tests.pages.conftest import OpenPage
from tests.pages.test_other_sites import elsewhere as elsewhere

pytestmark = [pytest.mark.extra, pytest.mark.asyncio(loop_scope="session")]

TALK = """(url) => new Promise((done, failed) => {
  const socket = new WebSocket(url), heard = [];
  const say = (message) => socket.send(JSON.stringify(message));
  const ask = { type: "inference", task: "chat", stream: true };
  socket.onerror = () => failed(new Error("no WebSocket"));
  socket.onclose = (event) => done([heard, event.code, event.wasClean]);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    heard.push(message);
    if (message.type === "connection") {
      say({ ...ask, request_id: "stuck", model: "acme/stuck-here", inputs: "one two" });
      say({ ...ask, request_id: "quick", model: "acme/near", inputs: "one two" });
      say({ type: "ping" });
    } else if (message.type === "inference_complete") {
      say({ type: "cancel", request_id: "stuck" });
    } else if (message.type === "inference_cancelled") {
      socket.close(1000);
    }
  };
})"""
KNOCK = """(url) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onopen = () => done("open");
  socket.onclose = (event) => done(`closed ${event.code}`);
})"""


async def test_a_page_of_the_node_asks_two_things_at_once_and_cancels_one(
    page: Page, laptop: RunningNode
) -> None:
    await page.goto(laptop.url)
    url = laptop.url.replace("http", "ws", 1) + "/ws/a-page"
    heard, code, was_clean = await page.evaluate(TALK, url)
    assert (code, was_clean) == (1000, True)
    of_quick = [each for each in heard if each.get("request_id") == "quick"]
    chunks = [each["chunk"] for each in of_quick if each["type"] == "inference_chunk"]
    assert "".join(chunks).split() == ["one", "two"]
    kinds = [each["type"] for each in heard]
    assert "pong" in kinds
    assert kinds[-1] == "inference_cancelled"


async def test_a_page_elsewhere_is_not_let_in(
    open_page: OpenPage, laptop: RunningNode, elsewhere: str
) -> None:
    opened = await open_page()
    await opened.goto(laptop.url)  # So that there is a session whose cookie could come along.
    await opened.goto(elsewhere)
    url = laptop.url.replace("http", "ws", 1) + "/ws/a-page"
    assert await opened.evaluate(KNOCK, url) == "closed 1006"
