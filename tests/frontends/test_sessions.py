"""What a browser may do: the page's session, and what other sites try with it."""

import json

import pytest

from inferd.frontends._http.settings import HttpSettings
from inferd.gateway.admission.credentials import Login
from tests.clocks import HandClock
from tests.frontends.browsers import A_LINK_ELSEWHERE, A_LINK_ON_ANOTHER_PORT, TYPED, Browser
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import OWNER_TOKEN, open_node

pytestmark = pytest.mark.extra

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
RAW = json.dumps(CHAT).encode()
ASK = "/v1/chat/completions"
SECRET = "s3cret-words"


async def test_a_page_of_an_open_node_makes_its_owner_a_session_to_write_with() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, Browser(node) as browser:
        page = await browser.visit("/")
        asked = await browser.fetch("POST", ASK, json=CHAT)
        listed = await browser.fetch("GET", "/models", token="")
    assert (page.status_code, asked.status_code, listed.status_code) == (200, 200, 200)
    [cookie] = page.headers.get_list("set-cookie")
    assert cookie.startswith(f"inferd-{node.port}=")
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert f"; {attribute}" in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    assert browser.csrf not in cookie


async def test_a_session_goes_on_and_keeps_its_token() -> None:
    async with open_node() as node, Browser(node) as browser:
        await browser.visit("/")
        first = browser.csrf
        again = await browser.visit("/more")
    assert browser.csrf == first
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("token", ["", "wrong", "x" * 5000])
async def test_a_write_without_the_session_s_token_is_refused(token: str) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node, Browser(node) as browser:
        await browser.visit("/")
        answer = await browser.fetch("POST", ASK, token=token, json=CHAT)
    assert answer.status_code == 403
    assert "X-CSRF-Token" in answer.text
    assert backend.requests == []


async def test_another_session_s_token_is_no_token() -> None:
    async with open_node() as node, Browser(node) as browser, Browser(node) as other:
        await browser.visit("/")
        await other.visit("/")
        assert browser.csrf != other.csrf
        answer = await browser.fetch("POST", ASK, token=other.csrf, json=CHAT)
    assert answer.status_code == 403


async def test_a_bearer_comes_before_a_cookie_and_needs_no_token() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, Browser(node) as browser:
        await browser.visit("/")
        shown = {"Authorization": f"Bearer {OWNER_TOKEN}"}
        answer = await browser.fetch("POST", ASK, token="", json=CHAT, headers=shown)
    assert answer.status_code == 200


async def test_programs_go_on_as_before() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        for headers in ({}, {"Authorization": "Bearer sk-some-key"}, {"Cookie": "inferd-1=x"}):
            answer = await node.client.post(ASK, json=CHAT, headers=headers)
            assert answer.status_code == 200


ATTACKS = {
    "a fetch from another port of this host": {
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "cors",
        "Content-Type": "application/json",
        "Origin": "http://localhost:3000",
    },
    "a fetch without CORS from another port": {
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "no-cors",
        "Content-Type": "text/plain",
    },
    "a form of another site, as text": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Content-Type": "text/plain",
        "Origin": "https://evil.example",
    },
    "a form of another site that hides its origin": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Content-Type": "multipart/form-data; boundary=x",
        "Origin": "null",
    },
    "a form of another port, without an origin": {
        "Sec-Fetch-Site": "same-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Content-Type": "application/x-www-form-urlencoded",
    },
    "an older browser, from another port": {
        "Content-Type": "text/plain",
        "Origin": "http://127.0.0.1:3000",
    },
    "a typed address that posts": {"Sec-Fetch-Site": "none", "Content-Type": "application/json"},
    "its own page without a session's token": {
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    },
    "a name that resolves to this machine": {
        "Host": "evil.example",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    },
}


@pytest.mark.parametrize("headers", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("path", [ASK, "/inference", "/admin/explain"])
async def test_no_other_page_can_make_the_node_do_anything(
    headers: dict[str, str], path: str
) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node, Browser(node) as browser:
        without = await browser.send("POST", path, headers, content=RAW)
        await browser.visit("/")
        assert browser.cookie
        within = await browser.send("POST", path, headers, content=RAW)
    assert without.status_code in (401, 403, 421)
    assert within.status_code in (401, 403, 421)
    assert "access-control-allow-origin" not in within.headers
    assert backend.requests == []


@pytest.mark.parametrize("site", ["same-site", "cross-site", "nonsense"])
@pytest.mark.parametrize("kind", ["image", "script", "iframe", "empty", "document"])
@pytest.mark.parametrize("path", ["/models", "/v1/models", "/status", "/admin/usage"])
async def test_other_pages_read_no_api_not_even_unseen(site: str, kind: str, path: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": kind, "Sec-Fetch-Mode": "no-cors"}
    async with open_node() as node, Browser(node) as browser:
        await browser.visit("/")
        answer = await browser.send("GET", path, headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_typed_address_reads_an_api() -> None:
    async with open_node() as node, Browser(node) as browser:
        assert (await browser.visit("/models")).status_code == 200


@pytest.mark.parametrize("how", [TYPED, A_LINK_ELSEWHERE, A_LINK_ON_ANOTHER_PORT])
async def test_a_page_opens_from_a_link_anywhere(how: dict[str, str]) -> None:
    async with open_node() as node, Browser(node) as browser:
        first = await browser.visit("/", how)
        second = await browser.visit("/more", how)
    assert (first.status_code, second.status_code) == (200, 200)
    assert browser.csrf
    assert first.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in first.headers["content-security-policy"]


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
@pytest.mark.parametrize(
    ("mode", "kind"),
    [("cors", "empty"), ("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe"),
     ("navigate", "embed"), ("no-cors", "document"), ("same-origin", "document")],
)  # fmt: skip
async def test_a_page_is_not_for_other_pages_to_embed_or_fetch(
    site: str, mode: str, kind: str
) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
    async with open_node() as node, Browser(node) as browser:
        await browser.visit("/")
        assert (await browser.send("GET", "/", headers)).status_code == 401
        browser.cookies.clear()
        answer = await browser.send("GET", "/", {**headers, "Accept": "text/html"})
    assert answer.status_code == 302
    assert "set-cookie" not in answer.headers
    assert "csrf" not in answer.text


async def test_an_older_browser_goes_by_its_origin_its_session_and_its_token() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, Browser(node) as browser:
        await browser.visit("/", {"Accept": "text/html"})
        sent = {"Origin": f"http://{node.host}", "Content-Type": "application/json"}
        bare = await browser.send("POST", ASK, sent, content=RAW)
        token = {**sent, "X-CSRF-Token": browser.csrf}
        whole = await browser.send("POST", ASK, token, content=RAW)
    assert (bare.status_code, whole.status_code) == (403, 200)


async def test_a_session_ends_after_twelve_hours() -> None:
    clock = HandClock()
    async with open_node(secrets=[SECRET], clock=clock) as node, Browser(node) as browser:
        await browser.visit("/login")
        await browser.send_form("/login", {"key": SECRET})
        clock.turn(12 * 3600 - 1)
        assert (await browser.fetch("GET", "/models")).status_code == 200
        assert "set-cookie" not in (await browser.visit("/")).headers
        clock.turn(1)
        assert (await browser.fetch("GET", "/models")).status_code == 401
        assert (await browser.visit("/")).headers["location"] == "/login"


async def test_the_local_owner_s_session_goes_on_while_it_is_used() -> None:
    clock = HandClock()
    async with open_node(clock=clock) as node, Browser(node) as browser:
        await browser.visit("/")
        token = browser.csrf
        clock.turn(7 * 3600)
        assert "set-cookie" in (await browser.visit("/")).headers
        clock.turn(7 * 3600)
        assert (await browser.fetch("GET", "/models")).status_code == 200
        assert browser.csrf == token


PLANTED = ("{name}=x", "{name}=", "{name}=a.b", "{name}-form=x")


@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("first", [True, False])
async def test_what_another_port_plants_beside_a_session_counts_for_nothing(
    planted: str, first: bool
) -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, Browser(node) as browser:
        await browser.visit("/")
        pair = [planted.format(name=browser.name), f"{browser.name}={browser.cookie}"]
        shown = {"Cookie": "; ".join(pair if first else reversed(pair))}
        assert (await browser.fetch("POST", ASK, json=CHAT, headers=shown)).status_code == 200
        page = await browser.visit("/more", {**TYPED, **shown})
        assert "set-cookie" not in page.headers
        alone = {"Cookie": pair[0]}
        assert (await browser.fetch("GET", "/models", headers=alone)).status_code == 401


async def test_of_two_people_s_sessions_neither_counts() -> None:
    login = Login(name="mira", password="one")
    cookies: list[str] = []
    async with open_node(login=login, secrets=[SECRET]) as node:
        for fields in ({"name": "mira", "password": "one"}, {"key": SECRET}):
            async with Browser(node) as browser:
                await browser.visit("/login")
                await browser.send_form("/login", fields)
                cookies.append(f"{browser.name}={browser.cookie}")
        async with Browser(node) as browser:
            for shown, status in ((cookies[:1], 200), (cookies[1:], 200), (cookies, 401)):
                headers = {"Cookie": "; ".join(shown)}
                answer = await browser.fetch("GET", "/models", headers=headers)
                assert answer.status_code == status
            twice = {"Cookie": f"{cookies[0]}; {cookies[0]}"}
            assert (await browser.fetch("GET", "/models", headers=twice)).status_code == 200


async def test_who_left_a_page_open_is_told_to_reload_it() -> None:
    clock = HandClock()
    async with open_node(clock=clock) as node, Browser(node) as browser:
        await browser.visit("/")
        clock.turn(12 * 3600)
        late = await browser.fetch("POST", ASK, json=CHAT)
        await browser.visit("/")
        stale = await browser.fetch("POST", ASK, token="x", json=CHAT)
    assert (late.status_code, stale.status_code) == (401, 403)
    for answer in (late, stale):
        assert "reload the page" in answer.text


async def test_the_local_owner_s_session_is_no_use_by_a_detour() -> None:
    async with open_node() as node, Browser(node) as browser:
        await browser.visit("/")
        for header in ("X-Forwarded-For", "Via", "Forwarded"):
            answer = await browser.fetch("GET", "/models", headers={header: "10.0.0.1"})
            assert answer.status_code == 401


async def test_a_session_of_an_open_node_is_void_once_it_has_a_secret() -> None:
    async with open_node() as node, Browser(node) as browser:
        await browser.visit("/")
        kept = browser.cookie
    async with open_node(secrets=[SECRET]) as node, Browser(node) as browser:
        browser.cookie = kept
        assert (await browser.fetch("GET", "/models")).status_code == 401


@pytest.mark.parametrize(
    ("then", "expected"),
    [("mira:one", 200), ("mira:two", 401), ("jun:one", 401), ("", 401)],
)
async def test_a_session_is_void_once_its_password_has_changed(then: str, expected: int) -> None:
    login = Login(name="mira", password="one")
    async with open_node(login=login) as node, Browser(node) as browser:
        await browser.visit("/login")
        await browser.send_form("/login", {"name": "mira", "password": "one"})
        kept = browser.cookie
    name, _, password = then.partition(":")
    changed = Login(name=name, password=password) if then else None
    async with open_node(login=changed) as node, Browser(node) as browser:
        browser.cookie = kept
        assert (await browser.fetch("GET", "/models")).status_code == expected


async def test_behind_tls_the_cookie_stays_on_tls() -> None:
    settings = HttpSettings(trusted_proxies=("127.0.0.1/32",), allowed_hosts=("ai.example",))
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.9", "Host": "ai.example"}
    async with open_node(secrets=[SECRET], settings=settings) as node, Browser(node) as browser:
        form = await browser.visit("/login", {**TYPED, **proxied})
        cookie = form.headers["set-cookie"]
        assert cookie.startswith("__Host-inferd-443-form=")
        assert cookie.endswith("; Secure")
    async with open_node(secrets=[SECRET]) as node, Browser(node) as browser:
        form = await browser.visit("/login", {**TYPED, "X-Forwarded-Proto": "https"})
        assert "Secure" not in form.headers["set-cookie"]
