"""Official clients, each in an environment of its own so that none can bend the product's."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def python_with(client: str) -> Path:
    """Return the interpreter of an environment that holds `requirements/clients/<client>.txt`.

    Made on first use and kept; without a network to make it the test is skipped.
    """
    pins = ROOT / "requirements" / "clients" / f"{client}.txt"
    folder = _folder(client, pins)
    python = folder / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    _install(
        client,
        folder,
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder],
        [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", pins],
    )
    return python


def node_with(client: str) -> Path:
    """Return `client.mjs` in a folder that holds what `tests/clients/<client>/` locks.

    Made on first use and kept; without npm, or a network, the test is skipped.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js and npm are not installed")
    source = HERE / client
    folder = _folder(client, source / "package-lock.json")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source / name, folder / name)
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _install(client, folder, [npm, "ci", "--prefix", folder, *flags])
    return Path(shutil.copyfile(source / "client.mjs", folder / "client.mjs"))


def run(program: str | Path, *arguments: str | Path, **environment: str) -> str:
    """Run a program and return what it printed."""
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _folder(client: str, pins: Path) -> Path:
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "inferd-clients" / f"{client}-{digest}"


def _install(client: str, folder: Path, *commands: Sequence[str | Path]) -> None:
    done = folder / "complete"
    if done.exists():
        return
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if made.returncode:
            pytest.skip(f"{client} can't be installed: {made.stderr.strip()[-200:]}")
    done.touch()
