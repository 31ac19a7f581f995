"""Command-line tools, driven by a real program."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inferd.backends import open_kind
from inferd.core.answer import collect
from inferd.core.backend import Backend
from inferd.core.content import Message
from inferd.core.errors import (
    BackendFailed,
    BackendLimited,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InvalidRequest,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Result, TextDelta
from tests.backends.subjects import NODE, PROGRAM, settings_of
from tests.clocks import HandClock
from tests.http1.upstream import BOUND

SCRIPTS = {
    "fail": 'read code words; echo the prompt >&2; echo "$words" >&2; exit $code',
    "halfway": "echo half an; exit 9",
    "list": "printf 'NAME ID\\none:1b abc\\ntwo:2b def\\n'",
    "silent": "cat > /dev/null",
    "text": "cat; echo",
}
"""Tools that a shell makes sooner than Python does."""


def command_of(mode: str) -> list[str]:
    script = SCRIPTS.get(mode)
    return [*PROGRAM, mode] if script is None else ["/bin/sh", "-c", script, "sh"]


@asynccontextmanager
async def tool(mode: str, *arguments: object, **more: object) -> AsyncGenerator[Backend]:
    timeout = more.pop("timeout", BOUND)
    models = more.pop("models", {})
    options = {"command": [*command_of(mode), *arguments], "grace": 0.1, **more}
    settings = settings_of("tool", models=models, options=options, timeout=timeout)
    async with (
        asyncio.timeout(BOUND),
        open_kind("cli_tool", settings, node=NODE, clock=HandClock()) as backend,
    ):
        yield backend


def ask(text: str = "hello", **more: object) -> InferenceRequest:
    fields: dict[str, object] = {
        "id": "r",
        "task": "chat",
        "inputs": {"messages": (Message(role="user", text=text),)},
        **more,
    }
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


async def result_of(backend: Backend, request: InferenceRequest) -> Result:
    answer = await backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


def runs(pid: int) -> bool:
    """Whether a process is there, and not only for its parent to bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def all_gone(pids: Sequence[int]) -> None:
    """Wait until they have ended; a test that gives up waiting ends them, so that none stays."""
    try:
        while any(map(runs, pids)):
            await asyncio.to_thread(os.sched_yield)
    finally:
        for pid in filter(runs, pids):
            os.kill(pid, signal.SIGKILL)


async def test_text_is_what_is_printed_without_its_last_line_end() -> None:
    async with tool("text") as backend:
        result = await result_of(backend, ask("two\nlines"))
        assert result.text == "two\nlines"
        assert backend.tier is Tier.CLOUD  # Where its words go, only its operator knows.


async def test_one_document_has_its_text_and_tokens_where_paths_say() -> None:
    paths = {"text": "answer.0.text", "input_tokens": "tokens.in", "output_tokens": "tokens.out"}
    async with tool("json", output="json", paths=paths) as backend:
        result = await result_of(backend, ask("hello"))
    assert (result.text, result.usage.input_tokens, result.usage.output_tokens) == ("hello", 3, 4)


async def test_it_runs_alone_with_little_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("SEEN", "yes")
    places = (["--model", "{model}"], ["-n", "{max_tokens}"], ["--seed", "{seed}"], "{braces}x")
    more = {"env": {"OWN": "mine"}, "inherits": ["SEEN"], "models": {"m": "theirs"}}
    paths = {"text": "all"}
    async with tool("surroundings", *places, output="json", paths=paths, **more) as backend:
        with pytest.raises(BackendFailed, match="printed no answer"):
            await result_of(backend, ask(model="m"))
    async with tool("surroundings", *places, **more) as backend:
        answer = await backend.infer(ask(model="m", parameters={"max_tokens": 7, "top_p": 0.5}))
        assert "top_p" in answer.served.warnings[0]
        seen = json.loads((await collect(answer)).text)
    assert seen["argv"] == ["--model", "theirs", "-n", "7", "{braces}x"]
    assert seen["files"] == []
    assert seen["group"]
    assert seen["env"]["OWN"] == "mine"
    assert seen["env"]["SEEN"] == "yes"
    assert "OPENAI_API_KEY" not in seen["env"]
    # What was left there is gone with the folder.
    assert not await asyncio.to_thread(os.path.exists, seen["folder"])


async def test_values_that_look_like_options_are_refused() -> None:
    async with tool("text", "{model}", models={"m": "--dangerous"}) as backend:
        with pytest.raises(InvalidRequest, match="can't be '--dangerous'"):
            await backend.infer(ask(model="m"))
    async with tool("text", "--", "{model}", models={"m": "-odd"}) as backend:
        assert (await result_of(backend, ask(model="m"))).text == "hello"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"command": []}, "the program itself"),
        ({"command": ["x", "{prompt}"]}, "stands for nothing"),
        ({"command": ["x", "{model}"]}, "`models` is missing"),
        ({"preset": "clod"}, "presets are claude"),
        ({"command": "rm -rf /"}, "Expected `array`"),
    ],
)
async def test_a_command_that_cannot_be_is_refused(options: object, why: str) -> None:
    settings = settings_of("tool", options=options)
    with pytest.raises(ValueError, match=why):
        async with open_kind("cli_tool", settings, node=NODE, clock=HandClock()):
            pass


async def test_leaving_ends_the_whole_group_that_ignores_it(tmp_path: Path) -> None:
    async with tool("fork") as backend:
        answer = await backend.infer(ask(str(tmp_path / "pids"), stream=True))
        assert await anext(answer) == TextDelta("begun")
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        answer.close()
        answer.close()
        await all_gone(pids)


@pytest.mark.parametrize("way", ["cancel", "late", "node"])
async def test_whoever_ends_it_nothing_is_left(tmp_path: Path, way: str) -> None:
    pids: list[int] = []
    async with tool("fork", timeout=0.4 if way == "late" else BOUND) as backend:
        asking = asyncio.ensure_future(backend.infer(ask(str(tmp_path / "pids"))))
        while len(pids) < 2 and not asking.done():
            await asyncio.to_thread(os.sched_yield)
            if (tmp_path / "pids").exists():
                pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        if way == "cancel":
            asking.cancel()
        if way != "node":
            await asyncio.wait((asking,))
        if way == "late":
            assert isinstance(asking.exception(), BackendTimeout)
    if way == "node":
        with pytest.raises(BackendUnavailable, match="closed"):
            await asking
    await all_gone(pids)


async def test_output_is_bounded_and_a_flood_of_complaints_is_no_matter() -> None:
    async with tool("gigabyte", most_output=3 << 20) as backend:
        with pytest.raises(BackendFailed, match="tool: it printed more than 3 MiB"):
            await result_of(backend, ask())
    async with tool("gigabyte", most_output=1_000_000) as backend:
        with pytest.raises(BackendFailed, match="more than 1,000,000 bytes"):
            await result_of(backend, ask())
    async with tool("stderr") as backend:
        assert (await result_of(backend, ask())).text == "fine"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("1 Error: not logged in · Please run /login", BackendUnavailable),
        ("1 You've hit your usage limit. Try again at 5pm.", BackendLimited),
        ("1 error: model 'x' not found", ModelNotFound),
        ("127 sh: 1: thing: not found", BackendUnavailable),
        ("3 Segmentation fault at 0xdeadbeef in /home/me/x.c", BackendFailed),
    ],
)
async def test_exit_codes_and_complaints_become_errors(
    said: str, expected: type[NodeError], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with tool("fail") as backend:
            with pytest.raises(expected) as failed:
                await result_of(backend, ask(said))
    told = str(failed.value)
    assert "0xdeadbeef" not in told
    assert "/home/me" not in told
    # Its last line is the prompt's, so that not even the log has it.
    assert said.partition(" ")[2] not in caplog.text


async def test_what_breaks_off_is_never_a_short_answer() -> None:
    async with tool("halfway") as backend:
        answer = await backend.infer(ask(stream=True))
        assert await anext(answer) == TextDelta("half an")
        with pytest.raises(BackendFailed, match="exit code 9"):
            await anext(answer)
        answer.close()
    async with tool("silent") as backend:
        with pytest.raises(BackendFailed, match="printed no answer"):
            await backend.infer(ask())


async def test_so_many_run_so_many_wait_and_others_are_refused() -> None:
    async with tool("hang", concurrency=1, queue=1) as backend:
        asking = [asyncio.ensure_future(backend.infer(ask())) for _ in range(2)]
        await asyncio.wait(asking, timeout=0.01)
        with pytest.raises(BackendOverloaded, match="1 requests wait"):
            await backend.infer(ask())
        for each in asking:
            each.cancel()
        await asyncio.wait(asking)
        # Their places are free again, as soon as they have ended.
        late = asyncio.ensure_future(backend.infer(ask()))
        await asyncio.wait((late,), timeout=0.01)
        assert not late.done()
        late.cancel()
        await asyncio.wait((late,))


async def test_models_may_be_listed_by_the_tool() -> None:
    async with tool("text", "{model}", listing=command_of("list")) as backend:
        assert backend.assumed.models == ()
        offered = await backend.capabilities()
        assert offered.ids == {"one:1b", "two:2b"}
        assert (await result_of(backend, ask(model="one:1b"))).text == "hello"


async def test_a_program_that_is_not_there() -> None:
    settings = settings_of("tool", options={"command": ["inferd-no-such-program"]})
    async with open_kind("cli_tool", settings, node=NODE, clock=HandClock()) as backend:
        with pytest.raises(BackendUnavailable, match="no program called inferd-no"):
            await backend.capabilities()
        with pytest.raises(BackendUnavailable, match="no program called inferd-no"):
            await backend.infer(ask())


async def test_turns_are_told_apart_and_what_is_no_text_is_for_others() -> None:
    turns = (
        Message(role="system", text="Be brief."),
        Message(role="user", text="One?"),
        Message(role="assistant", text="Two."),
        Message(role="user", text="Three?"),
    )
    async with tool("text") as backend:
        said = (await result_of(backend, ask(inputs={"messages": turns}))).text
        assert said == "Be brief.\n\nUser: One?\n\nAssistant: Two.\n\nUser: Three?\n\nAssistant:"
        whole = {"return_full_text": True}
        continued = ask(task="text-generation", inputs={"prompt": "Once"}, parameters=whole)
        assert (await result_of(backend, continued)).text == "OnceOnce"
        image = Message(role="user", parts=({"type": "image_url"},))
        for refused in (
            ask(inputs={"messages": (image,)}),
            ask(parameters={"tools": [{"type": "function"}]}),
        ):
            with pytest.raises(UnsupportedTask):
                await backend.infer(refused)
