"""The edge: hosts, origins, credentials, sizes, ids."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from inferd.frontends._http.guard import Guard, Shape
from inferd.frontends._http.origins import Site, is_local, is_loopback, site_of
from inferd.frontends._http.settings import HttpSettings
from inferd.http1.server.asgi import LINGERS
from inferd.wire.openai_chat import encode_error
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import OWNER_TOKEN, Node, open_node

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
APP = "https://app.example"
SECRET = "s3cret"


async def status(node: Node, head: str) -> int:
    """Send a request's head as it stands, and return the answer's status."""
    answer = await node.say(f"{head}\nConnection: close\n\n")
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("{host}", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("localhost.:80", 200),
        ("[::1]:8000", 200),
        ("a.localhost", 200),
        ("node.lan:8000", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("192.168.0.7", 421),
        ("local host", 400),
        ("localhost:x", 400),
        ("user@localhost", 400),
        ("", 400),
    ],
)
async def test_a_loopback_node_answers_to_its_own_names_only(host: str, expected: int) -> None:
    async with open_node(settings=HttpSettings(allowed_hosts=("node.lan",))) as node:
        assert await status(node, f"GET /healthz HTTP/1.1\nHost: {host}") == expected


async def test_a_node_on_the_network_answers_to_any_name_unless_names_are_listed() -> None:
    async with open_node(settings=HttpSettings(loopback_only=False)) as node:
        assert await status(node, "GET /healthz HTTP/1.1\nHost: any.example") == 200
    listed = HttpSettings(loopback_only=False, allowed_hosts=("Node.lan",))
    async with open_node(settings=listed) as node:
        for host, expected in (("any.example", 421), ("node.LAN:1", 200), ("192.168.0.7", 200)):
            assert await status(node, f"GET /healthz HTTP/1.1\nHost: {host}") == expected


async def test_there_must_be_exactly_one_host() -> None:
    async with open_node() as node:
        assert await status(node, "GET /healthz HTTP/1.1\nHost: {host}\nHost: {host}") == 400
        assert await status(node, "GET /healthz HTTP/1.0") == 400


async def test_a_foreign_page_is_refused_with_a_reason() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        for origin in (APP, "null", f"http://{node.host}.evil", "http://localhost:1"):
            answer = await node.client.post(
                "/v1/chat/completions", json=CHAT, headers={"Origin": origin}
            )
            assert answer.status_code == 403
            assert answer.json()["error"]["code"] == "permission_denied"
            assert "access-control-allow-origin" not in answer.headers
    assert backend.requests == []


async def test_the_node_s_own_pages_need_their_session() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        own = {"Origin": f"http://{node.host}"}
        answer = await node.client.post("/v1/chat/completions", json=CHAT, headers=own)
    assert answer.status_code == 401
    assert backend.requests == []


async def test_a_listed_page_may_ask_with_a_credential_and_read_the_answer() -> None:
    settings = HttpSettings(cors_origins=(APP,))
    async with open_node(FakeBackend(says(*HELLO)), settings=settings) as node:
        stranger = await node.client.post(
            "/v1/chat/completions", json=CHAT, headers={"Origin": APP}
        )
        known = await node.client.post(
            "/v1/chat/completions",
            json=CHAT,
            headers={"Origin": APP, "Authorization": f"Bearer {OWNER_TOKEN}"},
        )
    assert stranger.status_code == 401
    assert known.status_code == 200
    for answer in (stranger, known):
        assert answer.headers["access-control-allow-origin"] == APP
        assert "Origin" in answer.headers["vary"]
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert {"X-Request-Id", "Link", "X-Total-Count", "X-HF-Cache", "X-HF-Error"} <= {*exposed}


async def test_a_listed_page_s_preflight_is_answered_without_a_credential() -> None:
    settings = HttpSettings(cors_origins=(APP,))
    asks = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    async with open_node(settings=settings, secrets=[SECRET]) as node:
        listed = await node.client.options("/inference", headers={"Origin": APP, **asks})
        other = await node.client.options("/inference", headers={"Origin": "https://x.y", **asks})
    assert listed.status_code == 204
    assert listed.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "POST" in listed.headers["access-control-allow-methods"]
    assert listed.headers["access-control-allow-private-network"] == "true"
    assert other.status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "Via",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "X-Original-Forwarded-For",
        "X-Cluster-Client-IP",
        "X-Envoy-External-Address",
        "CF-Connecting-IP",
        "True-Client-IP",
        "Fastly-Client-IP",
        "CDN-Loop",
    ],
)
async def test_a_forwarded_request_is_never_the_local_owner_s(header: str) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/v1/chat/completions", json=CHAT, headers={header: "127.0.0.1"}
        )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert backend.requests == []


async def test_a_trusted_proxy_s_connections_are_never_the_local_owner_s() -> None:
    settings = HttpSettings(trusted_proxies=("127.0.0.0/8",))
    async with open_node(settings=settings) as node:
        assert (await node.client.get("/models")).status_code == 401


def test_only_loopback_peers_asking_for_loopback_names_are_local() -> None:
    def local(peer: str | None, authority: str) -> bool:
        scope = {"client": (peer, 1) if peer else None, "headers": []}
        return is_local(scope, authority, HttpSettings())

    assert local("127.0.0.1", "localhost:8000")
    assert local("::1", "[::1]:8000")
    assert local("::ffff:127.0.0.1", "127.0.0.1")
    assert not local("192.168.0.7", "localhost:8000")
    assert not local("127.0.0.1", "node.lan:8000")
    assert not local(None, "localhost")
    assert not is_loopback("0.0.0.0")


@pytest.mark.parametrize(
    ("headers", "site"),
    [
        ([], Site.PROGRAM),
        ([("sec-fetch-site", "same-origin")], Site.OWN),
        ([("sec-fetch-site", "none")], Site.TYPED),
        ([("sec-fetch-site", "same-site")], Site.FOREIGN),
        ([("sec-fetch-site", "cross-site")], Site.FOREIGN),
        ([("sec-fetch-site", "whatever")], Site.FOREIGN),
        ([("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")], Site.FOREIGN),
        ([("origin", "http://localhost:1")], Site.OWN),
        ([("origin", "https://LOCALHOST:1")], Site.OWN),
        ([("origin", "http://localhost:2")], Site.FOREIGN),
        ([("origin", "null")], Site.FOREIGN),
        ([("origin", "http://localhost:1"), ("origin", "http://x")], Site.FOREIGN),
        ([("sec-fetch-site", "same-origin"), ("origin", "http://x")], Site.FOREIGN),
        ([("sec-fetch-site", "same-site"), ("origin", "http://localhost:1")], Site.FOREIGN),
        ([("origin", "http://localhost:1"), ("sec-fetch-site", "none")], Site.TYPED),
    ],
)
def test_what_a_browser_says_of_the_page_that_asks(
    headers: list[tuple[str, str]], site: Site
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    assert site_of({"headers": raw}, "localhost:1") is site


async def test_with_a_secret_set_every_caller_must_show_one() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend, secrets=[SECRET]) as node:
        for shown, expected in [
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": f"Basic {SECRET}"}, 401),
            ({"Authorization": f"Bearer {SECRET}"}, 200),
            ({"Authorization": f"bearer {SECRET}"}, 200),
        ]:
            answer = await node.client.post("/v1/chat/completions", json=CHAT, headers=shown)
            assert answer.status_code == expected
        assert (await node.client.get("/healthz")).status_code == 200
    assert len(backend.requests) == 2


async def test_two_credentials_are_none() -> None:
    async with open_node(secrets=[SECRET]) as node:
        head = "GET /models HTTP/1.1\nHost: {host}" + f"\nAuthorization: Bearer {SECRET}" * 2
        assert await status(node, head) == 401


@pytest.mark.parametrize("path", ["/inference", "/v1/chat/completions", "/admin/explain"])
async def test_without_a_credential_not_a_byte_of_the_body_is_waited_for(path: str) -> None:
    async with open_node(secrets=[SECRET]) as node, node.dial() as wire:
        await wire.send(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
            "Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = await wire.until(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("path", ["/inference", "/v1/chat/completions"])
async def test_a_body_that_says_it_is_too_long_is_refused_unread(path: str) -> None:
    async with open_node(settings=HttpSettings(max_body_bytes=1000)) as node, node.dial() as wire:
        await wire.send(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000001\r\n"
            "Content-Type: application/json\r\n\r\n"
        )
        answer = await wire.until(b"}")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert b"payload_too_large" in answer


@pytest.mark.parametrize("path", ["/inference", "/v1/chat/completions"])
async def test_a_body_that_grows_too_long_is_refused_where_it_does(path: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async with open_node(settings=HttpSettings(max_body_bytes=1000)) as node:
        answer = await node.client.post(
            path, content=endless(), headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 413
    assert "payload_too_large" in answer.text


@pytest.mark.parametrize(("extensions", "heard"), [({}, 4), ({LINGERS: {}}, 2)])
async def test_who_still_sends_is_heard_by_the_guard_or_by_our_server_not_by_both(
    extensions: dict[str, object], heard: int
) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/inference",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "extensions": extensions,
    }
    pieces = [b"x" * 800, b"x" * 800, b"x", b""]
    received: list[bytes] = []
    sent: list[Message] = []

    async def receive() -> Message:
        received.append(pieces[len(received)])
        return {"type": "http.request", "body": received[-1], "more_body": bool(received[-1])}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["more_body"]:
            pass

    shapes = [Shape("/", encode_error)]
    await Guard(app, HttpSettings(max_body_bytes=1000), shapes)(scope, receive, send)
    assert sent[0]["status"] == 413
    assert b"payload_too_large" in sent[1]["body"]
    assert not sent[-1]["more_body"]
    assert len(received) == heard


@pytest.mark.parametrize(
    ("shown", "kept"),
    [("abc-1.2_Z", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("é", False)],
)
async def test_the_caller_s_request_id_is_kept_where_it_is_harmless(shown: str, kept: bool) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/v1/chat/completions", json=CHAT, headers={b"X-Request-Id": shown.encode()}
        )
    told = answer.headers["x-request-id"]
    assert (told == shown) is kept
    assert backend.requests[0].id == told


async def test_every_response_says_how_it_must_not_be_used() -> None:
    async with open_node() as node:
        for path in ("/", "/healthz", "/nothing"):
            answer = await node.client.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert "x-request-id" in answer.headers


async def test_requests_on_one_connection_are_identified_one_by_one() -> None:
    async with open_node(secrets=[SECRET]) as node, node.dial() as wire:
        first = f"GET /models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\n\r\n"
        await wire.send(first)
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await wire.send("GET /models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b"HTTP/1.1 401 " in await wire.rest()


async def test_many_callers_at_once_get_their_own_answers() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(
                node.client.post(
                    "/v1/chat/completions", json=CHAT, headers={"X-Request-Id": f"r{number}"}
                )
            )
            for number in range(50)
        ]
        answers = [await task for task in asked]
    assert [answer.json()["id"] for answer in answers] == [f"chatcmpl-r{n}" for n in range(50)]
