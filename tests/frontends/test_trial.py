"""A model run without scripts: the form, POST /try, and what neither may let through."""

import re
from html import unescape

import pytest

from inferd.core.backend import Model
from inferd.core.errors import BackendFailed
from inferd.core.request import Place
from inferd.core.result import Finish, Media, TextDelta, Usage, Value
from inferd.core.tasks import TASKS
from tests.frontends.browsers import Browser
from tests.frontends.fakes import HELLO, Behaviour, FakeBackend, fails, says
from tests.frontends.nodes import open_node

EVERY = Model(id="tiny", tasks=frozenset(TASKS))
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\0" * 60
HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}'


def backend(behaviour: Behaviour) -> FakeBackend:
    return FakeBackend(behaviour, "here", models=(EVERY,))


async def tried(
    behaviour: Behaviour, fields: dict[str, str], *, token: str | None = None
) -> tuple[int, str, FakeBackend]:
    here = backend(behaviour)
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit(f"/?task={fields['task']}&run=tiny")
        if token is not None:
            browser.csrf = token
        answer = await browser.send_form("/try", {"model": "tiny", **fields})
    return answer.status_code, answer.text, here


@pytest.mark.parametrize("task", TASKS)
async def test_every_task_has_a_form_that_needs_no_scripts(task: str) -> None:
    async with open_node(backend(says(*HELLO))) as node, Browser(node) as browser:
        page = (await browser.visit(f"/?task={task}&run=tiny")).text
    assert 'action="/try#run"' in page
    known = TASKS[task]
    for field in (*known.inputs, *known.parameters):
        assert f'name="field.{field.name}"' in page
    for file in known.files:
        assert f'name="{file.name}" accept="{file.accept}"' in page
    assert 'name="use_remote"' in page
    assert len(browser.csrf) > 20


async def test_what_is_typed_runs_and_stays_in_the_form() -> None:
    status, page, here = await tried(
        says(TextDelta("Hello **there**"), Finish(usage=Usage(input_tokens=3, output_tokens=2))),
        {"task": "text-generation", "field.prompt": "Hi\r\nyou", "field.temperature": "0.5"},
    )
    assert status == 200
    assert "Hello **there**" in page
    assert "5 tokens" in page
    assert "Seen by <b>nobody else</b>" in page
    assert re.search(r"<textarea[^>]*>\nHi\r?\nyou</textarea>", page)
    [request] = here.requests
    assert request.inputs == {"prompt": "Hi\nyou"}
    assert request.parameters == {"temperature": 0.5}
    assert request.place is Place.ANY


@pytest.mark.parametrize(
    ("task", "typed", "inputs"),
    [
        ("sentence-similarity", {"source_sentence": "a", "sentences": "b, c\r\n\r\nd"},
         {"source_sentence": "a", "sentences": ["b, c", "d"]}),
        ("zero-shot-classification", {"prompt": "a", "candidate_labels": "x, y"},
         {"prompt": "a", "candidate_labels": ["x", "y"]}),
        ("tabular-classification", {"features": "[[1, 2]]"}, {"features": [[1.0, 2.0]]}),
    ],
)  # fmt: skip
async def test_each_kind_of_field_is_read(
    task: str, typed: dict[str, str], inputs: dict[str, object]
) -> None:
    fields = {f"field.{name}": text for name, text in typed.items()}
    status, _, here = await tried(says(Value([0.5, 0.25]), Finish()), {"task": task, **fields})
    assert status == 200
    assert here.requests[0].inputs == inputs


async def test_a_conversation_may_be_a_question() -> None:
    status, _, here = await tried(says(*HELLO), {"task": "chat", "field.messages": "Who?"})
    assert status == 200
    [message] = here.requests[0].inputs["messages"]  # type: ignore[misc]
    assert (message.role, message.text) == ("user", "Who?")


async def test_scores_are_a_table() -> None:
    labels = [{"label": HOSTILE, "score": 0.75}, {"label": "b", "score": 0.25}]
    status, page, _ = await tried(
        says(Value(labels), Finish()), {"task": "text-classification", "field.prompt": "a"}
    )
    assert status == 200
    assert "0.750" in page
    assert 'width="75%"' in page


async def test_a_picture_is_shown_by_its_bytes() -> None:
    status, page, _ = await tried(
        says(Media(data=b"\x89PNG", content_type="image/png"), Finish()),
        {"task": "text-to-image", "field.prompt": "a"},
    )
    assert status == 200
    assert '<img src="data:image/png;base64,iVBORw=="' in page


async def test_a_file_comes_with_the_form() -> None:
    here = backend(says(Value([{"label": "cat", "score": 1.0}]), Finish()))
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/?task=image-classification&run=tiny")
        body = (
            f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{browser.csrf}\r\n'
            '--b\r\nContent-Disposition: form-data; name="task"\r\n\r\nimage-classification\r\n'
            '--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        headers = {
            "Content-Type": "multipart/form-data; boundary=b",
            "Origin": f"http://{node.host}",
            "Sec-Fetch-Site": "same-origin",
        }
        whole = body.encode() + PNG + b"\r\n--b--\r\n"
        answer = await browser.send("POST", "/try", headers, content=whole)
    assert answer.status_code == 200
    assert "cat" in answer.text
    [file] = here.requests[0].files
    assert (file.name, file.content_type, file.size_bytes) == ("a.png", "image/png", len(PNG))


@pytest.mark.parametrize("token", ["", "x" * 43, "ü"])
async def test_a_form_that_isn_t_the_session_s_runs_nothing(token: str) -> None:
    status, _, here = await tried(
        says(*HELLO), {"task": "text-generation", "field.prompt": "a"}, token=token
    )
    assert status == 403
    assert here.requests == []


@pytest.mark.parametrize(
    ("fields", "said", "param"),
    [
        ({"task": "text-generation"}, "needs prompt", "prompt"),
        ({"task": "image-classification"}, "needs a file", "image"),
        ({"task": "text-generation", "field.prompt": "a", "field.temperature": "warm"},
         "Temperature must be a number", "temperature"),
        ({"task": "tabular-classification", "field.features": "[[1,"}, "must be JSON", "features"),
    ],
)  # fmt: skip
async def test_what_can_t_be_meant_is_told_in_the_page_and_kept(
    fields: dict[str, str], said: str, param: str
) -> None:
    status, page, here = await tried(says(*HELLO), fields)
    assert status == 400
    assert said in unescape(page)
    assert 'role="alert"' in page
    assert here.requests == []
    if f"field.{param}" in fields:
        shown = re.search(rf'<[^>]*name="field\.{param}"[^>]*>', page)
        assert shown
        assert 'aria-invalid="true"' in shown[0]
    for name, text in fields.items():
        assert name == "task" or text in unescape(page)


async def test_a_place_that_fails_is_told_with_a_hint_and_the_request_s_id() -> None:
    status, page, _ = await tried(
        fails(BackendFailed("forge ran out of memory", hint="ask another place")),
        {"task": "text-generation", "field.prompt": "keep me"},
    )
    assert status == 502
    assert "ran out of memory" in page
    assert "Ask another place" in page
    assert re.search(r'Request <span class="mono">[\w-]+</span>', page)
    assert "keep me" in page


async def test_remote_with_nothing_set_up_is_told_as_everywhere() -> None:
    status, page, here = await tried(
        says(*HELLO), {"task": "text-generation", "field.prompt": "a", "use_remote": "true"}
    )
    assert status == 400
    assert "remote" in page.lower()
    assert re.search(r'name="use_remote" value="true" checked', page)
    assert here.requests == []


async def test_nothing_hostile_becomes_markup() -> None:
    status, page, _ = await tried(
        says(TextDelta(HOSTILE), Finish()),
        {"task": "text-generation", "model": "tiny", "field.prompt": HOSTILE},
    )
    assert status == 200
    assert "<script>alert" not in page
    assert "{{ 7 * 7 }}" in page
    status, page, _ = await tried(says(*HELLO), {"task": "text-generation", "model": HOSTILE})
    assert status == 400
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "text/plain"}, b"a", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=%ff", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"&".join([b"a=1"] * 100), 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a" * (9 << 20), 413),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"nonsense", 400),
        ({"Content-Type": "multipart/form-data"}, b"nonsense", 400),
    ],
)
async def test_what_is_no_form_is_refused(
    headers: dict[str, str], content: bytes, status: int
) -> None:
    here = backend(says(*HELLO))
    async with open_node(here) as node, Browser(node) as browser:
        await browser.visit("/")
        own = {"Origin": f"http://{node.host}", "Sec-Fetch-Site": "same-origin"}
        answer = await browser.send("POST", "/try", {**own, **headers}, content=content)
    assert answer.status_code == status
    assert here.requests == []


async def test_compare_shows_what_can_be_chosen_and_what_was() -> None:
    here, there = backend(says(*HELLO)), FakeBackend(says(*HELLO), "there", models=(EVERY,))
    async with open_node(here, there) as node, Browser(node) as browser:
        page = (await browser.visit("/compare?task=text-generation&model=tiny@there")).text
        lost = (await browser.visit(f"/compare?task=text-generation&model={HOSTILE}")).text
        unknown = await browser.visit("/compare?task=nothing")
    assert 'value="tiny@there" checked' in page
    assert 'value="tiny@here">' in page
    assert "checked" not in lost
    assert "Can’t run here now" in lost
    assert "<script>alert" not in lost
    assert unknown.status_code == 404
    assert "There is no task called" in unknown.text
