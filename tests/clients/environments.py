"""Official clients, each in an environment of its own so that none can bend the product's."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python_with(client: str) -> Path:
    """Return the interpreter of an environment that holds `requirements/clients/<client>.txt`.

    Made on first use and kept; without a network to make it the test is skipped.
    """
    pins = ROOT / "requirements" / "clients" / f"{client}.txt"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "inferd-clients"
    folder = cache / f"{client}-{digest}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        uv = Path(sys.executable).with_name("uv")
        commands = [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder],
            [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", pins],
        ]
        for command in commands:
            made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if made.returncode:
                pytest.skip(f"{client} can't be installed: {made.stderr.strip()[-200:]}")
        done.touch()
    return python


def run(python: Path, *arguments: str | Path, **environment: str) -> str:
    """Run a program there and return what it printed."""
    done = subprocess.run(
        [python, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
