"""What each task asks of the embedded models, and how its result is told. Imports numpy."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from inferd.backends.local.telling import Loadable, Resident, Telling
from inferd.core.content import Message
from inferd.core.errors import InvalidRequest, ModelNotFound
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Embeddings, Finish, TextDelta, Usage, Value
from inferd.core.tasks import encode_message
from inferd.engine.embedded import (
    catalogue,
    ceilings,
    question_answering,
    ranking,
    similarity,
    zero_shot,
)
from inferd.engine.embedded.catalogue import DIMENSION
from inferd.engine.embedded.device import Device, Together
from inferd.engine.embedded.docs_chat import DocsChat
from inferd.engine.embedded.minilm import BATCH, MiniLM
from inferd.engine.embedded.outcome import Embedded
from inferd.engine.embedded.sentiment import Sentiment
from inferd.engine.embedded.steps import Steps
from inferd.engine.embedded.tabular import Iris

_SHORT = 2000
"""Bytes of a text that may be read together with other callers'."""

_SILENT = frozenset({"stream_options", "user", "metadata", "store", "n"})
"""What clients send along that changes nothing about the answer."""


class Done(NamedTuple):
    """An answer: its chunks, the last of them, and what to tell beside it."""

    pieces: tuple[Chunk, ...]
    finish: Finish
    warnings: tuple[str, ...] = ()


class Abilities:
    """The embedded models, loaded when first used, and run in the device's threads."""

    def __init__(self, folder: Path, device: Device) -> None:
        self._folder = folder
        self._device = device
        self._minilm = MiniLM(folder)
        self._short_texts = Together(device, self._minilm.read_each, most=BATCH, most_size=_SHORT)
        self._sentiment = Sentiment(folder, self._minilm)
        self._docs = DocsChat(folder, self._minilm)
        self._iris = Iris(folder)
        self._parts: Mapping[str, Loadable] = {
            "chat": self._docs,
            "tabular-classification": self._iris,
            "text-classification": self._sentiment,
        }
        self._models: Mapping[str, tuple[Resident, ...]] = {
            catalogue.MINILM.id: (self._minilm, self._sentiment),
            catalogue.IRIS.id: (self._iris,),
            catalogue.DOCS.id: (self._docs,),
        }
        self._tasks: Mapping[str, Callable[[InferenceRequest], Steps[Done]]] = {
            "chat": self._chat,
            "question-answering": self._question_answering,
            "sentence-similarity": self._similarity,
            "tabular-classification": self._tabular,
            "text-classification": self._sentiment_of,
            "text-ranking": self._ranking,
            "zero-shot-classification": self._zero_shot,
        }

    @property
    def resident(self) -> tuple[str, ...]:
        """The ids of the models that are in memory."""
        return tuple(model for model, parts in self._models.items() if parts[0].is_loaded)

    def load(self, model: str) -> None:
        """Put a model into memory, with all that stands on it. It takes a while."""
        for part in self._models[model]:
            part.load()

    def unload(self, model: str) -> None:
        """Take a model out of memory; what else is the same model's goes with it."""
        for part in self._models[model]:
            part.unload()

    async def answer(self, request: InferenceRequest, telling: Telling) -> Done:
        """Answer in a thread, and say when it loads and when it runs.

        Raises:
            ModelNotFound: No embedded model of that name does the task.
            InvalidRequest: The input can't be meant.
            PayloadTooLarge: It is more than one request may ask for.
            Exception: Whatever a runtime makes of a failure.
        """
        model = _model_for(request.task, request.model)
        if request.task == "feature-extraction":
            done = await self._embeddings(request, telling)
        else:
            parts = (self._parts.get(request.task, self._minilm),)
            work = self._tasks[request.task](request)
            done = await self._device.run_steps(telling.steps(parts, work))
        finish = Finish(reason=done.finish.reason, usage=done.finish.usage, model=model)
        return done._replace(finish=finish)

    async def _embeddings(self, request: InferenceRequest, telling: Telling) -> Done:
        left = _Parameters(request)
        if left.take("dimensions", DIMENSION) != DIMENSION:
            raise InvalidRequest(
                f"this model's vectors have {DIMENSION} dimensions and no fewer",
                hint="leave out dimensions",
                details={"param": "dimensions"},
            )
        if left.take("normalize", True) is not True:
            left.ignore("normalize")
        left.take("truncate", None)
        prompt = request.inputs["prompt"]
        texts = [prompt] if isinstance(prompt, str) else [*_strings(prompt)]
        ceilings.check_count(len(texts), ceilings.TEXTS, "inputs", "texts")
        read = await self._read(texts, telling)
        data = np.ascontiguousarray(read.vectors, "<f4").tobytes()
        return left.done(
            (Embeddings(data=data, dimension=DIMENSION),),
            tokens=read.tokens,
            units=len(texts),
            why="vectors are of length one, and long texts are read in windows",
        )

    async def _read(self, texts: list[str], telling: Telling) -> Embedded:
        parts = (self._minilm,)
        if len(texts) == 1 and len(texts[0]) <= _SHORT:
            # A byte is a token at most: the size bounds the work, whatever the language.
            size = len(texts[0].encode(errors="replace"))
            if size <= _SHORT:
                if not self._minilm.is_loaded:
                    await self._device.run(telling.load, parts)
                return await self._short_texts.run(texts[0], size=size, begin=telling.running)
        return await self._device.run_steps(telling.steps(parts, self._minilm.reading(texts)))

    def _chat(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        messages = request.inputs["messages"]
        turns = [encode_message(turn) for turn in _list(messages) if isinstance(turn, Message)]
        said = yield from self._docs.answer(turns)
        texts = said.pieces() if request.stream else (said.text,)
        return left.done(
            tuple(TextDelta(text) for text in texts),
            tokens=said.input_tokens,
            written=said.output_tokens,
            why="inferd-docs quotes, it doesn't sample",
        )

    def _similarity(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        sentences = _strings(request.inputs["sentences"])
        source = _text(request, "source_sentence")
        scores = yield from similarity.compare(self._minilm, source, sentences)
        return left.done((Value(scores.result),), tokens=scores.input_tokens, units=len(sentences))

    def _ranking(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        texts = _strings(request.inputs["texts"])
        ranked = yield from ranking.rank(
            self._minilm,
            _text(request, "query"),
            texts,
            top_n=_count(left.take("top_n", None)),
            return_text=bool(left.take("return_documents", False)),
        )
        return left.done((Value(ranked.result),), tokens=ranked.input_tokens, units=len(texts))

    def _zero_shot(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        template = left.take("hypothesis_template", zero_shot.TEMPLATE)
        found = yield from zero_shot.classify(
            self._minilm,
            [_text(request, "prompt")],
            _strings(request.inputs["candidate_labels"]),
            hypothesis_template=str(template),
            multi_label=bool(left.take("multi_label", False)),
        )
        return left.done((Value(found.result[0]),), tokens=found.input_tokens, is_cut=found.is_cut)

    def _sentiment_of(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        if left.take("function_to_apply", "softmax") != "softmax":
            left.ignore("function_to_apply")
        top_k = _count(left.take("top_k", None))
        found = yield from self._sentiment.classify([_text(request, "prompt")], top_k=top_k)
        return left.done(
            (Value(found.result[0]),),
            tokens=found.input_tokens,
            is_cut=found.is_cut,
            why="it is always softmax",
        )

    def _question_answering(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        top_k = _count(left.take("top_k", None))
        found = yield from question_answering.answer(
            self._minilm,
            _text(request, "qa_question"),
            _text(request, "qa_context"),
            top_k=top_k or 1,
        )
        value = found.result[0] if top_k in (None, 1) else found.result
        return left.done(
            (Value(value),),
            tokens=found.input_tokens,
            why="it reads the whole context, and always answers",
        )

    def _tabular(self, request: InferenceRequest) -> Steps[Done]:
        left = _Parameters(request)
        found = yield from self._iris.classify(request.inputs["features"])
        rows = [
            {
                "label": row["label"],
                "class_id": row["class_id"],
                "score": row["probabilities"][row["class_id"]],
                "probabilities": row["probabilities"],
            }
            for row in found
        ]
        return left.done((Value(rows),), units=len(rows))


class _Parameters:
    """A request's parameters: those that were used, and those to own up to."""

    def __init__(self, request: InferenceRequest) -> None:
        self._left = {
            name: value
            for name, value in request.parameters.items()
            if name not in _SILENT and value is not None
        }
        self._ignored: list[str] = []

    def take(self, name: str, default: object) -> object:
        return self._left.pop(name, default)

    def ignore(self, name: str) -> None:
        self._ignored.append(name)

    def done(
        self,
        pieces: tuple[Chunk, ...],
        *,
        tokens: int = 0,
        written: int = 0,
        units: int = 1,
        is_cut: bool = False,
        why: str = "this model has no such setting",
    ) -> Done:
        """Close the account: whatever was not taken was not used."""
        names = ", ".join([*self._ignored, *sorted(self._left)])
        usage = Usage(input_tokens=tokens, output_tokens=written, units=units)
        warnings = [f"ignored: {names} ({why})"] if names else []
        if is_cut:
            warnings.append(f"read only the first {ceilings.CLASSIFIED:,} tokens of the text")
        return Done(pieces, Finish(usage=usage), tuple(warnings))


def _model_for(task: str, name: str) -> str:
    """Return the id of the model that does the task under that name, or under none."""
    for model in catalogue.MODELS:
        if task in model.tasks and (not name or name == model.id or name in model.aliases):
            return model.id
    raise ModelNotFound(
        f"no embedded model called {name} does {task}", hint="GET /models lists what runs here"
    )


def _text(request: InferenceRequest, name: str) -> str:
    value = request.inputs[name]
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be one text")
    return value


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _strings(value: object) -> list[str]:
    return [str(item) for item in _list(value)]


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
