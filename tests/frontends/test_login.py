"""Signing in with a name and a password, or a key; and what others try with the form."""

import pytest

from inferd.core.request import OWNER
from inferd.frontends._http.forms import own_path
from inferd.frontends._http.settings import HttpSettings
from inferd.gateway.admission.credentials import Login
from tests.clocks import HandClock
from tests.frontends.browsers import A_LINK_ELSEWHERE, TYPED, Browser
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import OWNER_TOKEN, open_node

pytestmark = pytest.mark.extra

ME = Login(name="mira", password="correct horse battery")
RIGHT = {"name": "mira", "password": "correct horse battery"}
WRONG = {"name": "mira", "password": "wrong"}
SECRET = "s3cret-words"
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("path", "to"),
    [("/", "/login"), ("/chat?model=a%2Fb&x=1", "/login?next=/chat%3Fmodel%3Da%252Fb%26x%3D1")],
)
@pytest.mark.parametrize("how", [TYPED, A_LINK_ELSEWHERE])
async def test_who_is_unknown_is_sent_to_sign_in_and_comes_back(
    path: str, to: str, how: dict[str, str]
) -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        sent = await browser.visit(path, how)
        assert (sent.status_code, sent.headers["location"]) == (302, to)
        form = await browser.visit(to)
        assert form.status_code == 200
        fields = {**RIGHT, "next": path}
        signed_in = await browser.send_form("/login", fields)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, path)
        page = await browser.visit(path)
    assert page.status_code == 200
    assert ">mira<" in page.text


async def test_programs_are_told_401_by_apis_and_pages_alike() -> None:
    async with open_node(login=ME) as node:
        for path in ("/", "/models", "/v1/models"):
            answer = await node.client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_with_a_login_alone_nobody_is_the_owner_by_being_local() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend, login=ME) as node:
        answer = await node.client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 401
    assert backend.requests == []


async def test_who_signed_in_may_list_infer_and_see_usage_and_no_more() -> None:
    async with open_node(FakeBackend(says(*HELLO)), login=ME) as node, Browser(node) as browser:
        await browser.visit("/login")
        await browser.send_form("/login", RIGHT)
        await browser.visit("/")
        asked = await browser.fetch("POST", "/v1/chat/completions", json=CHAT)
        statuses = {
            path: (await browser.fetch("GET", path)).status_code
            for path in ("/models", "/admin/usage", "/status")
        }
        assert node.ledger.rows[0].principal == "user:mira"
    assert asked.status_code == 200
    assert statuses == {"/models": 200, "/admin/usage": 200, "/status": 403}


@pytest.mark.parametrize(("key", "who"), [(SECRET, "secret:"), (OWNER_TOKEN, OWNER.id)])
async def test_a_key_signs_in_for_whom_it_stands(key: str, who: str) -> None:
    async with open_node(FakeBackend(says(*HELLO)), secrets=[SECRET]) as node:
        async with Browser(node) as browser:
            form = await browser.visit("/login")
            assert 'name="password"' not in form.text
            signed_in = await browser.send_form("/login", {"key": f" {key} "})
            assert signed_in.status_code == 303
            await browser.visit("/")
            await browser.fetch("POST", "/v1/chat/completions", json=CHAT)
        assert node.ledger.rows[0].principal.startswith(who)
        assert key not in browser.cookie


async def test_a_wrong_try_says_how_many_are_left_and_not_what_was_wrong() -> None:
    async with open_node(login=ME, secrets=[SECRET]) as node, Browser(node) as browser:
        await browser.visit("/login")
        wrong = await browser.send_form("/login", WRONG)
        unknown = await browser.send_form("/login", {**RIGHT, "name": "jun"})
        key = await browser.send_form("/login", {"key": "wrong"})
    assert [answer.status_code for answer in (wrong, unknown, key)] == [401] * 3
    assert "That name and password don’t go together. 4 tries left." in wrong.text
    assert "That name and password don’t go together. 3 tries left." in unknown.text
    assert "That key isn’t known here. 2 tries left." in key.text
    assert not browser.cookie
    for answer in (wrong, unknown, key):
        assert "wrong" not in answer.text.replace('id="wrong"', "").replace('by="wrong"', "")


async def test_too_many_tries_wait_even_with_the_right_password() -> None:
    clock = HandClock()
    async with open_node(login=ME, clock=clock) as node, Browser(node) as browser:
        await browser.visit("/login")
        for _ in range(5):
            await browser.send_form("/login", WRONG)
        late = await browser.send_form("/login", RIGHT)
        typed = await browser.send_form("/login", RIGHT, {"Accept": "application/json"})
        assert (late.status_code, late.headers["retry-after"]) == (429, "60")
        assert "Too many tries to sign in. Try again in 60 seconds." in late.text
        assert (typed.status_code, typed.json()["kind"]) == (429, "rate_limited")
        clock.turn(60)
        assert (await browser.send_form("/login", RIGHT)).status_code == 303


async def test_right_tries_cost_nothing() -> None:
    async with open_node(secrets=[SECRET]) as node, Browser(node) as browser:
        for _ in range(8):
            browser.cookies.clear()
            await browser.visit("/login")
            assert (await browser.send_form("/login", {"key": SECRET})).status_code == 303


async def test_what_was_typed_comes_back_escaped_and_the_password_never() -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        await browser.visit("/login")
        typed = {"name": '"><script>alert(1)</script>', "password": "hunter2-hunter2"}
        answer = await browser.send_form("/login", typed)
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "hunter2" not in answer.text


FORGED = {
    "without the form's token": ({}, {"csrf": ""}),
    "with another's token": ({}, {"csrf": "x" * 43}),
    "with letters that aren't ASCII": ({}, {"csrf": "é"}),
    "from another port": ({"Sec-Fetch-Site": "same-site"}, {}),
    "from another site": ({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, {}),
    "from a page that hides its origin": ({"Origin": "null"}, {}),
}


@pytest.mark.parametrize(("headers", "fields"), FORGED.values(), ids=FORGED)
async def test_nobody_is_signed_in_by_another_site_s_form(
    headers: dict[str, str], fields: dict[str, str]
) -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        await browser.visit("/login")
        answer = await browser.send_form("/login", {**RIGHT, **fields}, headers)
    assert answer.status_code == 403
    assert not browser.cookie


async def test_an_attacker_s_own_form_is_no_use_in_another_browser() -> None:
    async with open_node(login=ME) as node, Browser(node) as browser, Browser(node) as other:
        await other.visit("/login")
        await browser.visit("/login")
        answer = await browser.send_form("/login", {**RIGHT, "csrf": other.csrf})
    assert answer.status_code == 403
    assert "This form is too old, or another browser’s. Send it again." in answer.text


async def test_a_form_that_stood_open_too_long_is_shown_anew() -> None:
    clock = HandClock()
    async with open_node(login=ME, clock=clock) as node, Browser(node) as browser:
        await browser.visit("/login")
        clock.turn(3601)
        late = await browser.send_form("/login", RIGHT)
        assert late.status_code == 403
        assert 'value="mira"' in late.text
        await browser.visit("/login")
        assert (await browser.send_form("/login", RIGHT)).status_code == 303


async def test_signing_in_makes_a_session_that_nobody_could_have_planted() -> None:
    async with open_node(login=ME) as node, Browser(node) as browser, Browser(node) as attacker:
        await attacker.visit("/login")
        await attacker.send_form("/login", RIGHT)
        planted = f"{browser.name}={attacker.cookie}"
        await browser.visit("/login")
        form = f"{browser.name}-form={browser.cookies[f'{browser.name}-form']}"
        answer = await browser.send_form("/login", RIGHT, {"Cookie": f"{planted}; {form}"})
    session, used = answer.headers.get_list("set-cookie")
    assert session.startswith(f"{browser.name}=")
    assert planted not in session
    assert used.startswith(f"{browser.name}-form=; ")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", ""])
@pytest.mark.parametrize("path", ["/login", "/logout"])
async def test_only_a_plain_form_is_read(content_type: str, path: str) -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        await browser.visit("/login")
        answer = await browser.send("POST", path, {"Content-Type": content_type}, content=b"csrf=")
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"csrf=a&csrf=b", 422),
        (b"name=%ff", 400),
        (b"name=\xff", 400),
        (b"&".join(b"a%d=" % n for n in range(65)), 400),
        (b"name=" + b"x" * 20_000, 413),
        (b"", 403),
    ],
)
async def test_a_form_is_small_readable_and_unambiguous(body: bytes, status: int) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with open_node(login=ME) as node, Browser(node) as browser:
        answer = await browser.send("POST", "/login", form, content=body)
    assert answer.status_code == status
    assert answer.json()["request_id"]


async def test_signing_out_takes_the_cookie_and_needs_the_form_s_token() -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        await browser.visit("/login")
        await browser.send_form("/login", RIGHT)
        page = await browser.visit("/")
        assert 'action="/logout"' in page.text
        for forged in ({"csrf": "wrong"}, {"csrf": ""}):
            assert (await browser.send_form("/logout", forged)).status_code == 403
        elsewhere = await browser.send_form("/logout", {}, {"Sec-Fetch-Site": "same-site"})
        assert "set-cookie" not in elsewhere.headers
        assert browser.cookie
        out = await browser.send_form("/logout", {})
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert not browser.cookie
        assert (await browser.visit("/")).status_code == 302
        assert (await browser.send_form("/logout", {})).status_code == 303


async def test_there_is_nothing_to_sign_in_to_on_an_open_node() -> None:
    async with open_node() as node, Browser(node) as browser:
        answer = await browser.visit("/login?next=/chat")
        page = await browser.visit("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/chat")
    assert 'action="/logout"' not in page.text


async def test_the_form_tells_strangers_the_node_s_name_and_no_more() -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        form = await browser.visit("/login")
    assert "Sign in to lab" in form.text
    for fact in ("node-a", "1.2.3", "mira"):
        assert fact not in form.text


OTHER_SITES = [
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil",
    "/\t/evil.example", "\t//evil.example", " //evil.example", "/\n/evil", "/a\rb", "/ /x", "/é",
    "javascript:alert(1)", "https:evil.example", "evil.example", "", "http:/evil", "/" + "x" * 3000,
    "//[", "/\x00", "/\x7f",
]  # fmt: skip


@pytest.mark.parametrize("shown", OTHER_SITES)
def test_another_site_is_no_place_to_come_back_to(shown: str) -> None:
    assert own_path(shown) == "/"


@pytest.mark.parametrize(
    "shown", ["/", "/chat", "/?task=chat&q=a%20b", "/a//b", "/x?next=//evil.example", "/%2F/a"]
)
def test_a_path_of_ours_is(shown: str) -> None:
    assert own_path(shown) == shown


@pytest.mark.parametrize("shown", ["//evil.example", "/\\evil.example", "/login?next=/", "/logout"])
async def test_signing_in_leads_nowhere_else(shown: str) -> None:
    async with open_node(login=ME) as node, Browser(node) as browser:
        await browser.visit("/login")
        answer = await browser.send_form("/login", {**RIGHT, "next": shown})
        again = await browser.visit("/login", {**TYPED})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (again.status_code, again.headers["location"]) == (303, "/")


async def test_tries_are_counted_by_the_address_behind_a_trusted_proxy() -> None:
    settings = HttpSettings(trusted_proxies=("127.0.0.1/32",))
    async with open_node(login=ME, settings=settings) as node, Browser(node) as browser:
        await browser.visit("/login")
        for client, status in [("10.0.0.1", 401)] * 5 + [("10.0.0.1", 429), ("10.0.0.2", 401)]:
            # What the client itself wrote stands further left, and counts for nothing.
            shown = {"X-Forwarded-For": f"1.2.3.{status % 7}, {client}"}
            assert (await browser.send_form("/login", WRONG, shown)).status_code == status


@pytest.mark.parametrize("planted", ["x", "", "another browser's"])
async def test_a_planted_cookie_doesn_t_keep_anybody_out(planted: str) -> None:
    async with open_node(login=ME) as node, Browser(node) as browser, Browser(node) as other:
        form = f"{browser.name}-form"
        await browser.visit("/login")
        if planted == "another browser's":
            await other.visit("/login")
            planted = other.cookies[form]
        own = browser.cookies[form]
        for pair in ((planted, own), (own, planted)):
            shown = {"Cookie": "; ".join(f"{form}={each}" for each in pair)}
            signed_in = await browser.send_form("/login", RIGHT, shown)
            assert signed_in.status_code == 303
        alone = await browser.send_form("/login", RIGHT, {"Cookie": f"{form}={planted}"})
        assert alone.status_code == 403
