"""One question to a node, and its answer on the terminal."""

import sys
import time
from pathlib import Path

import httpx2
import msgspec

from inferd.cli import screen
from inferd.cli.client import Client, translated
from inferd.cli.failure import Failure
from inferd.cli.inputs import Part
from inferd.core.errors import NodeError
from inferd.core.result import Chunk, Embeddings, Finish, Media, TextDelta, ToolCallDelta, Value
from inferd.core.tasks import Task
from inferd.wire import sse, vectors
from inferd.wire.hf_tasks import StreamDecoder

_JSON = "application/json"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a node."""

    task: Task
    model: str
    payload: dict[str, object]
    parameters: dict[str, object]
    files: tuple[Part, ...]
    use_remote: bool | None
    tier: str
    backend: str = ""

    def request(self, http: httpx2.AsyncClient, *, stream: bool = False) -> httpx2.Request:
        """Return the request that asks it."""
        spec = {
            "model_id": self.model,
            "task": self.task.spelling,
            "payload": {**self.payload, "stream": True} if stream else self.payload,
            "extra_args": self.parameters,
        }
        # The fields come first: a node may act on them while the file still arrives.
        form: list[tuple[str, tuple[str | None, bytes, str]]] = [
            ("spec", (None, msgspec.json.encode(spec), _JSON))
        ]
        if self.use_remote is not None:
            wanted = b"true" if self.use_remote else b"false"
            form.append(("use_remote", (None, wanted, "text/plain")))
        form += [(part.field, (part.name, part.data, part.content_type)) for part in self.files]
        said = {"X-Inference-Tier": self.tier, "X-Inference-Backend": self.backend}
        headers = {name: value for name, value in said.items() if value}
        return http.build_request("POST", "/inference", files=form, headers=headers)


async def ask(client: Client, question: Question, *, json: bool, output: str | None) -> None:
    """Print the whole answer, or save it."""
    began = time.monotonic()
    with screen.working(f"{question.task.label} on {client.name} …", quiet=json):
        answer = await client.send(question.request(client.http))
    seconds = time.monotonic() - began
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/html":
        raise Failure(f"{client.name} doesn't answer as a node does", hint="check the URL")
    if kind != _JSON:
        media = Media(data=answer.content, content_type=kind, name=_file_name(answer))
        _save(media, output, json=json)
    elif json:
        screen.write(answer.text.rstrip("\n") + "\n")
    else:
        from inferd.cli.render import draw

        screen.show(draw(question.task, client.decoded(answer.content, object), question.payload))
    if not json:
        _say_where(answer.headers, seconds)


async def ask_for_stream(client: Client, question: Question, *, json: bool) -> None:
    """Print the answer as it comes; as JSON, an event a line."""
    began = time.monotonic()
    answer = await client.send(question.request(client.http, stream=True), stream=True)
    events, chunks = sse.Decoder(), StreamDecoder()
    try:
        with translated(client.name):
            async for data in answer.aiter_bytes():
                for event in events.feed(data):
                    found = chunks.feed(event.data)
                    if json:
                        screen.write(event.data + "\n")
                    else:
                        for chunk in found:
                            _show_chunk(chunk)
        chunks.end()
    except NodeError as error:
        request_id = answer.headers.get("x-request-id", "")
        raise Failure(error.message, hint=error.hint, request_id=request_id) from error
    finally:
        await answer.aclose()
    if not json:
        screen.write("\n")
        _say_where(answer.headers, time.monotonic() - began)


def _show_chunk(chunk: Chunk) -> None:
    match chunk:
        case TextDelta(text):
            screen.write(text)
        case Value(value):
            screen.write_json(value)
        case Embeddings():
            screen.write_json(vectors.rows_of(chunk))
        case Media():
            _save(chunk, None, json=False)
        case ToolCallDelta():
            screen.write_json(msgspec.structs.asdict(chunk))
        case Finish() | bytes():
            pass


def _save(media: Media, output: str | None, *, json: bool) -> None:
    if output == "-":
        sys.stdout.buffer.write(media.data)
        return
    path = Path(output) if output else _free(Path(media.name))
    try:
        path.write_bytes(media.data)
    except OSError as error:
        raise Failure(
            f"{path} can't be written: {error.strerror}", hint="name another with --output"
        ) from error
    size = len(media.data)
    if json:
        screen.write_json(
            {"file": str(path), "content_type": media.content_type, "size_bytes": size}
        )
    else:
        screen.show(f"{media.content_type}, {size} bytes, saved as {path}")


def _free(path: Path) -> Path:
    """Return a name that no file has yet: what stands there isn't ours to replace."""
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


def _file_name(answer: httpx2.Response) -> str:
    """Return the file's name as a label, never a path."""
    said = answer.headers.get("content-disposition", "").partition('filename="')[2].rstrip('"')
    name = Path(said.replace("\\", "/")).name
    return name if name and not name.startswith(".") else "result.bin"


def _say_where(headers: httpx2.Headers, seconds: float) -> None:
    source = headers.get("x-inference-source", "")
    backend = headers.get("x-inference-backend", "")
    model = headers.get("x-inference-model", "")
    node = headers.get("x-inference-node", "")
    told = [
        f"ran {source}",
        f"backend {backend}",
        model and f"model {model}",
        f"node {node}" if source == "remote" and node else "",
        _duration(seconds),
    ]
    screen.note(" · ".join(filter(None, told)))
    for warning in headers.get_list("x-inference-warning"):
        screen.note(f"note: {warning}")


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
