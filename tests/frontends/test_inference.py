"""POST and HEAD /inference: every field, every place, every malformation."""

import json

import pytest

from inferd.core.request import InferenceRequest, Place, Tier
from inferd.core.result import Embeddings, Finish, Media, TextDelta
from inferd.gateway.routing.router import Rules
from tests.frontends.fakes import HELLO, FakeBackend, says
from tests.frontends.nodes import Node, open_node

SPEC = json.dumps({"model_id": "tiny", "task": "text-generation", "payload": {"prompt": "Hi"}})
PICTURE = json.dumps({"task": "image-classification", "payload": {}})
TASKS = frozenset({"text-generation", "image-classification"})
FORM = "multipart/form-data; boundary=b"


def node_backend(name: str = "peer") -> FakeBackend:
    return FakeBackend(
        says(*HELLO), name, tier=Tier.TEAM, is_node=True, models=(), open_tasks=TASKS
    )


def field(name: str, value: str) -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def file(name: str, value: str, filename: str = "f.png") -> str:
    head = f'form-data; name="{name}"; filename="{filename}"'
    return f"--b\r\nContent-Disposition: {head}\r\nContent-Type: image/png\r\n\r\n{value}\r\n"


async def post(node: Node, *parts: str, end: str = "--b--\r\n", **headers: str) -> tuple[int, str]:
    answer = await node.client.post(
        "/inference",
        content="".join(parts) + end,
        headers={"Content-Type": FORM, **headers},
    )
    return answer.status_code, answer.text


async def content_of(request: InferenceRequest) -> list[tuple[str, str, str]]:
    return [(file.field, file.name, file.content_type) for file in request.files]


@pytest.mark.parametrize(
    ("use_remote", "remotes", "answered_by", "place"),
    [
        ("false", 0, "here", Place.LOCAL),
        ("true", 0, "", Place.REMOTE),
        ("true", 1, "peer", Place.REMOTE),
        ("false", 1, "here", Place.LOCAL),
        (None, 1, "here", Place.ANY),
    ],
)
async def test_the_caller_says_where_to_run(
    use_remote: str | None, remotes: int, answered_by: str, place: Place
) -> None:
    here, peer = FakeBackend(says(*HELLO), "here"), node_backend()
    async with open_node(here, *[peer] * remotes) as node:
        data = {"use_remote": use_remote} if use_remote else {}
        answer = await node.client.post("/inference", data=data, files={"spec": (None, SPEC)})
    if not answered_by:
        assert answer.status_code == 400
        assert answer.json()["kind"] == "not_configured"
        return
    assert answer.status_code == 200
    assert answer.headers["x-inference-backend"] == answered_by
    assert answer.headers["x-inference-source"] == ("local" if answered_by == "here" else "remote")
    asked = here if answered_by == "here" else peer
    assert asked.requests[0].place is place


async def test_a_task_that_nobody_does_here_goes_to_another_node() -> None:
    here, peer = FakeBackend(says(*HELLO), "here", models=()), node_backend()
    async with open_node(here, peer) as node:
        answer = await node.client.post("/inference", files={"spec": (None, SPEC)})
    assert answer.headers["x-inference-source"] == "remote"


@pytest.mark.parametrize("said", ["maybe", "", "yes", "1"])
async def test_use_remote_is_true_or_false(said: str) -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        status, text = await post(node, field("spec", SPEC), field("use_remote", said))
    assert status == 400
    assert "use_remote must be true or false" in text


async def test_form_and_header_must_not_contradict_each_other() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        parts = (field("spec", SPEC), field("use_remote", "false"))
        assert (await post(node, *parts, **{"X-Inference-Use-Remote": "false"}))[0] == 200
        status, text = await post(node, *parts, **{"X-Inference-Use-Remote": "true"})
    assert status == 400
    assert "contradict" in text


async def test_headers_say_how_far_how_long_and_through_whom() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/inference",
            files={"spec": (None, SPEC)},
            headers={
                "X-Inference-Hops": "node-x, node-y",
                "X-Inference-Tier": "local,team",
                "X-Inference-Timeout": "30",
                "X-Inference-Use-Remote": "false",
            },
        )
    assert answer.status_code == 200
    [request] = backend.requests
    assert request.hops == ("node-x", "node-y")
    assert request.tiers == frozenset({Tier.LOCAL, Tier.TEAM})
    assert request.place is Place.LOCAL
    assert request.deadline is not None


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("X-Inference-Tier", "galaxy", 400),
        ("X-Inference-Timeout", "soon", 400),
        ("X-Inference-Timeout", "0", 400),
        ("X-Inference-Timeout", "-1", 400),
        ("X-Inference-Timeout", "nan", 400),
        ("X-Inference-Timeout", "inf", 400),
        ("X-Inference-Use-Remote", "perhaps", 400),
        ("X-Inference-Hops", "a b", 400),
        ("X-Inference-Hops", "x" * 129, 400),
        ("X-Inference-Hops", ",".join(f"n{i}" for i in range(33)), 508),
        ("X-Inference-Hops", "node-a", 508),
    ],
)
async def test_a_header_that_cannot_be_meant_is_refused(name: str, value: str, status: int) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        for path, body in (
            ("/inference", {"task": "text-generation", "payload": {"prompt": "Hi"}}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        ):
            answer = await node.client.post(path, json=body, headers={name: value})
            assert answer.status_code == status
    assert backend.requests == []


async def test_json_is_a_form_without_files() -> None:
    here, peer = FakeBackend(says(*HELLO), "here"), node_backend()
    spec = json.loads(SPEC)
    async with open_node(here, peer) as node:
        for said, backend in ((None, "here"), (False, "here"), (True, "peer"), ("true", "peer")):
            answer = await node.client.post("/inference", json={**spec, "use_remote": said})
            assert answer.headers["x-inference-backend"] == backend
        refused = await node.client.post("/inference", json={**spec, "use_remote": 7})
    assert refused.status_code == 400


async def test_an_image_that_the_task_does_not_take_is_told_and_not_used() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await node.client.post(
            "/inference", files={"spec": (None, SPEC), "image": ("i.png", b"123", "image/png")}
        )
    assert answer.status_code == 200
    assert "image was not used" in answer.headers["x-inference-warning"]


async def test_a_file_result_is_shown_under_its_own_type_and_a_safe_name() -> None:
    media = Media(data=b"\x89PNG", content_type="image/png", name='a"b\\c\r\n.png')
    async with open_node(FakeBackend(says(media, Finish()))) as node:
        answer = await node.client.post("/inference", files={"spec": (None, SPEC)})
    assert answer.content == b"\x89PNG"
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'inline; filename="a_b_c  .png"'
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_one_text_gives_one_vector_and_a_list_gives_a_list() -> None:
    vector = Embeddings(data=b"\0\0\x80\x3f\0\0\0\0", dimension=2)
    async with open_node(FakeBackend(says(vector, Finish()))) as node:
        for prompt, expected in (("a", [1.0, 0.0]), (["a"], [[1.0, 0.0]])):
            spec = {"task": "feature-extraction", "payload": {"prompt": prompt}}
            answer = await node.client.post("/inference", json=spec)
            assert answer.json() == {"embedding": expected}


async def test_without_a_spec_there_is_nothing_to_do() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        for parts in ((field("use_remote", "false"),), (file("image", "x"),)):
            status, text = await post(node, *parts)
            assert status == 422
            assert "spec" in text


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((field("spec", "{"),), "Invalid spec: "),
        ((field("spec", "[]"),), "Invalid spec: "),
        ((field("spec", "{}"),), "Invalid spec: "),
        ((field("spec", '{"task":"text-generation"}'),), "prompt"),
        ((field("spec", '{"task":"nothing"}'),), "Unsupported task"),
        ((field("spec", PICTURE),), "needs image"),
        ((field("spec", SPEC), field("spec", SPEC)), "two parts called spec"),
        ((field("spec", SPEC), field("sepc", "x")), "'sepc'"),
        ((field("spec", SPEC), file("picture", "x")), "'picture'"),
        ((field("spec", SPEC), file("image", "x"), file("image", "y")), "two parts"),
        ((field("spec", SPEC), file("image", "data", filename="")), "no file name"),
        ((field("spec", SPEC), field("use_remote", "x" * 65)), "use_remote is longer"),
    ],
)
async def test_a_form_that_cannot_be_meant_is_refused_with_the_reason(
    parts: tuple[str, ...], reason: str
) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        status, text = await post(node, *parts)
    assert status in (400, 413)
    assert reason in text
    assert "request_id" in text
    assert backend.requests == []


async def test_an_empty_file_input_is_no_file() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        status, _ = await post(node, field("spec", SPEC), file("image", "", filename=""))
    assert status == 200
    assert backend.requests[0].files == ()


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (FORM, "", 400),
        (FORM, "nonsense", 400),
        (FORM, field("spec", SPEC), 400),
        (FORM, "--b\r\n\r\nno header\r\n--b--\r\n", 400),
        ("multipart/form-data", field("spec", SPEC) + "--b--", 400),
        ("multipart/mixed; boundary=b", field("spec", SPEC) + "--b--", 415),
        ("text/plain", SPEC, 415),
        ("application/json", "{", 400),
        ("application/json", "", 400),
        ("", SPEC, 415),
    ],
)
async def test_a_body_that_is_not_a_form_is_a_typed_error(
    content_type: str, body: str, status: int
) -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await node.client.post(
            "/inference", content=body, headers={"Content-Type": content_type}
        )
    assert answer.status_code == status
    assert answer.json()["kind"] == "invalid_request"
    assert answer.json()["reason"]


async def test_head_says_where_a_request_would_go_now() -> None:
    here, peer = FakeBackend(says(*HELLO), "here"), node_backend()
    async with open_node(
        here, peer, routing=Rules(prefer_remote=frozenset({"text-generation"}))
    ) as node:
        plain = await node.client.head("/inference")
        picture = await node.client.head("/inference?task=image-classification&model_id=tiny")
        remote = await node.client.head("/inference?task=image-classification&use_remote=true")
        nobody = await node.client.head("/inference?task=fill-mask")
        unknown = await node.client.head("/inference?task=nothing")
    assert plain.headers["x-inference-source"] == "remote"
    assert picture.headers["x-inference-source"] == "local"
    assert picture.headers["x-inference-backend"] == "here"
    assert remote.headers["x-inference-source"] == "remote"
    assert nobody.status_code == 200
    assert "no backend here runs any model" in nobody.headers["x-inference-warning"]
    assert unknown.status_code == 400
    assert here.requests == peer.requests == []


async def test_a_stream_is_only_for_tasks_that_stream() -> None:
    backend = FakeBackend(says(TextDelta("Hi"), Finish()))
    async with open_node(backend) as node:
        spec = {"task": "feature-extraction", "payload": {"prompt": "a"}}
        answer = await node.client.post(
            "/inference", json=spec, headers={"Accept": "text/event-stream"}
        )
    assert answer.headers["content-type"] == "application/json"
    assert backend.requests[0].stream is False


async def test_json_that_nests_without_end_is_refused() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    async with open_node(FakeBackend(says())) as node:
        for path in ("/inference", "/models/any", "/v1/chat/completions", "/v1/embeddings"):
            answer = await node.client.post(
                path, content=deep, headers={"Content-Type": "application/json"}
            )
            assert (answer.status_code, "nests too deep" in answer.text) == (400, True), path
