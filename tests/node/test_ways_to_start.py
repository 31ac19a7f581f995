"""A node under another's server, and what keeps a node from starting."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from inferd.config.load import load
from inferd.node.home import CannotStart
from inferd.node.node import open_node
from inferd.node.serve import serve
from tests.node.nodes import ALONE, RunningNode, run_node


def config(home: Path, **environment: str):
    environ = {"INFERD_HOME": str(home), "PORT": "0", "HOME": str(home), **ALONE, **environment}
    return load(environ=environ, cwd=home).config


async def start(home: Path, **environment: str) -> None:
    await serve(config(home, **environment), ready=lambda _url: None)


async def test_a_taken_port_is_named_and_another_proposed(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart) as refused:
            await start(tmp_path, PORT=str(port))
    assert f"port {port} on 127.0.0.1 is taken" in str(refused.value)
    assert f"--port {port + 1}" in refused.value.hint


async def test_a_bind_beyond_loopback_needs_a_secret(tmp_path: Path) -> None:
    with pytest.raises(CannotStart) as refused:
        await start(tmp_path, INFERD_HOST="0.0.0.0")
    assert "INFERENCE_SHARED_SECRET" in refused.value.hint


async def test_one_home_folder_holds_one_node(tmp_path: Path) -> None:
    with run_node(tmp_path) as node, pytest.raises(CannotStart) as refused:
        await start(tmp_path)
    assert node.url in str(refused.value)


async def test_a_backend_of_an_unknown_kind_names_the_kinds(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text('[[backends]]\nname = "x"\nkind = "opnai"\n')
    with pytest.raises(CannotStart, match="openai"):
        async with open_node(config(tmp_path)):
            pass


async def test_a_task_misspelt_in_the_configuration_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text('[remote]\nprefer_tasks = ["text-generaton"]\n')
    with pytest.raises(CannotStart) as refused:
        async with open_node(config(tmp_path)):
            pass
    assert "text-generation" in refused.value.hint


async def test_a_node_without_a_listener_answers_and_leaves_its_books_written(
    tmp_path: Path,
) -> None:
    async with open_node(config(tmp_path)) as node:
        transport = httpx2.ASGITransport(app=node.app)
        headers = {"Authorization": f"Bearer {node.owner_token}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers
        ) as client:
            answer = await client.post("/v1/embeddings", json={"model": "minilm", "input": "a cat"})
    assert answer.status_code == 200
    assert (tmp_path / "ledger.db").stat().st_size > 0
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def test_uvicorn_users_can_start_it_their_way(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **ALONE}
    environment["INFERD_HOME"] = str(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "inferd.asgi:app", "--port", str(port)],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert any("Uvicorn running" in line for line in process.stderr)
        answer = httpx2.post(
            f"http://127.0.0.1:{port}/v1/embeddings", json={"model": "minilm", "input": "a cat"}
        )
        assert answer.status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=15)


def test_a_wrong_configuration_stops_uvicorn_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "inferd.toml").write_text("[server]\nprot = 9000\n")
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "inferd.asgi:app", "--port", "0"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "server.port" in ended.stderr


def test_preferred_tasks_go_to_the_other_node_unasked(tmp_path: Path) -> None:
    secret = {"INFERENCE_SHARED_SECRET": "s3cret-word"}
    with run_node(tmp_path / "server", secret) as server:
        environment = {
            "REMOTE_INFERENCE_ENABLED": "true",
            "REMOTE_INFERENCE_ENDPOINT": server.url,
            "REMOTE_INFERENCE_TOKEN": "s3cret-word",
        }
        toml = '[remote]\nprefer_tasks = ["question-answering"]\n'
        with run_node(tmp_path / "laptop", environment, toml=toml) as laptop:
            preferred = ask(laptop, "question-answering")
            usual = laptop.infer("sentiment-analysis", {"prompt": "fine"})
    assert preferred.headers["x-inference-source"] == "remote"
    assert usual.headers["x-inference-source"] == "local"


def ask(node: RunningNode, task: str) -> httpx2.Response:
    payload = {"qa_question": "Who wrote it?", "qa_context": "Ada Lovelace wrote it in 1843."}
    return node.infer(task, payload)


def test_a_secret_means_that_nobody_comes_in_without_it(tmp_path: Path) -> None:
    with run_node(tmp_path, {"INFERENCE_SHARED_SECRET": "first-one,second-one"}) as node:
        for path in ("/models", "/run?task=chat", "/v1/models", "/status", "/"):
            answer = httpx2.get(node.url + path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
        for word, status in {"first-one": 200, "second-one": 200, "third-one": 401}.items():
            headers = {"Authorization": f"Bearer {word}"}
            assert httpx2.get(f"{node.url}/v1/models", headers=headers).status_code == status
        asked = {"Authorization": "Bearer first-one"}
        assert httpx2.get(f"{node.url}/status", headers=asked).status_code == 403
    assert "first-one" not in (node.home / "log").read_text()


async def test_a_secret_that_can_be_guessed_keeps_nobody_out(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="can be guessed"):
        await start(tmp_path, INFERD_HOST="0.0.0.0", INFERENCE_SHARED_SECRET="short")


async def test_secrets_may_come_as_a_list(tmp_path: Path) -> None:
    secrets = config(tmp_path, INFERENCE_SHARED_SECRET='["alpha-word", "beta-word"]')
    words = [secret.get_secret_value() for secret in secrets.auth.shared_secrets]
    assert words == ["alpha-word", "beta-word"]


def test_json_longer_than_can_be_taken_apart_is_refused(tmp_path: Path) -> None:
    nested = b'{"task":"sentiment-analysis","payload":{"prompt":"x","z":[' + b"[]," * 8_000_000
    with run_node(tmp_path) as node:
        for path in ("/inference", "/v1/embeddings"):
            answer = httpx2.post(
                node.url + path, content=nested + b"[]]}}", timeout=30,
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            assert answer.status_code == 413
            assert "20 MiB" in answer.text
