"""`inferd run`: one task, on the running node or, where none runs, right here."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from inferd.cli.asking import Question, ask, ask_for_stream
from inferd.cli.client import open_client
from inferd.cli.failure import Misuse, did_you_mean
from inferd.cli.inputs import files_of, parameters_of, payload_of, task_called
from inferd.cli.settings import LIST, SWITCH, WHERE, Where
from inferd.core.request import parse_tiers

_OPTIONS = (
    "--model", "--input", "--file", "--param", "--tier", "--backend", "--remote", "--local",
    "--stream", "--json", "--output", "--home", "--config", "--preset", "--set", "--url", "--help",
)  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked, and of whom."""

    model: Annotated[str, Parameter(name=["--model", "-m"], show_default=False)] = ""
    """A model id or alias; the task's own default if left out."""
    input: Annotated[tuple[str, ...], LIST, Parameter(name=["--input", "-i"])] = ()
    """Text, or FIELD=VALUE; `-` is standard input. Again for more."""
    file: Annotated[tuple[str, ...], LIST, Parameter(name=["--file", "-f"])] = ()
    """A path, or FIELD=PATH."""
    param: Annotated[tuple[str, ...], LIST, Parameter(name=["--param", "-p"])] = ()
    """NAME=VALUE, a parameter of the task. Again for more."""
    remote: Annotated[bool, SWITCH] = False
    """Run it on another node."""
    local: Annotated[bool, SWITCH] = False
    """Run it on this machine."""
    tier: Annotated[str, Parameter(show_default=False)] = ""
    """How far the words may travel: local, peer, team, cloud, or a list."""
    backend: Annotated[str, Parameter(show_default=False)] = ""
    """The only backend that may answer, by its name on the node."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Shown:
    """How the answer is shown."""

    stream: Annotated[bool, SWITCH] = False
    """Print text as it comes."""
    json: Annotated[bool, SWITCH] = False
    """Print the node's JSON and nothing else."""
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None
    """Where to save an image or sound; `-` is standard output."""


_ASKED = Asked()
_SHOWN = Shown()


def run(
    task: str,
    /,
    *text: Annotated[str, Parameter(allow_leading_hyphen=True)],
    asked: Asked = _ASKED,
    shown: Shown = _SHOWN,
    where: Where = WHERE,
) -> None:
    """Run a task, on the running node or, where none runs, in this process.

    Args:
        task: The task's name, as `inferd tasks` lists them.
        text: The main input; `-` reads standard input.
        asked: What is asked.
        shown: How the answer is shown.
        where: Which node.
    """
    known = task_called(task)
    for word in text:
        # Else a misspelt option would be taken for words.
        if word.startswith("-") and word != "-" and " " not in word:
            hint = did_you_mean(word, _OPTIONS, "give text that begins with a hyphen to --input")
            raise Misuse(f"there is no option {word}", hint=hint)
    question = Question(
        task=known,
        model=asked.model,
        payload=payload_of(known, ["-"] if text == ("-",) else text, asked.input),
        parameters=parameters_of(known, asked.param),
        files=tuple(files_of(known, asked.file)),
        use_remote=_place(asked),
        tier=_tier(asked.tier),
        backend=_backend(asked.backend),
    )
    asyncio.run(_answered(question, shown, where))


async def _answered(question: Question, shown: Shown, where: Where) -> None:
    async with open_client(where, local=question.use_remote is False) as client:
        if shown.stream:
            await ask_for_stream(client, question, json=shown.json)
        else:
            await ask(client, question, json=shown.json, output=shown.output)


def _tier(text: str) -> str:
    try:
        return text if not text or parse_tiers(text) else ""
    except ValueError as error:
        raise Misuse(f"--tier: {error}") from error


def _backend(name: str) -> str:
    if not (name.isascii() and name.isprintable()):
        raise Misuse(f"there is no backend called {name!r}", hint="`inferd models` names them")
    return name


def _place(asked: Asked) -> bool | None:
    if asked.remote and asked.local:
        raise Misuse("--remote and --local contradict each other", hint="give one of them")
    return True if asked.remote else False if asked.local else None
