"""Every backend we ship, by its kind, with a fake of what stands behind it."""

import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from inferd.backends import Settings, open_kind
from inferd.core.backend import Backend
from inferd.core.content import Message
from inferd.core.errors import BackendUnavailable
from inferd.core.request import InferenceRequest
from inferd.engine.embedded import catalogue, weights
from tests.backends.fake_hub import FakeHub
from tests.backends.fake_ws import FakeSocketServer, listening
from tests.backends.fakes import (
    EMBEDDER,
    MODEL,
    SECRET,
    FakeNode,
    FakeOpenAI,
    FakeUpstream,
    running,
)
from tests.clocks import HandClock

NODE = "node-of-the-tests"
CHAT = {"messages": "{messages}"}
PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).with_name("cli_program.py")))
"""A command-line tool of ours, without what Python takes long to load."""
MCP_PROGRAM = (*PROGRAM[:-1], str(Path(__file__).with_name("mcp_program.py")))


class Subject(msgspec.Struct, kw_only=True):
    """A backend, and what a test may do to it. `quotes` where its answer is the question."""

    backend: Backend
    clock: HandClock
    model: str
    upstream: FakeUpstream | None = None
    quotes: bool = True

    def ask(
        self,
        text: str = "one two three",
        *,
        stream: bool = False,
        model: str | None = None,
        **more: object,
    ) -> InferenceRequest:
        """Return a chat request."""
        request = InferenceRequest(
            id="req-1",
            task="chat",
            model=self.model if model is None else model,
            inputs={"messages": (Message(role="user", text=text),)},
            stream=stream,
        )
        return msgspec.structs.replace(request, **more)


Open = Callable[[], AbstractAsyncContextManager[Subject]]


def settings_of(name: str, **more: object) -> Settings:
    return msgspec.structs.replace(Settings(name=name), **more)


def settings_options(more: Mapping[str, object]) -> Mapping[str, object]:
    options = more.get("options", {})
    assert isinstance(options, Mapping)
    return options


@asynccontextmanager
async def remote(kind: str, upstream: FakeUpstream, **more: object) -> AsyncGenerator[Subject]:
    """Lend a backend that asks `upstream`; `path` is what follows the server's address."""
    clock = HandClock()
    path = more.pop("path", "")
    async with running(upstream):
        settings = settings_of(
            kind, base_url=f"{upstream.server.url}{path}", api_key=SECRET, timeout=0.6
        )
        if kind == "huggingface":
            options = {"router": f"{upstream.server.url}/router", **settings_options(more)}
            more["options"] = options
        settings = msgspec.structs.replace(settings, **more)
        async with open_kind(kind, settings, node=NODE, clock=clock) as backend:
            model = next(iter(settings.models), MODEL)
            subject = Subject(backend=backend, clock=clock, model=model, upstream=upstream)
            yield subject
        # While the upstream still listens: nothing is left open, and nothing opens again.
        await upstream.server.until(lambda: upstream.server.open == 0)
        with pytest.raises(BackendUnavailable):
            await backend.infer(subject.ask())
        assert upstream.server.open == 0


def hub(upstream: FakeHub | None = None, **more: object) -> AbstractAsyncContextManager[Subject]:
    """Lend the Hub's providers, with a model that chats and one that embeds."""
    models = {MODEL: MODEL, EMBEDDER: EMBEDDER}
    more = {"path": "/hub", "models": models, **more}
    return remote("huggingface", upstream or FakeHub(), **more)


@asynccontextmanager
async def local() -> AsyncGenerator[Subject]:
    if not weights.is_present(weights.built_folder(), *catalogue.DOCS.files):
        pytest.skip("the embedded models are not built: run `make setup`")
    clock = HandClock()
    async with open_kind("local", settings_of("local"), node=NODE, clock=clock) as backend:
        yield Subject(backend=backend, clock=clock, model=catalogue.DOCS.id, quotes=False)


@asynccontextmanager
async def echo() -> AsyncGenerator[Subject]:
    clock = HandClock()
    settings = settings_of("echo", models={MODEL: MODEL})
    async with open_kind("echo", settings, node=NODE, clock=clock) as backend:
        yield Subject(backend=backend, clock=clock, model=MODEL)


@asynccontextmanager
async def cli_tool() -> AsyncGenerator[Subject]:
    clock = HandClock()
    options = {"preset": "claude", "command": [*PROGRAM, "answer", ["--model", "{model}"]]}
    settings = settings_of("cli_tool", models={MODEL: "its-own"}, options=options)
    async with open_kind("cli_tool", settings, node=NODE, clock=clock) as backend:
        yield Subject(backend=backend, clock=clock, model=MODEL)


@asynccontextmanager
async def mcp_tool() -> AsyncGenerator[Subject]:
    clock = HandClock()
    options = {"command": [*MCP_PROGRAM], "tool": "echo", "task": "chat", "arguments": CHAT}
    settings = settings_of("mcp_tool", models={MODEL: MODEL}, options=options)
    async with open_kind("mcp_tool", settings, node=NODE, clock=clock) as backend:
        yield Subject(backend=backend, clock=clock, model=MODEL)


@asynccontextmanager
async def ws_node() -> AsyncGenerator[Subject]:
    clock = HandClock()
    async with listening(FakeSocketServer()) as server:
        settings = settings_of(
            "ws_node", base_url=server.url, api_key=SECRET, models={MODEL: MODEL}
        )
        async with open_kind("ws_node", settings, node=NODE, clock=clock) as backend:
            yield Subject(backend=backend, clock=clock, model=MODEL)


SUBJECTS: Mapping[str, Open] = {
    "cli_tool": cli_tool,
    "echo": echo,
    "huggingface": hub,
    "local": local,
    "mcp_tool": mcp_tool,
    "openai": lambda: remote("openai", FakeOpenAI(), path="/v1"),
    "remote_node": lambda: remote("remote_node", FakeNode()),
    "ws_node": ws_node,
}

CALLING = ("huggingface", "openai", "remote_node")
"""Those that ask somebody else; the others can't be refused, cut off or kept waiting."""
