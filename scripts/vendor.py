"""The page's libraries: taken from npm at exact versions, checked by hash, committed as they run.

    .venv/bin/python scripts/vendor.py --check   # the committed files are those that were pinned
    .venv/bin/python scripts/vendor.py --write   # takes them anew; needs npm and a network

A package is refused unless its archive has the integrity that stands here. The few edits make a
browser's module of a file that was written for a bundler; each must apply exactly once.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src" / "inferd" / "frontends" / "web" / "static" / "vendor"
LOCK = FOLDER / "vendor.json"


class Edit(NamedTuple):
    """What stands in the package's file, and what in ours; nothing for `old` adds to its end."""

    old: str
    new: str


class Taken(NamedTuple):
    """One file of a package, and what we call it."""

    source: str
    target: str
    edits: tuple[Edit, ...] = ()


class Package(NamedTuple):
    """A package at its version, with npm's integrity of the archive."""

    name: str
    version: str
    integrity: str
    files: tuple[Taken, ...]


def _no_map(name: str) -> Edit:
    return Edit(f"//# sourceMappingURL={name}.map", "")


PACKAGES = (
    Package(
        "preact",
        "11.2.0",
        "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        (
            Taken("dist/preact.mjs", "preact.js", (_no_map("preact.mjs"),)),
            Taken(
                "hooks/dist/hooks.mjs",
                "hooks.js",
                (Edit('from"preact"', 'from"./preact.js"'), _no_map("hooks.mjs")),
            ),
            Taken("LICENSE", "preact.LICENSE"),
        ),
    ),
    Package(
        "htm",
        "3.1.1",
        "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        (Taken("dist/htm.module.js", "htm.js"), Taken("LICENSE", "htm.LICENSE")),
    ),
    Package(
        "uplot",
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        (
            Taken("dist/uPlot.iife.min.js", "uplot.js", (Edit("", "\nexport default uPlot;\n"),)),
            Taken("dist/uPlot.min.css", "uplot.css"),
            Taken("LICENSE", "uplot.LICENSE"),
        ),
    ),
    Package(
        "marked",
        "18.2.1",
        "sha512-ii4bxCTCqqwpT86XZWgJNs+ZnAIZksmLGYMViWA7PDIXYIeNo1x6cDdX3JOip9NM/cI6p8z57FxliACboTruMA==",
        (
            Taken("lib/marked.esm.js", "marked.js", (_no_map("marked.esm.js"),)),
            Taken("LICENSE", "marked.LICENSE"),
        ),
    ),
    Package(
        "dompurify",
        "3.4.18",
        "sha512-ofe3wI/uNm68HInABYFJYqQxRw1EaKAjNdrFVKqjUY+UZurvNd2L/HuQe097s/4RivWiZyP6tT7aoT8atjfhwg==",
        (
            Taken(
                "dist/purify.min.js",
                "purify.js",
                (
                    _no_map("purify.min.js"),
                    # A module's `this` is undefined, so it puts itself on globalThis.
                    Edit("", "\nexport default globalThis.DOMPurify;\n"),
                ),
            ),
            Taken("LICENSE", "purify.LICENSE"),
        ),
    ),
    Package(
        "@fontsource-variable/inter",
        "5.3.0",
        "sha512-OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
        (
            Taken("files/inter-latin-wght-normal.woff2", "inter.woff2"),
            Taken("LICENSE", "inter.LICENSE"),
        ),
    ),
)


def main(arguments: list[str]) -> int:
    """Check or write."""
    if arguments == ["--write"]:
        write()
    elif arguments != ["--check"]:
        print("usage: vendor.py --check | --write", file=sys.stderr)
        return 2
    problems = check()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def check() -> list[str]:
    """Say what isn't as it was pinned."""
    try:
        locked: dict[str, dict[str, str]] = json.loads(LOCK.read_text())
    except (OSError, ValueError) as error:
        return [f"{LOCK.name} can't be read: {error}"]
    wanted = {package.name: _said(package) for package in PACKAGES}
    problems = [
        f"{name}: {LOCK.name} was written for another version or other edits: --write it anew"
        for name in wanted.keys() | locked.keys()
        if {k: locked.get(name, {}).get(k) for k in ("version", "integrity", "edits")}
        != wanted.get(name)
    ]
    hashes = {target: sha for lock in locked.values() for target, sha in _files(lock)}
    present = {file.name for file in FOLDER.iterdir()} - {LOCK.name}
    problems += [f"{name} is nobody's" for name in sorted(present - hashes.keys())]
    for target, sha in hashes.items():
        file = FOLDER / target
        if not file.is_file():
            problems.append(f"{target} is missing")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != sha:
            problems.append(f"{target} isn't what was pinned")
    return problems


def write() -> None:
    """Take every package anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    lock: dict[str, dict[str, str]] = {}
    for package in PACKAGES:
        print(f"taking {package.name} {package.version}", flush=True)
        entry = _said(package)
        with tempfile.TemporaryDirectory() as folder, _packed(package, Path(folder)) as archive:
            for taken in package.files:
                data = _edited(_member(archive, taken.source), taken)
                (FOLDER / taken.target).write_bytes(data)
                entry[f"sha256 {taken.target}"] = hashlib.sha256(data).hexdigest()
        lock[package.name] = entry
    LOCK.write_text(json.dumps(lock, indent=1) + "\n")


def _said(package: Package) -> dict[str, str]:
    edits = repr([(taken.source, taken.target, taken.edits) for taken in package.files])
    return {
        "version": package.version,
        "integrity": package.integrity,
        "edits": hashlib.sha256(edits.encode()).hexdigest()[:16],
    }


def _files(lock: dict[str, str]) -> list[tuple[str, str]]:
    return [(key.split()[1], sha) for key, sha in lock.items() if key.startswith("sha256 ")]


def _packed(package: Package, folder: Path) -> tarfile.TarFile:
    """Return the package's archive, once its integrity is what it must be."""
    spec = f"{package.name}@{package.version}"
    subprocess.run(["npm", "pack", "--silent", spec], cwd=folder, check=True, capture_output=True)
    (file,) = folder.iterdir()
    digest = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package.integrity:
        raise SystemExit(f"{spec} isn't what was pinned: its integrity is sha512-{digest}")
    return tarfile.open(file)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(f"package/{name}")
    if stream is None:
        raise SystemExit(f"{name} isn't a file")
    return stream.read()


def _edited(data: bytes, taken: Taken) -> bytes:
    for edit in taken.edits:
        if not edit.old:
            data += edit.new.encode()
            continue
        if data.count(edit.old.encode()) != 1:
            raise SystemExit(f"{taken.source} has no single {edit.old!r} to replace")
        data = data.replace(edit.old.encode(), edit.new.encode())
    return data


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
