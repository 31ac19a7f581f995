"""The house rules that no linter knows: sizes, docstrings, one row and one subject per backend."""

import ast
import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "inferd"
MODULES = sorted(SOURCE.rglob("*.py"))
BESIDE = sorted(
    path for name in ("tests", "scripts", "benchmarks") for path in (ROOT / name).rglob("*.py")
)
MAX_FILE = 400
MAX_FUNCTION = 40
"""Lines from the first statement to the last: neither the signature nor the docstring."""

KINDS = "added|changed|deprecated|removed|fixed|security"

# Spelt in pieces, so that this file doesn't find itself.
REGISTRIES = [
    name + "." + end
    for name, end in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb.debian", "org"),
    ]
]
MACHINE_PATH = re.compile(
    r"(?:^|[\s\"'`(=:,]|file://)/(?:"
    + "|".join(["wor[k]", "far[m]", "roo[t]", "User[s]"])
    + r")\w*/"
)
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME"]) + r")\b")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tracked() -> dict[str, str]:
    """The text files of the repository, by path."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    if shutil.which("git") is None:
        pytest.skip("git, which lists the files of the repository, is not installed")
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    texts: dict[str, str] = {}
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            data = path.read_bytes()
            if b"\0" not in data:
                texts[name] = data.decode(errors="replace")
    return texts


def lines_matching(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in tracked().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body; what stands between two statements counts too."""
    body = function.body
    if len(body) > 1 and ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def backend_kinds() -> list[str]:
    """The modules and packages of `inferd.backends` that are a `kind`."""
    folder = SOURCE / "backends"
    names = {path.stem for path in folder.glob("*.py")}
    names |= {path.parent.name for path in folder.glob("*/__init__.py")}
    return sorted(name for name in names if not name.startswith("_"))


def test_every_module_says_what_it_is() -> None:
    silent = [named(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_no_module_is_too_long_to_read() -> None:
    lengths = {named(path): path.read_text().count("\n") for path in [*MODULES, *BESIDE]}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE} == {}


def test_no_function_is_too_long_to_read() -> None:
    long = [
        f"{named(path)}:{function.lineno} {function.name}"
        for path in MODULES
        for function in functions(ast.parse(path.read_text()))
        if length(function) > MAX_FUNCTION
    ]
    assert long == []


def test_a_function_is_as_long_as_its_body() -> None:
    [function] = functions(
        ast.parse(
            'def f(\n    x,\n):\n    """Do.\n\n    More.\n    """\n    a = 1\n\n    return a\n'
        )
    )
    assert length(function) == 3


def test_every_folder_of_modules_is_a_package() -> None:
    """Without its `__init__.py` a folder is invisible to the import contracts."""
    folders = {parent for path in MODULES for parent in path.parents if SOURCE in parent.parents}
    assert [named(f) for f in sorted(folders) if not (f / "__init__.py").exists()] == []


def test_every_backend_has_a_row_in_its_document() -> None:
    page = ROOT / "docs" / "backends.md"
    rows = re.findall(r"^\|\s*`(\w+)`", page.read_text() if page.exists() else "", re.MULTILINE)
    assert [kind for kind in backend_kinds() if kind not in rows] == []


def test_every_backend_is_a_subject_of_the_conformance_suite() -> None:
    if kinds := backend_kinds():
        subjects = importlib.import_module("tests.backends.subjects").SUBJECTS
        assert [kind for kind in kinds if kind not in subjects] == []


def test_no_package_registry_is_named() -> None:
    assert lines_matching(re.compile("|".join(map(re.escape, REGISTRIES)))) == []


def test_no_path_of_one_machine_is_named() -> None:
    assert lines_matching(MACHINE_PATH) == []


def test_nothing_is_marked_unfinished() -> None:
    assert lines_matching(UNFINISHED) == []


def test_a_change_is_one_paragraph_of_a_known_kind() -> None:
    for fragment in (ROOT / "changes").iterdir():
        if fragment.name == "README.md":
            continue
        assert re.fullmatch(rf"[a-z0-9]+(-[a-z0-9]+)*\.({KINDS})\.md", fragment.name)
        text = fragment.read_text()
        assert re.fullmatch(r"[^#\n](.|\n(?!\n))*\.\n", text), f"{fragment.name}: one paragraph"
