"""Command-line tools and accelerators: found by what is here, run only for their version."""

import sys
from pathlib import Path

from inferd.backends.cli_tool.presets import PRESETS
from inferd.core.found import Verdict
from inferd.discovery.hardware import Hardware, read_nvidia_smi
from inferd.discovery.hosted import HOSTED
from inferd.discovery.programs import PROGRAMS, Program, Programs

CLAUDE = PROGRAMS[0]


def program(folder: Path, script: str) -> Path:
    path = folder / "claude"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def here(path: Path) -> Programs:
    return Programs([CLAUDE], which=lambda name: str(path) if name == "claude" else None)


async def test_a_tool_that_runs_is_usable_and_asked_for_its_version_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = program(tmp_path, f'echo "$@" >> {log}; echo; echo "2.1.5 (Claude Code)"')
    look = here(path)
    (offer,) = await look(())
    assert await look(()) == [offer]
    assert log.read_text() == "--version\n"
    assert (offer.found.verdict, offer.found.version) == (Verdict.USABLE, "2.1.5 (Claude Code)")
    assert (offer.kind, offer.options) == ("cli_tool", {"preset": "claude"})
    assert offer.found.endpoint == str(path)


async def test_a_tool_that_does_not_run_or_is_not_here_says_so(tmp_path: Path) -> None:
    (broken,) = await here(program(tmp_path, "exit 3"))(())
    assert (broken.found.verdict, broken.found.hint) == (Verdict.OFF, "install it anew")
    (absent,) = await Programs([CLAUDE], which=lambda name: None)(())
    assert (absent.found.verdict, absent.name) == (Verdict.NOT_THERE, "")
    assert "npm install" in absent.found.hint


async def test_some_are_never_used_unasked() -> None:
    ollama = next(each for each in PROGRAMS if each.binary == "ollama")
    look = Programs([ollama], which=lambda name: sys.executable)
    (offer,) = await look(())
    assert offer.found.verdict is Verdict.OFF
    assert "its server is asked" in offer.found.reason


def test_no_tool_is_called_what_an_api_is() -> None:
    names = {each.backend or each.binary for each in PROGRAMS}
    assert not names & {each.key for each in HOSTED}


def test_every_preset_that_is_named_is_one() -> None:
    asked = {each.preset: each for each in PROGRAMS if each.preset}
    assert set(asked) <= set(PRESETS)
    assert all(PRESETS[name].command[0] == each.binary for name, each in asked.items())
    assert isinstance(CLAUDE, Program)


async def test_hardware_is_looked_at_once_and_told_as_it_is() -> None:
    look = Hardware()
    assert await look(()) is await look(())
    first, *_ = read_nvidia_smi("0, NVIDIA H200, 143771, 570.86\nodd line\n1, X, [N/A], 1\n")
    assert (first.found.id, first.found.version) == ("gpu:cuda:0", "driver 570.86")
    assert first.found.name == "NVIDIA H200, 140 GiB"
    assert first.found.verdict is Verdict.OFF
