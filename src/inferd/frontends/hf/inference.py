"""POST /inference: a spec and its files in, a result, a file or events out."""

import msgspec

from inferd.core.content import File
from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest, Place
from inferd.core.result import Result
from inferd.core.tasks import missing_files, task_named
from inferd.frontends._http.bodies import read_json, take_apart, wrong_content_type
from inferd.frontends._http.directions import place_of
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.relay import Whole, relay
from inferd.frontends._http.uploads import open_form
from inferd.wire import files_header, hf_tasks, json, usage_header
from inferd.wire.context import Context

_FORM = "multipart/form-data"
_JSON = "application/json"


class _Beside(msgspec.Struct, frozen=True):
    """What a JSON body says beside its spec."""

    use_remote: bool | str | None = None


_beside = msgspec.json.Decoder(_Beside)


async def infer(exchange: Exchange) -> None:
    """Answer one request, whatever its task."""
    asked = exchange.directions()
    if exchange.content_type == _FORM:
        # A node that forwards has already decided: it never says use_remote. One that doesn't
        # announce its files may bring several.
        is_announced = files_header.NAME in exchange.headers
        place_is_known = "place" in asked or ("hops" in asked and is_announced)
        async with open_form(exchange, place_is_known=place_is_known) as form:
            _place(asked, form.place)
            await _answer(exchange, form.spec, form.files, asked)
    elif exchange.content_type == _JSON:
        body = await read_json(exchange)
        _place(asked, _place_beside(body))
        await _answer(exchange, body, (), asked)
    else:
        raise wrong_content_type(exchange, _FORM, _JSON)


async def _answer(exchange: Exchange, spec: bytes, files: tuple[File, ...], asked: Context) -> None:
    request = await take_apart(spec, lambda: _request(exchange, spec, files, asked))
    await relay(exchange, request, _Answer(request))


def _request(
    exchange: Exchange, body: bytes, files: tuple[File, ...], asked: Context
) -> InferenceRequest:
    spec = hf_tasks.decode_spec(body)
    task = task_named(spec.task)
    missing = missing_files(task, {file.field for file in files})
    if missing:
        raise InvalidRequest(
            f"{task.name} needs {' and '.join(missing)}, sent as a part of the form",
            details={"param": missing[0]},
        )
    wants_events = "text/event-stream" in exchange.headers.get("accept", "")
    return hf_tasks.decode_request(
        spec, id=exchange.request_id, files=files, stream=wants_events and task.streams, **asked
    )


def _place(asked: Context, said: Place | None) -> None:
    if said is None:
        return
    if asked.setdefault("place", said) != said:
        raise InvalidRequest("use_remote and X-Inference-Use-Remote contradict each other")


def _place_beside(body: bytes) -> Place | None:
    # What isn't JSON at all, the spec's own decoder refuses in its words.
    beside = json.request_fields(_beside, body)
    use_remote = None if beside is None else beside.use_remote
    if use_remote is None:
        return None
    return place_of(str(use_remote), "use_remote")


class _Answer:
    """An answer as the task's pipeline shapes it, or as TGI streams it."""

    def __init__(self, request: InferenceRequest) -> None:
        self._request = request

    def whole(self, result: Result) -> Whole:
        """Return the result in its task's shape."""
        many = isinstance(self._request.inputs.get("prompt"), list | tuple)
        encoded = hf_tasks.encode_result(self._request.task, result, many=many)
        name = encoded.filename.replace("\\", "_").replace('"', "_")
        headers = [("Content-Disposition", f'inline; filename="{name}"')] if name else []
        if usage := usage_header.encode_usage(result.usage):
            headers.append((usage_header.NAME, usage))
        return Whole(body=encoded.body, content_type=encoded.content_type, headers=headers)

    def events(self, model: str) -> hf_tasks.StreamEncoder:
        """Return a writer of TGI's events."""
        return hf_tasks.StreamEncoder()
