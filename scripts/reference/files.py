"""Every file that is written from the code."""

from collections.abc import Callable, Mapping
from pathlib import Path

from reference.configuration import reference
from reference.examples import example_env, example_toml
from reference.tasks import markdown

FILES: Mapping[str, Callable[[], str]] = {
    "docs/configuration.md": reference,
    "docs/tasks.md": markdown,
    "inferd.example.toml": example_toml,
    ".env.example": example_env,
}


def write(root: Path) -> None:
    """Write them all under this folder."""
    for name, make in FILES.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(make(), encoding="utf-8")


def stale(root: Path) -> list[str]:
    """Name the files under this folder that the code has left behind."""
    return [name for name, make in FILES.items() if _text(root / name) != make()]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
