"""POST /try with what can't be run: told in the form, which keeps what could be read of it."""

from collections.abc import Mapping
from html import unescape
from urllib.parse import urlencode

import pytest

from inferd.core.backend import Model
from inferd.core.result import Finish, Value
from inferd.core.tasks import TASKS
from tests.frontends.browsers import NAVIGATES, Browser
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import Node, open_node

EVERY = Model(id="tiny", tasks=frozenset(TASKS))
ASKED = {"task": "text-generation", "model": "tiny", "field.prompt": "keep this"}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 60
FORM = "application/x-www-form-urlencoded"


def backend() -> FakeBackend:
    return FakeBackend(says(*HELLO), "here", models=(EVERY,))


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def file_part(name: str, data: bytes, content_type: str = "image/png") -> bytes:
    return part(name, data, f'; filename="x.png"\r\nContent-Type: {content_type}')


def pictured(csrf: str, *files: bytes, **fields: str) -> bytes:
    texts = {"csrf": csrf, "task": "image-classification", "model": "tiny", **fields}
    parts = [part(name, value.encode()) for name, value in texts.items()]
    return b"".join([*parts, *files, part("field.top_k", b"3"), b"--b--\r\n"])


async def posted(
    node: Node, browser: Browser, body: bytes, kind: str = FORM
) -> tuple[int, Mapping[str, str], str]:
    own = {"Origin": f"http://{node.host}", "Sec-Fetch-Site": "same-origin", **NAVIGATES}
    answer = await browser.send("POST", "/try", {**own, "Content-Type": kind}, content=body)
    return answer.status_code, answer.headers, unescape(answer.text)


@pytest.mark.parametrize(
    ("spoilt", "status", "said"),
    [
        (b"&csrf=old", 422, "twice"),
        (b"&x=%ff", 400, "letters that can’t be read"),
        (b"&x=\xff", 400, "letters that can’t be read"),
        (b"&a=1" * 100, 400, "more than 64 fields"),
        (b"&x=" + b"a" * (9 << 20), 413, "longer than 8 MiB"),
    ],
    ids=["twice", "escaped", "raw", "many", "long"],
)
async def test_a_faulty_form_comes_back_with_its_values(
    spoilt: bytes, status: int, said: str
) -> None:
    here = backend()
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/?task=text-generation&run=tiny")
        body = urlencode({"csrf": browser.csrf, **ASKED}).encode() + spoilt
        got, headers, page = await posted(node, browser, body)
    assert got == status
    assert headers["content-type"].startswith("text/html")
    assert said in page
    assert 'role="alert"' in page
    assert "keep this</textarea>" in page
    assert here.requests == []


async def test_an_old_form_comes_back_with_its_values_and_a_token_that_works() -> None:
    here = backend()
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/?task=text-generation&run=tiny")
        refused = await browser.send_form("/try", {**ASKED, "csrf": "x" * 43})
        assert refused.status_code == 403
        assert "Send it again: this is a new one" in refused.text
        assert "keep this</textarea>" in refused.text
        assert f'name="csrf" value="{browser.csrf}"' in refused.text
        assert (await browser.send_form("/try", ASKED)).status_code == 200
    assert len(here.requests) == 1


@pytest.mark.parametrize(
    ("files", "status", "said"),
    [
        ([file_part("image", b"not")], 400, "said to be image/png"),
        ([file_part("image", b"not", "application/octet-stream")], 400, "no image"),
        ([file_part("image", b"fLaC" + b"\0" * 60, "audio/flac")], 400, "no image"),
        ([file_part("image", PNG), file_part("image", PNG)], 400, "two parts called image"),
        ([part("model", b"\xff")], 400, "two parts called model"),
        ([part("x", b"\xff")], 400, "letters that can’t be read"),
        ([file_part("image", PNG + b"\0" * (9 << 20))], 413, "longer than 8 MiB"),
    ],
    ids=["bytes", "unknown", "sound", "twice", "model twice", "letters", "long"],
)
async def test_a_faulty_form_with_a_file_does_too(
    files: list[bytes], status: int, said: str
) -> None:
    here = backend()
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/?task=image-classification&run=tiny")
        body = pictured(browser.csrf, *files)
        got, _, page = await posted(node, browser, body, "multipart/form-data; boundary=b")
    assert got == status
    assert said in page
    assert 'role="alert"' in page
    assert "choose your file again" in page
    assert 'name="field.top_k" value="3"' in page
    assert here.requests == []


async def test_a_file_of_its_kind_runs_under_any_type_that_fits() -> None:
    here = FakeBackend(says(Value([{"label": "a", "score": 1}]), Finish()), models=(EVERY,))
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/?task=image-classification&run=tiny")
        for kind in ("image/png", "application/octet-stream", "image/x-unheard-of; a=b"):
            body = pictured(browser.csrf, file_part("image", PNG, kind))
            got, _, _ = await posted(node, browser, body, "multipart/form-data; boundary=b")
            assert got == 200
    assert len(here.requests) == 3


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a", "text/plain", 415),
        (b"task=nothing", FORM, 400),
        (b"", FORM, 400),
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data", 400),
        (b"a" * (9 << 20), FORM, 413),
    ],
)
async def test_without_a_task_there_is_no_form_but_still_a_page(
    body: bytes, kind: str, status: int
) -> None:
    async with open_node(backend()) as node, Browser(node) as browser:
        await browser.visit("/")
        got, headers, page = await posted(node, browser, body, kind)
    assert got == status
    assert headers["content-type"].startswith("text/html")
    assert headers["x-request-id"] in page
    assert "<form" not in page


@pytest.mark.parametrize("depth", [2000, 100_000])
async def test_what_nests_too_deep_is_told_at_its_field(depth: int) -> None:
    here = backend()
    fields = {"task": "tabular-classification", "model": "tiny"}
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/?task=tabular-classification&run=tiny")
        deep = "[" * depth + "]" * depth
        answer = await browser.send_form("/try", {**fields, "field.features": deep})
    assert answer.status_code == 400
    assert "nests too deep" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert here.requests == []


async def test_the_page_of_an_answer_is_marked_where_the_reader_is() -> None:
    async with open_node(backend()) as node, Browser(node) as browser:
        await browser.visit("/chat")
        fields = {"task": "chat", "model": "tiny", "field.messages": "Hi"}
        chat = (await browser.send_form("/try", fields)).text
        run = (await browser.send_form("/try", ASKED)).text
    assert 'href="/chat" aria-current="page"' in chat
    assert 'href="/" aria-current="page"' in run
    assert 'href="/chat" aria-current="page"' not in run
