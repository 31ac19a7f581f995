"""Index the documentation: passages and their vectors."""

from collections.abc import Sequence
from pathlib import Path

from inferd.engine.embedded import docs_chat, passages
from inferd.engine.embedded.minilm import MiniLM


def build(model: MiniLM, root: Path, documents: Sequence[Path], folder: Path) -> int:
    """Write the index and return how many passages it holds."""
    found = [
        passage
        for path in documents
        for passage in passages.split(
            path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        )
    ]
    vectors = model.embed([passage.searchable for passage in found])
    docs_chat.write_index(folder, found, vectors)
    return len(found)
