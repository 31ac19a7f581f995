"""Vectors, packed as little-endian float32, to and from lists of numbers."""

import math
import struct
from collections.abc import Sequence

from inferd.core.errors import BackendFailed
from inferd.core.result import Embeddings


def rows_of(embeddings: Embeddings) -> list[list[float]]:
    """Return a list of numbers for each vector."""
    return [list(struct.unpack(f"<{len(row) // 4}f", row)) for row in packed_rows(embeddings)]


def packed_rows(embeddings: Embeddings) -> list[bytes]:
    """Return the bytes of each vector."""
    step = 4 * embeddings.dimension
    return [
        embeddings.data[start : start + step] for start in range(0, embeddings.count * step, step)
    ] if step else []  # fmt: skip


def pack(rows: Sequence[object]) -> Embeddings:
    """Pack an upstream's vectors.

    Raises:
        BackendFailed: They aren't lists of finite numbers of one length.
    """
    packed = [_packed(row) for row in rows]
    if not packed or not packed[0] or any(len(row) != len(packed[0]) for row in packed):
        raise BackendFailed("the upstream's vectors have different lengths, or none")
    return Embeddings(data=b"".join(packed), dimension=len(packed[0]) // 4)


def join(packed: Sequence[bytes]) -> Embeddings:
    """Join vectors that came packed.

    Raises:
        BackendFailed: They aren't float32 vectors of one length.
    """
    size = len(packed[0]) if packed else 0
    if not size or size % 4 or any(len(row) != size for row in packed):
        raise BackendFailed("the upstream's vectors have different lengths, or none")
    data = b"".join(packed)
    if not all(map(math.isfinite, struct.unpack(f"<{len(data) // 4}f", data))):
        raise BackendFailed("the upstream's vectors hold numbers that aren't finite")
    return Embeddings(data=data, dimension=size // 4)


def _packed(row: object) -> bytes:
    if not isinstance(row, list):
        raise BackendFailed("the upstream's vectors aren't lists of numbers")
    try:
        data = struct.pack(f"<{len(row)}f", *row)
    except (struct.error, OverflowError) as error:
        raise BackendFailed("the upstream's vectors aren't lists of numbers") from error
    if not all(map(math.isfinite, row)):
        raise BackendFailed("the upstream's vectors hold numbers that aren't finite")
    return data
