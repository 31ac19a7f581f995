"""What `pip install` gets: the wheel has the models, and runs them far from the repository."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = "inferd/engine/embedded/data/"
ESSENTIAL = ("minilm.onnx", "vocab.txt", "iris.onnx", "sentiment.json", "docs.json")

pytestmark = [pytest.mark.extra, pytest.mark.timeout(300)]


def run(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """Run a program with no variables of ours, and return what it prints."""
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "HOME": str(home or cwd), "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        folder,
        cwd=ROOT,
        home=folder,
    )
    [built] = folder.glob("inferd-*.whl")
    return built


def test_the_wheel_carries_the_models_the_presets_and_the_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {DATA + name for name in ESSENTIAL} <= names
    built = {path.name for path in (ROOT / "src" / DATA).iterdir() if path.is_file()}
    assert {DATA + name for name in built} <= names
    presets = (ROOT / "src" / "inferd" / "config" / "presets").glob("*.toml")
    assert {f"inferd/config/presets/{path.name}" for path in presets} <= names
    assert "inferd/py.typed" in names
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert not any(name.startswith(("tests/", "scripts/")) or ".pyc" in name for name in names)


def test_an_installed_wheel_embeds_a_text_far_from_the_repository(
    wheel: Path, tmp_path: Path
) -> None:
    venv, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=elsewhere)
    python = venv / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    run(uv, "pip", "install", "--no-deps", "--python", python, wheel, cwd=elsewhere)
    # The pinned dependencies, without this repository's own editable installation beside them.
    [packages] = (venv / "lib").glob("python3*/site-packages")
    (packages / "pinned.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = "import inferd; print(inferd.__file__)"
    assert str(venv) in run(python, "-c", where, cwd=elsewhere)
    inferd = venv / "bin" / "inferd"
    told = run(inferd, "run", "feature-extraction", "hello", "--json", cwd=elsewhere)
    assert len(json.loads(told)["embedding"]) == 384
