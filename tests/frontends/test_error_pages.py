"""Errors as pages: what a browser is shown where a program gets JSON."""

import pytest

from inferd.core.request import Action
from inferd.gateway.admission.policy import Rule
from tests.frontends.browsers import NAVIGATES, TYPED, Browser
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import open_node

SECRET = {"Authorization": "Bearer s"}
HTML = "text/html; charset=utf-8"


async def test_a_refusal_is_a_page_for_who_looks_and_json_for_programs() -> None:
    rules = [Rule(principal="secret:*", actions=(Action.LIST,))]
    async with open_node(FakeBackend(says(*HELLO)), secrets=["s"], rules=rules) as node:
        seen = await node.client.get("/chat", headers={**TYPED, **SECRET})
        told = await node.client.get("/chat", headers=SECRET)
    assert (seen.status_code, told.status_code) == (403, 403)
    assert seen.headers["content-type"] == HTML
    assert "Ask the node’s owner" in seen.text.replace("&#39;", "’")
    assert seen.headers["x-request-id"] in seen.text
    assert 'aria-label="Main"' in seen.text
    assert told.headers["content-type"] == "application/json"


async def test_another_method_keeps_its_headers() -> None:
    async with open_node() as node, Browser(node) as browser:
        answer = await browser.send("POST", "/more", NAVIGATES)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.headers["content-type"] == HTML


@pytest.mark.parametrize("secrets", [(), ("s",)], ids=["open", "with a key"])
async def test_who_isn_t_known_sees_nothing_of_the_node(secrets: tuple[str, ...]) -> None:
    async with open_node(secrets=secrets) as node, Browser(node) as browser:
        answer = await browser.send_form("/try", {"task": "chat"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Go back, and reload the page" in answer.text
    assert ('href="/login"' in answer.text) is bool(secrets)
    assert "node-a" not in answer.text
    assert "lab" not in answer.text.replace("aria-label", "")
    assert 'id="page-data"' not in answer.text


async def test_pages_are_kept_apart_from_other_sites() -> None:
    async with open_node(secrets=["s"]) as node:
        for path, shown in (("/", SECRET), ("/login", {}), ("/chat?x", SECRET)):
            answer = await node.client.get(path, headers={**TYPED, **shown})
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
