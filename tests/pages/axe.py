"""axe-core over a page as it stands: both themes, both widths, every rule."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from tests.pages.conftest import LAPTOP, PHONE

VERSION = "4.14.1"
INTEGRITY = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
_RUN = """async (rules) => {
  const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...only });
  return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help,
    where: nodes.slice(0, 4).map((each) => `${each.html.slice(0, 160)}: ${each.failureSummary}`),
  }));
}"""
_THEMES: Sequence[tuple[Literal["light", "dark"], Sequence[str]]] = (
    ("light", ()),
    ("dark", ("color-contrast", "link-in-text-block")),
)
"""What depends on the theme is only colour: the other rules needn't be asked twice."""


async def check(page: Page) -> None:
    """Fail where axe finds anything, in either theme, on a laptop or a phone."""
    await page.evaluate(_source())
    found: dict[str, Sequence[Mapping[str, object]]] = {}
    for size in (LAPTOP, PHONE):
        await page.set_viewport_size(size)  # pyright: ignore[reportArgumentType]
        for theme, rules in _THEMES:
            await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            violations = await page.evaluate(_RUN, rules)
            if violations:
                found[f"{theme}, {size['width']} wide"] = violations
    assert not found, "\n".join(
        f"{where}: {each['impact']} {each['id']}: {each['help']}\n    {each['where']}"
        for where, violations in found.items()
        for each in violations
    )


@cache
def _source() -> str:
    """Return the library: packed by npm once, kept, and checked each time against its hash."""
    cached = _folder() / f"axe-core-{VERSION}.tgz"
    if not cached.exists():
        _fetch(cached)
    data = cached.read_bytes()
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    assert digest == INTEGRITY, f"{cached} isn't the axe-core that was pinned"
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def _folder() -> Path:
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache_home / "inferd-axe"


def _fetch(target: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = subprocess.run(
            [npm, "pack", f"axe-core@{VERSION}", "--pack-destination", folder, "--loglevel=error"],
            capture_output=True, text=True, timeout=120, check=False, cwd=folder,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"axe-core can't be fetched: {made.stderr.strip()[-200:]}")
        (packed,) = Path(folder).glob("*.tgz")
        packed.replace(target)
