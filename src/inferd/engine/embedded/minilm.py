"""MiniLM on onnxruntime: texts in, vectors of length one out.

A long text is read in windows of 256 tokens, two of them special, and neighbours share 32. Its
vector is the mean of the windows' vectors, weighted by their tokens and brought back to length
one. Nothing is cut off unless the caller asks for it.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from inferd.engine.embedded import ceilings, weights
from inferd.engine.embedded.catalogue import DIMENSION, WINDOW
from inferd.engine.embedded.outcome import Embedded, Vectors
from inferd.engine.embedded.runtime import open_session
from inferd.engine.embedded.steps import Steps, finish
from inferd.engine.embedded.wordpiece import WordPiece, parts, read_vocabulary

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OVERLAP = 32
BATCH = 8
BATCH_TOKENS = 512
"""More texts or tokens at once make each slower on a processor, and the memory peak higher."""

LIKE = 0.75
"""Padding a text by more than a third costs more than running it with others saves."""


class _Loaded(NamedTuple):
    session: "InferenceSession"
    words: WordPiece


class MiniLM:
    """The sentence model. Any thread may call it; what it needs is loaded when first asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def __repr__(self) -> str:
        return f"<MiniLM {'loaded' if self.is_loaded else 'not loaded'}>"

    @property
    def is_present(self) -> bool:
        """Whether set-up has built it."""
        return weights.is_present(self._folder, weights.MINILM, weights.VOCABULARY)

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory."""
        return self._loaded is not None

    def load(self) -> None:
        """Read the model into memory, once.

        Raises:
            ModelDataMissing: Set-up has not built it.
        """
        self._ready()

    def unload(self) -> None:
        """Let go of the model; calls that are running finish first."""
        with self._lock:
            self._loaded = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row for each text.

        Raises:
            PayloadTooLarge: The texts have more tokens than one request may.
            ModelDataMissing: Set-up has not built it.
        """
        return self.read(texts).vectors

    def read(self, texts: Sequence[str]) -> Embedded:
        """Return a row for each text, and how many tokens were read for them."""
        return finish(self.reading(texts))

    def reading(self, texts: Sequence[str], *, most: int | None = None) -> Steps[Embedded]:
        """Read in steps: each is a batch, or a part of a text to tokenise.

        With `most`, only so many tokens of each text are read: its beginning.

        Raises:
            PayloadTooLarge: The texts have more tokens than one request may.
        """
        ceilings.check_characters(map(len, texts))
        loaded = self._ready()
        windows: list[list[Sequence[int]]] = []
        left = ceilings.TOKENS
        is_cut = False
        for text in texts:
            ids = yield from _tokenise(loaded.words, text, left, most)
            if most is not None and len(ids) > most:
                del ids[most:]
                is_cut = True
            left -= len(ids)
            windows.append(windows_of(ids))
        flat = [loaded.words.frame(window) for group in windows for window in group]
        vectors = yield from _run_batches(loaded.session, flat)
        tokens = sum(map(len, flat))
        if len(flat) == len(texts):
            return Embedded(vectors, tokens, is_cut)
        return Embedded(_gather(vectors, windows), tokens, is_cut)

    def read_each(self, texts: Sequence[str]) -> list[Embedded]:
        """Return for each text its row and its tokens: texts of several callers."""
        loaded = self._ready()
        framed = [loaded.words.frame(loaded.words.encode(text)) for text in texts]
        if max(map(len, framed)) > WINDOW:
            return [self.read([text]) for text in texts]
        vectors = finish(_run_batches(loaded.session, framed))
        return [Embedded(vectors[row : row + 1], len(tokens)) for row, tokens in enumerate(framed)]

    def count_tokens(self, text: str) -> int:
        """Count the text's own tokens: no special ones, nothing twice."""
        return len(self._ready().words.encode(text))

    def _ready(self) -> _Loaded:
        loaded = self._loaded
        if loaded is None:
            with self._lock:
                loaded = self._loaded or _load(self._folder)
                self._loaded = loaded
        return loaded


def _load(folder: Path) -> _Loaded:
    model = weights.require(folder, weights.MINILM)
    with weights.require(folder, weights.VOCABULARY).open(encoding="utf-8", newline="\n") as lines:
        words = WordPiece(read_vocabulary(lines))
    return _Loaded(open_session(model), words)


def _tokenise(words: WordPiece, text: str, left: int, most: int | None = None) -> Steps[list[int]]:
    """Tokenise a text; with `most`, end soon after so many."""
    ids: list[int] = []
    for part in parts(text):
        ids += words.encode(part)
        if min(len(ids), most or len(ids)) > left:
            raise ceilings.too_many_tokens()
        if most is not None and len(ids) > most:
            break
        yield
    return ids


def windows_of(ids: Sequence[int]) -> list[Sequence[int]]:
    """Cut tokens into what the model reads at once; the last window is a full one too."""
    size = WINDOW - 2
    if len(ids) <= size:
        return [ids]
    starts = [*range(0, len(ids) - size, size - OVERLAP), len(ids) - size]
    return [ids[start : start + size] for start in starts]


def _run(session: "InferenceSession", batch: Sequence[Sequence[int]]) -> Vectors:
    """Run one batch: all of one length, or padded to the longest."""
    longest = max(map(len, batch))
    if all(len(ids) == longest for ids in batch):
        tokens = np.array(batch, np.int64)
        mask = np.ones_like(tokens)
    else:
        tokens = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(tokens)
        for row, ids in enumerate(batch):
            tokens[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
    (vectors,) = session.run(["embedding"], {"input_ids": tokens, "attention_mask": mask})
    return np.asarray(vectors, np.float32)


def _run_batches(session: "InferenceSession", windows: Sequence[Sequence[int]]) -> Steps[Vectors]:
    """Run the windows with neighbours of like length, and put the rows back in order."""
    order = sorted(range(len(windows)), key=lambda index: len(windows[index]))
    rows = np.empty((len(windows), DIMENSION), np.float32)
    begin = 0
    while begin < len(order):
        chosen = order[begin : begin + BATCH]
        # The last is the longest, and all are padded to it.
        while len(chosen) > 1 and not _fit([len(windows[index]) for index in chosen]):
            chosen.pop()
        rows[chosen] = _run(session, [windows[index] for index in chosen])
        begin += len(chosen)
        yield
    return rows


def _fit(lengths: Sequence[int]) -> bool:
    """Whether windows of these lengths, the shortest first, are better run together."""
    shortest, longest = lengths[0], lengths[-1]
    return len(lengths) * longest <= BATCH_TOKENS and shortest >= LIKE * longest


def _gather(vectors: Vectors, windows: Iterable[Sequence[Sequence[int]]]) -> Vectors:
    """Make one vector of each text's windows."""
    rows: list[Vectors] = []
    begin = 0
    for group in windows:
        part = vectors[begin : begin + len(group)]
        begin += len(group)
        if len(group) == 1:
            rows.append(part[0])
            continue
        mean = np.array([len(ids) for ids in group], np.float32) @ part
        rows.append(mean / np.float32(np.linalg.norm(mean)))
    return np.stack(rows)
