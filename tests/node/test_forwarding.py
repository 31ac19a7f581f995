"""Two and three nodes: the brief's remote inference, on real processes."""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.node.nodes import RunningNode, run_node

SECRET = "s3cret-for-the-tests"
WORDS = {"prompt": "The delivery was late but the food was wonderful."}
ECHO = """
[[backends]]
name = "pretend"
kind = "echo"
models = ["acme/pretend"]
tasks = ["text-generation", "image-classification", "text-to-image"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """The team's server: a shared secret, a backend the laptop lacks."""
    home = tmp_path_factory.mktemp("server")
    with run_node(home, secret(f"old-one,{SECRET}"), toml=ECHO) as node:
        yield node


@pytest.fixture(scope="module")
def laptop(server: RunningNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A laptop that may forward to it; no token of its own for anybody else."""
    home = tmp_path_factory.mktemp("laptop")
    with run_node(home, to(server)) as node:
        yield node


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A laptop with remote inference off."""
    with run_node(tmp_path_factory.mktemp("alone")) as node:
        yield node


def to(server: RunningNode, token: str = SECRET) -> dict[str, str]:
    return {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_ENDPOINT": f"{server.url}/inference",
        "REMOTE_INFERENCE_TOKEN": token,
    }


def secret(*words: str) -> dict[str, str]:
    return {"INFERENCE_SHARED_SECRET": ",".join(words)}


def source(answer: httpx2.Response) -> str:
    return answer.headers.get("x-inference-source", "")


# The five rows of the brief's matrix


def test_row_1_by_default_and_disabled_it_runs_here(alone: RunningNode) -> None:
    answer = alone.infer("sentiment-analysis", WORDS, use_remote="false")
    assert (answer.status_code, source(answer)) == (200, "local")


def test_row_2_asking_for_remote_when_disabled_is_not_configured(alone: RunningNode) -> None:
    answer = alone.infer("sentiment-analysis", WORDS, use_remote="true")
    assert answer.status_code == 400
    assert "not configured" in answer.text
    assert "REMOTE_INFERENCE_ENABLED" in answer.json()["hint"]


def test_row_3_asking_for_remote_when_enabled_runs_there(
    laptop: RunningNode, server: RunningNode
) -> None:
    answer = laptop.infer("sentiment-analysis", WORDS, use_remote="true")
    assert (answer.status_code, source(answer)) == (200, "remote")
    assert answer.headers["x-inference-node"] == server.id


def test_row_4_declining_remote_when_enabled_runs_here(laptop: RunningNode) -> None:
    answer = laptop.infer("sentiment-analysis", WORDS, use_remote="false")
    assert (answer.status_code, source(answer)) == (200, "local")
    assert answer.headers["x-inference-node"] == laptop.id


def test_row_5_unasked_it_runs_here_if_it_can_and_there_if_not(laptop: RunningNode) -> None:
    can = laptop.infer("sentiment-analysis", WORDS)
    cannot = laptop.infer("text-generation", {"prompt": "Hello"}, model="acme/pretend")
    assert (source(can), source(cannot)) == ("local", "remote")
    assert cannot.status_code == 200


def test_both_answers_are_the_same_wherever_it_ran(laptop: RunningNode) -> None:
    here = laptop.infer("sentiment-analysis", WORDS, use_remote="false").json()
    there = laptop.infer("sentiment-analysis", WORDS, use_remote="true").json()
    assert here == there


def test_the_briefs_example_sends_an_image_with_text_generation(laptop: RunningNode) -> None:
    image = os.urandom(5 << 20)
    answer = laptop.infer(
        "text-generation", {"inputs": "Describe the image."}, model="acme/pretend", image=image,
        use_remote="true",
    )  # fmt: skip
    assert (answer.status_code, source(answer)) == (200, "remote")


def test_five_megabytes_of_image_arrive_unchanged(laptop: RunningNode) -> None:
    image = os.urandom(5 << 20)
    answer = laptop.infer("image-classification", {}, model="acme/pretend", image=image)
    assert source(answer) == "remote"
    assert hashlib.sha256(image).hexdigest() in answer.text


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_a_file_passes_through_without_being_held_in_memory(
    server: RunningNode, tmp_path: Path
) -> None:
    with run_node(tmp_path / "n", to(server)) as laptop:
        before = memory_mb(laptop)
        image = os.urandom(1 << 20) * 48
        answer = laptop.infer("image-classification", {}, model="acme/pretend", image=image)
        assert hashlib.sha256(image).hexdigest() in answer.text
        assert memory_mb(laptop) - before < 24


def memory_mb(node: RunningNode) -> float:
    """Return the most memory that a node has held."""
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def test_an_image_and_a_sound_of_one_form_arrive_unchanged(laptop: RunningNode) -> None:
    image, sound = os.urandom(1 << 20), os.urandom(1 << 20)
    spec = {"model_id": "acme/pretend", "task": "image-classification", "payload": {}}
    form = {
        "spec": (None, json.dumps(spec), "application/json"),
        "image": ("photo.jpg", image, "image/jpeg"),
        "audio": ("sound.wav", sound, "audio/wav"),
    }
    answer = httpx2.post(f"{laptop.url}/inference", files=form, timeout=30)
    assert (answer.status_code, source(answer)) == (200, "remote"), answer.text
    for data in (image, sound):
        assert hashlib.sha256(data).hexdigest() in answer.text


def test_an_image_for_a_text_task_is_not_used_here_and_the_answer_says_so(
    alone: RunningNode,
) -> None:
    answer = alone.infer("sentiment-analysis", WORDS, image=b"\x89PNG")
    assert answer.status_code == 200
    assert "image was not used" in answer.headers["x-inference-warning"]


def test_head_says_where_a_request_would_go_now(laptop: RunningNode, alone: RunningNode) -> None:
    assert source(httpx2.head(f"{laptop.url}/inference")) == "remote"
    here = httpx2.head(f"{laptop.url}/inference", params={"task": "sentiment-analysis"})
    assert source(here) == "local"
    assert source(httpx2.head(f"{alone.url}/inference")) == "local"


def test_models_of_both_are_listed_each_with_where_it_runs(laptop: RunningNode) -> None:
    query = {"task": "text-generation", "include_remote": "true"}
    rows = httpx2.get(f"{laptop.url}/models", params=query).json()
    (row,) = [row for row in rows if row["id"] == "acme/pretend"]
    assert row["runs"][0]["source"] == "remote"
    local = httpx2.get(f"{laptop.url}/models", params={"task": "text-generation"}).json()
    assert not [row for row in local if row["id"] == "acme/pretend"]


def test_chat_streams_through_another_node(laptop: RunningNode) -> None:
    body = {
        "model": "inferd-docs",
        "stream": True,
        "messages": [{"role": "user", "content": "How do I add a backend?"}],
    }
    headers = {"X-Inference-Use-Remote": "true"}
    url = f"{laptop.url}/v1/chat/completions"
    with httpx2.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
        assert source(answer) == "remote"
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    assert len(lines) > 5


def test_a_wrong_token_is_a_clear_error_that_names_no_secret(
    server: RunningNode, tmp_path: Path
) -> None:
    toml = "[remote]\nfallback_local = false\n"
    with run_node(tmp_path / "n", to(server, "wrong-token-of-mine"), toml=toml) as laptop:
        answer = laptop.infer("sentiment-analysis", WORDS, use_remote="true")
    assert answer.status_code == 503
    assert "credential" in answer.text or "token" in answer.text
    assert "wrong-token-of-mine" not in answer.text + (laptop.home / "log").read_text()


def test_a_dead_endpoint_is_passed_over_for_the_next(server: RunningNode, tmp_path: Path) -> None:
    endpoints = f"http://127.0.0.1:{free_port()},{server.url}"
    environment = {**to(server), "REMOTE_INFERENCE_ENDPOINTS": endpoints}
    del environment["REMOTE_INFERENCE_ENDPOINT"]
    with run_node(tmp_path / "n", environment) as laptop:
        answers = [laptop.infer("sentiment-analysis", WORDS, use_remote="true") for _ in range(4)]
    assert {source(answer) for answer in answers} == {"remote"}
    assert {answer.status_code for answer in answers} == {200}


def test_a_server_killed_mid_request_falls_back_to_this_machine(tmp_path: Path) -> None:
    slow = ECHO.replace('"text-generation"', '"text-classification"').replace(
        "tasks =", "options = { delay = 30.0 }\ntasks ="
    )
    toml = "[local]\nenabled = false\n" + slow
    with (
        run_node(tmp_path / "server", secret(SECRET), toml=toml) as server,
        run_node(tmp_path / "laptop", to(server)) as laptop,
        httpx2.Client(timeout=30) as client,
    ):
        spec = {"model_id": "", "task": "sentiment-analysis", "payload": WORDS}
        form = {"spec": (None, json.dumps(spec), "application/json"), "use_remote": (None, "true")}
        request = client.build_request("POST", f"{laptop.url}/inference", files=form)
        with socket.create_connection(("127.0.0.1", request.url.port or 0), 10) as line:
            head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
            body = request.read()
            line.sendall(f"POST /inference HTTP/1.1\r\n{head}\r\n".encode() + body)
            wait_until_busy(server)
            server.kill()
            line.settimeout(20)
            reply = line.recv(65536).decode()
    assert reply.startswith("HTTP/1.1 200")
    assert "x-inference-source: local" in reply.lower()
    assert "x-inference-warning" in reply.lower()


def test_two_nodes_that_point_at_each_other_refuse_the_loop(tmp_path: Path) -> None:
    port = free_port()
    forward = {"REMOTE_INFERENCE_ENABLED": "true", "REMOTE_INFERENCE_TOKEN": SECRET,
               "INFERENCE_SHARED_SECRET": SECRET}  # fmt: skip
    there = {"REMOTE_INFERENCE_ENDPOINT": f"http://127.0.0.1:{port}"}
    with run_node(tmp_path / "a", {**forward, **there}) as a:
        environment = {**forward, "REMOTE_INFERENCE_ENDPOINT": a.url}
        with run_node(tmp_path / "b", environment, port=port) as b:
            asked = {"Authorization": f"Bearer {SECRET}"}
            answer = a.infer(
                "text-generation", {"prompt": "Hello"}, model="acme/nobody", headers=asked
            )
            assert answer.status_code == 508, answer.text
            assert answer.json()["request_id"]
            assert b.infer("sentiment-analysis", WORDS, headers=asked).status_code == 200


def test_a_chain_of_three_nodes_answers_from_its_end(server: RunningNode, tmp_path: Path) -> None:
    with (
        run_node(tmp_path / "staging", {**to(server), **secret("staging")}) as staging,
        run_node(tmp_path / "laptop", to(staging, "staging")) as laptop,
    ):
        answer = laptop.infer("text-generation", {"prompt": "Hello"}, model="acme/pretend")
        path = [node.id for node in (laptop, staging, server)]
    assert (answer.status_code, source(answer)) == (200, "remote")
    assert answer.headers["x-inference-node"] == server.id
    assert [name.strip() for name in answer.headers["x-inference-nodes"].split(",")] == path


def test_the_audit_log_tells_who_what_where_and_not_the_words(
    server: RunningNode, tmp_path: Path
) -> None:
    with run_node(tmp_path / "n", to(server)) as laptop:
        laptop.infer("sentiment-analysis", {"prompt": "unmistakable words"}, use_remote="true")
        laptop.infer("sentiment-analysis", {"prompt": "unmistakable words"}, use_remote="false")
    text = (laptop.home / "audit" / "remote.jsonl").read_text()
    (line,) = [json.loads(each) for each in text.splitlines()]
    assert (line["principal"], line["node"], line["outcome"]) == ("owner", server.id, "ok")
    assert line["sent_bytes"] > 0
    assert "unmistakable" not in text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_busy(server: RunningNode) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx2.Client(headers=headers) as client:
        for _ in range(2000):
            backends = client.get(f"{server.url}/status").json()["backends"]
            if any(backend["metrics"]["in_flight"] for backend in backends):
                return
    raise AssertionError("the server never got the request")
