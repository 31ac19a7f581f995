"""`inferd-docs`: answers questions about inferd by quoting its documentation, word for word.

It generates nothing. Passages are found by MiniLM and by shared words; the best are quoted with
where they stand. A question they don't touch is declined, with what to do instead.
"""

import json
import math
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import checks, lexical, weights
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.outcome import Vectors
from inferd.engine.embedded.passages import Passage
from inferd.engine.embedded.steps import Steps
from inferd.engine.embedded.wordpiece import parts

QUOTED = 3
RELEVANT = 0.45
"""The least score of a passage worth quoting: cosine, plus `OVERLAP` times the shared words."""

CLOSE = 0.3
"""The least cosine: a word in common alone (`hello` stands in an example) makes no answer."""

OVERLAP = 0.25
"""What it counts that a passage has all of the question's words; rare words count for more."""

ASKED = 0.06
"""What it counts to stand under a heading that is a question: it was written to answer one."""

BAND = 0.12
"""A second and third passage must come this close to the best."""

GREETING = """\
Hello. I am `inferd-docs`: I quote inferd's documentation. Ask me what inferd is, how to install, \
configure or use it, which models it runs, or who can see what you ask.
"""

_SMALL_TALK = re.compile(
    r"\W*(?:(?:hello|hi|hey|hallo|howdy|greetings|good (?:morning|afternoon|evening|day)|thanks"
    r"|thank you|help|start|test|who are you|what are you|what can you do|what can i ask"
    r"|how are you|there|you|me|inferd|inferd-docs|please)\b\W*)+",
    re.IGNORECASE,
)
_LONGEST_SMALL_TALK = 60

PREAMBLE = "I quote inferd's documentation; I don't generate text.\n\n"

DECLINED = """\
I am `inferd-docs`: I quote inferd's documentation and don't generate text. I found nothing in it \
that answers this.

Ask me how to install, configure or use inferd: keys, limits, backends, peers, jobs, protocols.

To chat freely, start Ollama, llama.cpp, vLLM or LM Studio on this machine: the node finds it by \
itself. A server elsewhere goes into `inferd.toml`:

```toml
[[backends]]
name = "chat"
kind = "openai"
base_url = "http://10.0.0.11:8000/v1"
```

Any server that speaks OpenAI's API will do, and so will another inferd node, with \
`kind = "remote_node"`.
"""


class DocsAnswer(NamedTuple):
    """What is said, where it was found, and what it cost. Empty sources: it was declined."""

    text: str
    sources: tuple[str, ...]
    input_tokens: int
    output_tokens: int

    def pieces(self) -> Iterator[str]:
        """Yield the text word by word, for a stream; joined, the pieces are the text."""
        return (match[0] for match in re.finditer(r"\s*\S+(?:\s+\Z)?", self.text))


class _Index(NamedTuple):
    passages: tuple[Passage, ...]
    stems: tuple[frozenset[str], ...]
    rarity: Mapping[str, float]
    vectors: Vectors


class DocsChat:
    """The documentation's index, and how it is asked."""

    def __init__(self, folder: Path, model: MiniLM) -> None:
        self._folder = folder
        self._model = model
        self._lock = threading.Lock()
        self._index: _Index | None = None

    @property
    def is_present(self) -> bool:
        """Whether set-up has built it."""
        return self._model.is_present and weights.is_present(
            self._folder, weights.PASSAGES, weights.PASSAGE_VECTORS
        )

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory, with the sentence model."""
        return self._index is not None and self._model.is_loaded

    def load(self) -> None:
        """Read it into memory, and the sentence model, once.

        Raises:
            ModelDataMissing: Set-up has not built it.
        """
        self._ready()
        self._model.load()

    def unload(self) -> None:
        """Let go of what stands on the sentence model, which stays; running calls finish first."""
        with self._lock:
            self._index = None

    def answer(self, messages: Sequence[Mapping[str, object]]) -> Steps[DocsAnswer]:
        """Answer the last thing that the user said.

        Raises:
            InvalidRequest: Nobody has asked anything.
            PayloadTooLarge: The question is too long.
            ModelDataMissing: Set-up has not built the index.
        """
        question = last_question(messages)
        index = self._ready()
        if len(question) <= _LONGEST_SMALL_TALK and _SMALL_TALK.fullmatch(question):
            counted = self._model.count_tokens
            return DocsAnswer(GREETING, (), counted(question), counted(GREETING))
        vectors, tokens, _ = yield from self._model.reading([question])
        found = _find(index, (yield from _stems(question)), vectors[0])
        text = PREAMBLE + "\n\n".join(map(quote, found)) + "\n" if found else DECLINED
        sources = tuple(_place(passage) for passage in found)
        return DocsAnswer(text, sources, tokens, self._model.count_tokens(text))

    def _ready(self) -> _Index:
        index = self._index
        if index is None:
            with self._lock:
                index = self._index or _load(self._folder)
                self._index = index
        return index


def last_question(messages: Sequence[Mapping[str, object]]) -> str:
    """Return the text of the last message by the user: a text, or parts of type `text`."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return checks.text(_text_of(message.get("content")), "the last user message")
    raise InvalidRequest("messages hold nothing from the user")


def _text_of(content: object) -> object:
    if not isinstance(content, Sequence) or isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
    return "\n".join(str(part.get("text", "")) for part in parts)


def quote(passage: Passage) -> str:
    """Set a passage as a Markdown quotation with its source below."""
    lines = [f"> {line}".rstrip() for line in passage.text.splitlines()]
    return "\n".join([*lines, "", f"— {_place(passage)}"])


def _place(passage: Passage) -> str:
    return f"{passage.source} § {passage.heading}" if passage.heading else passage.source


def _stems(question: str) -> Steps[frozenset[str]]:
    found: frozenset[str] = frozenset()
    for part in parts(question):
        found |= lexical.content_stems(part)
        yield
    return found


def _find(index: _Index, wanted: frozenset[str], vector: Vectors) -> list[Passage]:
    """Return the passages worth quoting, the best first."""
    if not index.passages:
        return []
    # A word that no passage has is as rare as one can be.
    weight = {stem: index.rarity.get(stem, math.log(1 + len(index.passages))) for stem in wanted}
    total = sum(weight.values()) or 1.0
    overlap = [sum(weight[stem] for stem in wanted & stems) / total for stems in index.stems]
    cosines = index.vectors @ vector
    asked = [passage.heading.endswith("?") for passage in index.passages]
    scores = cosines + OVERLAP * np.array(overlap, np.float32) + ASKED * np.array(asked, np.float32)
    order = np.argsort(-scores, kind="stable")[:QUOTED]
    least = max(RELEVANT, float(scores[order[0]]) - BAND)
    return [
        index.passages[place]
        for place in order
        if scores[place] >= least and cosines[place] >= CLOSE
    ]


def _load(folder: Path) -> _Index:
    stored = weights.require(folder, weights.PASSAGES).read_bytes()
    vectors = np.load(weights.require(folder, weights.PASSAGE_VECTORS), allow_pickle=False)
    passages = msgspec.json.decode(stored, type=tuple[Passage, ...])
    stems = tuple(lexical.content_stems(passage.searchable) for passage in passages)
    counts = Counter(stem for found in stems for stem in found)
    rarity = {stem: math.log(1 + len(passages) / count) for stem, count in counts.items()}
    return _Index(passages, stems, rarity, vectors)


def write_index(folder: Path, passages: Sequence[Passage], vectors: Vectors) -> None:
    """Store an index where `DocsChat` finds it."""
    rows = [msgspec.to_builtins(passage) for passage in passages]
    text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    (folder / weights.PASSAGES).write_text(text, encoding="utf-8")
    np.save(folder / weights.PASSAGE_VECTORS, vectors, allow_pickle=False)
