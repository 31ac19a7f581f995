"""onnxruntime, told to keep to itself.

Its official builds report to Microsoft unless they are stopped: they write a device's id under
the user's cache folder and look for the collector from the first session on. Nobody who asks this
node agreed to that. Import onnxruntime here and nowhere else.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_SILENCE = "ORT_DISABLE_TELEMETRY"
"""Read once, when the library is loaded: with it no reporter, id or cache comes to be."""


def open_session(model: Path) -> "InferenceSession":
    """Load an ONNX file to run in the calling thread."""
    os.environ[_SILENCE] = "1"
    # Costs 60 ms and 40 MB, and most nodes answer their first requests without it.
    import onnxruntime

    # For a process that had it loaded before us.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(model), sess_options=options, providers=["CPUExecutionProvider"]
    )
