"""A command-line tool that answers: one run a request."""

import asyncio
import os
import shutil
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from inferd.backends import Settings, secrets_of
from inferd.backends.cli_tool.command import PLACES, fill, places
from inferd.backends.cli_tool.failures import failure_of
from inferd.backends.cli_tool.options import Options
from inferd.backends.cli_tool.presets import Tool
from inferd.backends.cli_tool.prompt import prompt_of
from inferd.backends.cli_tool.reading import Reader, reader_of
from inferd.backends.cli_tool.runs import Runs, left
from inferd.core.answer import Answer, Served
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.clock import Clock
from inferd.core.errors import (
    BackendFailed,
    BackendTimeout,
    BackendUnavailable,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, TextDelta
from inferd.process import Child, environment

E = TypeVar("E", bound=BaseException)

TASKS = frozenset({"chat", "text-generation"})
_MOST_MODELS = 1000
_LISTING_BYTES = 1 << 20
_SAME = {"max_new_tokens": "max_tokens"}
_OURS = frozenset({"return_full_text"})


class CliToolBackend:
    """Asks a program: the prompt on its stdin, the answer from its stdout."""

    kind = "cli_tool"
    is_node = False
    wires = frozenset[str]()

    def __init__(
        self, settings: Settings, options: Options, tool: Tool, runs: Runs, clock: Clock
    ) -> None:
        self.name = settings.name
        self.tier = tool.tier if settings.tier is None else settings.tier
        self.traits = Traits(
            type=BackendType.CLI,
            # Where it stands on this machine is for its owner alone.
            endpoint=os.path.basename(str(tool.command[0])),
            protocols=frozenset({"stdio"}),
            streams=tool.form != "json",
        )
        self._settings = settings
        self._options = options
        self._tool = tool
        self._runs = runs
        self._secrets = secrets_of(settings, tool.env, tool.inherits, os.environ)
        self._clock = clock
        self._models: Mapping[str, str] = tool.models
        self._places = places(tool.command)
        if not self._models and "model" not in self._places:
            self._models = {settings.name: ""}
        self.assumed = _offer(self._models)

    def __repr__(self) -> str:
        return f"<CliToolBackend {self.name} {self._runs!r}>"

    async def capabilities(self) -> Capabilities:
        if self._runs.is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        program = str(self._tool.command[0])
        if await asyncio.to_thread(shutil.which, program) is None:
            raise BackendUnavailable(
                f"there is no program called {os.path.basename(program)}",
                hint="install it, or put its folder into the node's PATH",
            )
        # With all places taken it works, and offers what it last did.
        if self._tool.listing and not self._tool.models and not self._runs.are_all_taken:
            self._models = {name: name for name in await self._listed()}
        return _offer(self._models)

    def infer(self, request: InferenceRequest) -> Coroutine[Any, Any, Answer]:
        if request.task not in TASKS:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        return self._answer(request)

    async def _answer(self, request: InferenceRequest) -> Answer:
        seconds = left(self.name, request.deadline, self._clock.now(), self._settings.timeout)
        prompt = prompt_of(request, self.name)
        model = self._model(request.model)
        argv, warnings = self._command(request, model)
        child: Child | None = None
        try:
            async with asyncio.timeout(seconds):
                child = await self._runs.start(
                    argv, prompt, environ=self._environment, most_bytes=self._options.most_output
                )
                run = _Run(self, child, prompt, model)
                first = await (run.more() if request.stream else run.rest())
        except TimeoutError as error:
            late = BackendTimeout(f"{self.name} gave no answer within {seconds:g} s")
            raise _over(child, prompt, late) from error
        except BaseException as error:
            _over(child, prompt, error)
            raise
        if request.parameters.get("return_full_text") is True:
            first = prompt + first
        chunks = run.chunks(first, request.model or next(iter(self._models), ""))
        answer = Answer(chunks, free=child.stop, served=Served(warnings=warnings))
        answer.sent_bytes = _size(prompt)
        return answer

    def _model(self, name: str) -> str:
        """Return the tool's own name of a model."""
        model = self._models.get(name or next(iter(self._models), ""))
        if model is None:
            raise ModelNotFound(f"{self.name} has no model called {name}")
        return model

    def _command(self, request: InferenceRequest, model: str) -> tuple[list[str], tuple[str, ...]]:
        """Return the arguments, and a word on what the tool isn't told."""
        given = {_SAME.get(key, key): value for key, value in request.parameters.items()}
        values = {"model": model}
        for place in PLACES[1:]:
            if isinstance(value := given.get(place), int | float):
                values[place] = str(value)
        told = self._places | _OURS
        ignored = ", ".join(sorted(key for key in given if key not in told))
        warnings = (f"ignored: {ignored} ({self.name}'s command has no place for it)",)
        return fill(self._tool.command, values), warnings if ignored else ()

    def _environment(self) -> Mapping[str, str]:
        return environment(os.environ, inherited=self._tool.inherits, own=self._tool.env)

    async def _listed(self) -> list[str]:
        """Return the first word of each line that the tool lists, but for the head."""
        child = await self._runs.start(
            self._tool.listing, "", environ=self._environment, most_bytes=_LISTING_BYTES
        )
        try:
            run = _Run(self, child, "", "")
            lines = (await run.rest()).splitlines()
        finally:
            child.stop()
        names = [line.split()[0] for line in lines[1:] if line.strip()]
        return [name for name in names if name.isprintable()][:_MOST_MODELS]

    def reader(self) -> Reader:
        """Return what reads one run."""
        return reader_of(self._tool.form, self._tool.paths, tail=self._tool.tail)

    def failure(self, child: Child, code: int, prompt: str, model: str, said: str) -> Exception:
        """Return what the end of a run means."""
        if self._runs.is_closed:
            return BackendUnavailable(f"{self.name} is closed")
        return failure_of(
            self.name,
            code,
            f"{said}\n{child.complaint}",
            prompt=prompt,
            secrets=self._secrets,
            sign_in=self._tool.sign_in,
            model=model,
        )

    @property
    def silence(self) -> float:
        """The seconds that a stream may be silent."""
        stall = self._settings.stall
        return self._settings.timeout if stall is None else stall


class _Run:
    """One run, read to its end."""

    def __init__(self, backend: CliToolBackend, child: Child, prompt: str, model: str) -> None:
        self._backend = backend
        self._child = child
        self._reader = backend.reader()
        self._pieces: deque[str] = deque()
        self._is_over = False
        self._has_text = False
        self._fail = partial(backend.failure, child, prompt=prompt, model=model)

    async def more(self) -> str:
        """Return more text; empty once it has ended as it should.

        Raises:
            NodeError: It failed, or printed too much.
        """
        while not self._pieces and not self._is_over:
            try:
                data = await self._child.read()
                pieces = self._reader.feed(data) if data else await self._end()
            except BackendFailed as error:
                error.message = f"{self._backend.name}: {error.message}"
                raise
            self._pieces.extend(filter(None, pieces))
        if not self._pieces:
            return ""
        self._has_text = True
        return self._pieces.popleft()

    async def rest(self) -> str:
        """Return all of the text that is left.

        Raises:
            NodeError: It failed, or printed too much.
        """
        texts: list[str] = []
        while text := await self.more():
            texts.append(text)
        return "".join(texts)

    async def chunks(self, first: str, model: str) -> AsyncIterator[Chunk]:
        """Yield what there is already, and what comes."""
        text = first
        while text:
            yield TextDelta(text)
            try:
                async with asyncio.timeout(self._backend.silence):
                    text = await self.more()
            except TimeoutError as error:
                self._child.stop()
                raise BackendTimeout(
                    f"{self._backend.name} was silent for {self._backend.silence:g} s"
                ) from error
        yield Finish(usage=self._reader.usage, model=model)

    async def _end(self) -> tuple[str, ...]:
        self._is_over = True
        code = await self._child.ended
        if code or self._reader.failure:
            raise self._fail(code, said=self._reader.failure)
        text = self._reader.end()
        if not text and not self._has_text:
            raise BackendFailed("it ended well, and printed no answer")
        return (text,)


def _offer(names: Mapping[str, str]) -> Capabilities:
    return Capabilities(models=tuple(Model(id=name, tasks=TASKS) for name in names))


def _over(child: Child | None, prompt: str, error: E) -> E:
    """End a run that failed; its failure says what it was given, if it was begun."""
    if child is not None:
        child.stop()
        if isinstance(error, NodeError):
            error.sent_bytes = _size(prompt)
    return error


def _size(prompt: str) -> int:
    return max(1, len(prompt.encode()))
