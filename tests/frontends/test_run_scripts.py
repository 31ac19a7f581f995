"""The Run dialog's logic in Node.js, and its snippets as somebody would paste them."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from inferd.core.answer import Answer
from inferd.core.backend import Model
from inferd.core.request import InferenceRequest, Place
from inferd.core.result import Finish, Media, Value
from inferd.core.tasks import TASKS
from tests.clients.environments import python_with
from tests.frontends.fakes import FakeBackend, says
from tests.frontends.nodes import open_node

pytestmark = pytest.mark.extra

SCRIPTS = Path(__file__).parent / "run_scripts"
ODD = (
    "it's \"quoted\" \\ \\\\ \\n \\' $HOME `id` $(id) %PATH% !! ;type=x @f "
    "ü 東京 😀 \u2028\x07\x85\ttab\nline\r\nend'"
)
SHELLS = tuple(os.environ.get("INFERD_TEST_SHELLS", "sh bash").split())
PICTURE = b"\x89PNG not really"


def tool(name: str) -> str:
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


async def run(*command: str | Path, cwd: Path | None = None, text: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "INFERD_KEY": "se'cret", "no_proxy": "*"},
    )
    async with asyncio.timeout(50):
        out, _ = await process.communicate(text.encode() or None)
    assert process.returncode == 0, out.decode()
    return out.decode()


async def paste(language: str, code: str, cwd: Path) -> str:
    """Run a snippet as it stands: a shell, Python and Node.js read it from their input."""
    match language:
        case "python":
            python = await asyncio.to_thread(python_with, "requests")
            return await run(python, "-", cwd=cwd, text=code)
        case "node":
            return await run(tool("node"), "--input-type=module", "-", cwd=cwd, text=code)
        case shell:
            tool("curl")
            silent = code.replace("curl ", "curl -sS --fail-with-body ", 1)
            return await run(tool(shell), "-c", silent, cwd=cwd)


async def asked(
    language: str, cwd: Path, *, task: str, payload: object, **more: object
) -> tuple[InferenceRequest, str]:
    """Paste a snippet of that request; return what the node was asked, and what was printed."""
    result = (
        Media(data=PICTURE, content_type="image/png")
        if task == "text-to-image"
        else Value([{"label": "ü", "score": 1.0}])
    )
    model = Model(id="own/er's model", tasks=frozenset(TASKS))
    answer = says(result, Finish())

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        for file in request.files:
            assert b"".join([piece async for piece in file.read()]) == PICTURE
        return await answer(backend, request)

    here = FakeBackend(infer, "here", models=(model,))
    async with open_node(here, secrets=["se'cret"]) as node:
        call = {
            "origin": f"http://{node.host}", "model": model.id, "task": task, "payload": payload,
            "extra": {}, "files": [], "needsKey": True, "output": "", **more,
        }  # fmt: skip
        kind = language if language in ("python", "node") else "curl"
        code = await run(tool("node"), SCRIPTS / "snippet.mjs", kind, json.dumps(call))
        printed = await paste(language, code, cwd)
    [request] = here.requests
    assert request.model == model.id
    return request, printed


async def test_the_dialog_s_logic() -> None:
    await run(tool("node"), "--test", SCRIPTS)


@pytest.mark.parametrize("language", [*SHELLS, "python", "node"])
async def test_a_snippet_asks_exactly_what_the_form_said(language: str, tmp_path: Path) -> None:
    payload = {"prompt": ODD, "candidate_labels": ["it's", 'a "b"', "c\\"]}
    request, printed = await asked(
        language, tmp_path, task="zero-shot-classification", payload=payload,
        extra={"multi_label": True, "odd": [None, False, 1.5, {"k'": ODD}]}, remote=False,
    )  # fmt: skip
    assert request.inputs == payload
    assert request.parameters == {"multi_label": True, "odd": [None, False, 1.5, {"k'": ODD}]}
    assert request.place is Place.LOCAL
    assert "label" in printed


@pytest.mark.parametrize("language", [*SHELLS, "python", "node"])
async def test_a_snippet_sends_a_file_by_its_name(language: str, tmp_path: Path) -> None:
    name = "it's my; pic, 東京.png"
    (tmp_path / name).write_bytes(PICTURE)
    request, _ = await asked(
        language, tmp_path, task="zero-shot-image-classification",
        payload={"candidate_labels": [ODD, "b"]},
        files=[{"field": "image", "name": name, "type": "image/png"}], remote=False,
    )  # fmt: skip
    assert request.inputs == {"candidate_labels": [ODD, "b"]}
    assert request.place is Place.LOCAL
    [file] = request.files
    assert (file.field, file.name) == ("image", name)


@pytest.mark.parametrize("language", ["sh", "python", "node"])
async def test_a_snippet_keeps_a_file_that_comes_back(language: str, tmp_path: Path) -> None:
    request, _ = await asked(
        language, tmp_path, task="text-to-image", payload={"prompt": "a"}, output="result.png"
    )
    assert request.place is Place.ANY
    assert (tmp_path / "result.png").read_bytes() == PICTURE


@pytest.mark.parametrize("language", ["sh", "python", "node"])
async def test_a_snippet_of_a_table_and_of_a_conversation(language: str, tmp_path: Path) -> None:
    table = [["city", "people"], ["Oslo", "700000"]]
    request, _ = await asked(
        language, tmp_path, task="table-question-answering",
        payload={"table": table, "table_query": "How many?\nIn Oslo"},
    )  # fmt: skip
    assert request.inputs == {"table": table, "table_query": "How many?\nIn Oslo"}
