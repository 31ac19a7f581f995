"""Command-line tools, by their binaries."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from inferd.core.backend import BackendType
from inferd.core.errors import BackendTimeout, NodeError
from inferd.core.found import Found, Verdict
from inferd.discovery.offer import Offer, Taken, absent, toml
from inferd.process import Workspace, environment, printed

_KIND = "cli_tool"
_PATIENCE = 2.0
_VERSION_BYTES = 64 << 10
_LONGEST_VERSION = 60
_SIGNED_IN = "it is here; a request shows whether it is signed in"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A tool. `preset` is the cli_tool's that asks it; `refusal` says why it isn't used unasked.

    `backend` is what a backend that asks it is called, where that isn't the tool's own name.
    """

    binary: str
    name: str
    install: str
    preset: str = ""
    backend: str = ""
    refusal: str = ""
    hint: str = ""


PROGRAMS = (
    Program(
        binary="claude",
        name="Claude Code",
        preset="claude",
        install="install it: npm install -g @anthropic-ai/claude-code",
    ),
    Program(
        binary="codex",
        name="Codex",
        preset="codex",
        install="install it: npm install -g @openai/codex",
    ),
    Program(
        binary="gemini",
        name="Gemini CLI",
        preset="gemini",
        backend="gemini-cli",  # The API's is called gemini.
        install="install it: npm install -g @google/gemini-cli",
    ),
    Program(
        binary="ollama",
        name="Ollama's command line",
        preset="ollama",
        install="install it from ollama.com",
        refusal="its server is asked instead, where that runs",
        hint="start it: `ollama serve`",
    ),
    Program(
        binary="llama-completion",
        name="llama.cpp's command line",
        preset="llama-completion",
        install="install llama.cpp",
        refusal="it needs a model's file, and nobody has named one",
        hint="name GGUF files in its `models`",
    ),
    Program(
        binary="hf",
        name="Hugging Face's command line",
        install="install it: pip install huggingface_hub",
        refusal="it manages models, and answers no prompts",
        hint="nothing to do: HF_TOKEN is what lets the Hub's providers answer",
    ),
)

Which = Callable[[str], str | None]


class Programs:
    """Looks for the tools; each is asked for its version once, until its file changes."""

    def __init__(
        self,
        programs: Sequence[Program] = PROGRAMS,
        *,
        which: Which = shutil.which,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._programs = programs
        self._which = which
        self._environ = environ
        self._versions: dict[tuple[str, float], str | None] = {}

    async def __call__(self, taken: Sequence[Taken]) -> Sequence[Offer]:
        async with asyncio.TaskGroup() as tasks:
            looking = [tasks.create_task(self._at(program)) for program in self._programs]
        return [task.result() for task in looking]

    async def _at(self, program: Program) -> Offer:
        path, changed = await asyncio.to_thread(self._find, program.binary)
        if not path:
            return absent(
                f"cli:{program.binary}",
                program.name,
                _KIND if program.preset else "",
                BackendType.CLI,
                reason=f"there is no program called {program.binary} in the node's PATH",
                hint=program.install,
            )
        if (path, changed) not in self._versions:
            self._versions[path, changed] = await self._version(path)
        return _offer(program, path, self._versions[path, changed])

    def _find(self, binary: str) -> tuple[str, float]:
        path = self._which(binary) or ""
        try:
            return path, Path(path).stat().st_mtime if path else 0.0
        except OSError:
            return "", 0.0

    async def _version(self, path: str) -> str | None:
        """Return what it says of its version; None where it doesn't run."""
        workspace = await asyncio.to_thread(Workspace)
        try:
            said = await printed(
                [path, "--version"],
                folder=workspace.folder,
                environ=environment(self._environ),
                most_bytes=_VERSION_BYTES,
                seconds=_PATIENCE,
            )
        except BackendTimeout:
            # Slow isn't broken: who looks it up again next time may be luckier.
            return ""
        except NodeError:
            return None
        finally:
            await asyncio.to_thread(workspace.remove)
        return _first_line(said)


def _first_line(said: bytes) -> str:
    lines = said.decode(errors="replace").split("\n")
    line = next((line.strip() for line in lines if line.strip()), "")
    return "".join(sign for sign in line if sign.isprintable())[:_LONGEST_VERSION]


def _offer(program: Program, path: str, version: str | None) -> Offer:
    verdict, reason, hint = Verdict.USABLE, _SIGNED_IN, ""
    if program.refusal:
        verdict, reason, hint = Verdict.OFF, program.refusal, program.hint
    if version is None:
        verdict, reason, hint = Verdict.OFF, "it doesn't run: --version fails", "install it anew"
    name, options = program.backend or program.binary, {"preset": program.preset}
    lines = toml(name, _KIND, {"options": options}) if program.preset else ""
    found = Found(
        id=f"cli:{program.binary}",
        name=program.name,
        kind=_KIND if program.preset else "",
        type=BackendType.CLI,
        verdict=verdict,
        reason=reason,
        hint=hint,
        endpoint=path,
        version=version or "",
        toml=lines,
    )
    return Offer(found=found, name=name, kind=_KIND, options=options)
