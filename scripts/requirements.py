"""Compile `requirements/*.txt` from `pyproject.toml`: every version pinned, every file hashed.

Run by hand after a change to the dependency lists (`--upgrade` also takes newer versions):

    .venv/bin/python scripts/requirements.py [--upgrade]

The files hold for every Python we support, on Linux and macOS, and name no index: whoever
installs them chooses where from. `dev.txt` has everything; the others are parts of it.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
HEADER = "# Compiled by scripts/requirements.py: change pyproject.toml, not this file.\n"


def main(arguments: list[str]) -> int:
    """Compile every file, largest first."""
    if unknown := set(arguments) - {"--upgrade"}:
        print(f"unknown argument: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    python = oldest_python()
    everything = FOLDER / "dev.txt"
    compile_one(everything, ["pyproject.toml", "--group", "dev"], python, arguments)
    # The smaller files follow the largest, so that one environment can hold them all.
    within = ["--constraint", str(everything.relative_to(ROOT))]
    compile_one(FOLDER / "run.txt", ["pyproject.toml", *within], python, [])
    compile_one(FOLDER / "build.txt", ["--group", "build", *within], python, [])
    compile_one(FOLDER / "uv.txt", ["requirements/uv.in"], python, arguments)
    return 0


def oldest_python() -> str:
    """Return the oldest version that `pyproject.toml` allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["requires-python"].removeprefix(">=")


def compile_one(target: Path, sources: list[str], python: str, options: list[str]) -> None:
    """Write one file; the versions it already pins are kept where they still fit."""
    print(f"compiling {target.relative_to(ROOT)}", flush=True)
    quiet = ["--quiet", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    subprocess.run(
        [
            *(Path(sys.executable).with_name("uv"), "pip", "compile", *sources),
            *("--universal", "--python-version", python, "--generate-hashes", *quiet),
            *("--annotation-style", "line", "--output-file", target.relative_to(ROOT), *options),
        ],
        cwd=ROOT,
        env=os.environ | {"UV_NO_CONFIG": "1"},
        check=True,
    )
    target.write_text(HEADER + target.read_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
