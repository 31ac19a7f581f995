"""The page's shell: its files, its headers, and what a reader may see of it."""

import re

from tests.frontends.nodes import open_node

PAGES = ("/", "/more")
_STATIC = re.compile(r'"(/static/[^"]+)"')


async def test_every_file_that_a_page_names_is_there_and_may_be_kept() -> None:
    async with open_node() as node:
        for path in PAGES:
            page = await node.client.get(path)
            assert page.status_code == 200
            for address in set(_STATIC.findall(page.text)):
                file = await node.client.get(address)
                assert file.status_code == 200, address
                assert "immutable" in file.headers["cache-control"]


async def test_an_older_address_still_finds_the_file_but_may_not_be_kept() -> None:
    async with open_node() as node:
        file = await node.client.get("/static/000000000000/css/inferd.css")
        assert file.headers["cache-control"] == "no-cache"
        assert (await node.client.get("/static/x/css/nothing.css")).status_code == 404
        for name in ("../routes.py", "%2e%2e/routes.py", "..%2froutes.py"):
            assert (await node.client.get(f"/static/x/{name}")).status_code == 404


async def test_a_page_has_no_inline_script_or_style() -> None:
    async with open_node() as node:
        for path in PAGES:
            text = (await node.client.get(path)).text
            assert " style=" not in text
            assert "<style" not in text
            assert not re.search(r"\son[a-z]+=", text)
            scripts = re.findall(r"<script(?![^>]* src=)([^>]*)>", text)
            assert all('type="application/json"' in each for each in scripts)


async def test_the_policy_allows_only_what_is_ours() -> None:
    async with open_node() as node:
        policy = (await node.client.get("/")).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_what_needs_a_right_is_not_shown_without_it() -> None:
    secret = {"Authorization": "Bearer s"}
    async with open_node(secrets=["s"]) as node:
        text = (await node.client.get("/more", headers=secret)).text
    assert 'href="/chat"' in text
    assert 'href="/usage"' not in text
