"""An address that leads nowhere: a page for who looks, JSON for programs."""

import pytest

from tests.frontends.browsers import NAVIGATES, TYPED, Browser
from tests.frontends.nodes import open_node

PATHS = ("/nothing", "/docs", "/chat/", "/<b>x</b>")


@pytest.mark.parametrize("path", PATHS)
async def test_who_looks_is_shown_the_ways_on(path: str) -> None:
    async with open_node() as node, Browser(node) as browser:
        answer = await browser.visit(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    for way in ("/", "/chat", "/openapi.json"):
        assert f'href="{way}"' in answer.text
    assert 'aria-label="Main"' in answer.text
    assert "<b>x" not in answer.text


async def test_programs_and_writes_are_told_in_json() -> None:
    async with open_node() as node, Browser(node) as browser:
        asked = await node.client.get("/nothing")
        sent = await browser.send("POST", "/nothing", NAVIGATES)
    for answer in (asked, sent):
        assert answer.status_code == 404
        assert "nothing at /nothing" in answer.text


async def test_who_isn_t_known_sees_nothing_of_the_node() -> None:
    async with open_node(secrets=["s"]) as node:
        answer = await node.client.get("/nothing", headers=TYPED)
    assert answer.status_code == 404
    assert 'href="/login"' in answer.text
    assert "node-a" not in answer.text
    assert 'id="page-data"' not in answer.text
