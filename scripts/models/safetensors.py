"""Read a safetensors file with numpy: a JSON header, then the arrays."""

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[np.float32]]


def read_floats(path: Path) -> Tensors:
    """Return every 32-bit float array of the file, by name; others are left out."""
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    tensors: Tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(raw, np.float32, (end - begin) // 4, offset=8 + length + begin)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors
