"""Requests to the Hub's providers, for the tests that speak with the stand-in of it."""

from collections.abc import AsyncIterator

from inferd.core.answer import collect
from inferd.core.content import File
from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from tests.backends.fake_hub import PNG
from tests.backends.subjects import Subject

OWN = "acme/own"
"""A model of the Hub's own provider."""

ANY = "acme/any"
"""A model whose providers a test chooses."""

PATH = f"/hf-inference/models/{OWN}"


def ask(task: str, *, model: str = f"{OWN}:hf-inference", **inputs: object) -> InferenceRequest:
    return InferenceRequest(id="r", task=task, model=model, inputs=inputs)


def ask_file(task: str, *files: File, **parameters: object) -> InferenceRequest:
    return InferenceRequest(
        id="r", task=task, model=f"{OWN}:hf-inference", files=files, parameters=parameters
    )


async def folded(subject: Subject, request: InferenceRequest) -> Result:
    answer = await subject.backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


class Arriving:
    """A file of unknown length that comes in small pieces."""

    field = "image"
    name = "cat.bin"
    content_type = "application/octet-stream"
    size_bytes: int | None = None

    def read(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, len(PNG), 5):
            yield PNG[start : start + 5]
