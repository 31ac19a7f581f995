"""The pinned files say what `pyproject.toml` asks for, and nothing about where it comes from."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
AGAIN = "run .venv/bin/python scripts/requirements.py"
COMPILED = ("run", "build", "dev", "uv")
CLIENTS = tuple(sorted(f"clients/{path.stem}" for path in (FOLDER / "clients").glob("*.in")))


def entries(name: str) -> list[str]:
    """Each pinned requirement with its hashes, as one line."""
    text = re.sub(r"^\s*#.*\n", "", (FOLDER / f"{name}.txt").read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def pins(name: str) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for entry in entries(name):
        pin = Requirement(entry.split(" --hash=")[0].strip())
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def asked(name: str) -> Iterator[Requirement]:
    """The direct dependencies that a file must satisfy."""
    groups = PROJECT["dependency-groups"]
    lines = {
        "run": PROJECT["project"]["dependencies"],
        "build": [*groups["build"], *PROJECT["build-system"]["requires"]],
        "dev": [*PROJECT["project"]["dependencies"], *groups["build"], *groups["dev"]],
        "uv": re.sub(r"#.*", "", (FOLDER / "uv.in").read_text()).split("\n"),
    }[name]
    return (Requirement(line) for line in lines if isinstance(line, str) and line.strip())


@pytest.mark.parametrize("name", COMPILED)
def test_every_direct_dependency_is_pinned_within_its_range(name: str) -> None:
    pinned = pins(name)
    for requirement in asked(name):
        found = pinned.get(canonicalize_name(requirement.name))
        assert found, f"{requirement.name} is not in requirements/{name}.txt: {AGAIN}"
        for pin in found:
            [version] = pin.specifier
            assert requirement.specifier.contains(version.version), f"{pin}: {AGAIN}"


@pytest.mark.parametrize("name", [*COMPILED, *CLIENTS])
def test_every_pin_is_exact_and_hashed(name: str) -> None:
    for entry in entries(name):
        assert re.match(r"[a-z0-9-]+==[^\s*]+ ", entry), entry
        assert " --hash=sha256:" in entry, entry


@pytest.mark.parametrize("name", ["run", "build"])
def test_smaller_files_agree_with_the_largest(name: str) -> None:
    everything = {str(pin.specifier) + key for key, found in pins("dev").items() for pin in found}
    some = {str(pin.specifier) + key for key, found in pins(name).items() for pin in found}
    assert some <= everything, AGAIN


@pytest.mark.parametrize("name", [*COMPILED, *CLIENTS])
def test_no_index_or_path_is_named(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|(^|\s)/", text)


def test_every_client_has_its_pins() -> None:
    pinned = {f"clients/{path.stem}" for path in (FOLDER / "clients").glob("*.txt")}
    assert pinned == set(CLIENTS)


@pytest.mark.parametrize(
    "lock", sorted((ROOT / "tests").rglob("package-lock.json")), ids=lambda lock: lock.parent.name
)
def test_what_npm_installs_is_exact_and_hashed(lock: Path) -> None:
    wanted = json.loads(lock.with_name("package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = json.loads(lock.read_text())["packages"]
    own = packages.pop("")
    assert own["dependencies"] == wanted
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert "://" not in json.dumps([each.get("resolved", "") for each in packages.values()])
