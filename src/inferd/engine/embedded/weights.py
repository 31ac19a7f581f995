"""Where the embedded models' files are, and what to say when they aren't there."""

from pathlib import Path

from inferd.core.errors import BackendUnavailable

MINILM = "minilm.onnx"
VOCABULARY = "vocab.txt"
SENTIMENT = "sentiment.json"
IRIS = "iris.onnx"
PASSAGES = "docs.json"
PASSAGE_VECTORS = "docs.npy"


class ModelDataMissing(BackendUnavailable):
    """Set-up has not built this model's files, or they were removed."""


def built_folder() -> Path:
    """Return the folder that set-up fills and the wheel carries."""
    return Path(__file__).parent / "data"


def is_present(folder: Path, *names: str) -> bool:
    """Tell whether all of the files are there."""
    return all((folder / name).is_file() for name in names)


def require(folder: Path, name: str) -> Path:
    """Return a file's path.

    Raises:
        ModelDataMissing: It isn't there.
    """
    path = folder / name
    if not path.is_file():
        raise ModelDataMissing(
            f"the embedded models are not built: {name} is missing", hint="run `make setup`"
        )
    return path
