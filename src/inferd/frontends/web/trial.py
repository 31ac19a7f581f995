"""A model run without scripts: the form as the server draws it, and what comes of it."""

from collections.abc import Mapping, Sequence

from inferd.core.answer import Served, collect
from inferd.core.content import BytesFile
from inferd.core.errors import InvalidRequest, NodeError, PayloadTooLarge
from inferd.core.request import InferenceRequest, Place
from inferd.core.tasks import Task, check_name, form, missing_files, task_named
from inferd.frontends._http.bodies import wrong_content_type
from inferd.frontends._http.errors import status_of
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.forms import FORM, read_form
from inferd.frontends.web import figures
from inferd.frontends.web.shell import show
from inferd.frontends.web.trial_fields import Sent, draw_field, read_fields
from inferd.frontends.web.trial_results import shown
from inferd.wire import hf_tasks, multipart

PATHS: Mapping[str, object] = {
    "/try": {
        "post": {
            "summary": "Run a task's form for a browser without scripts",
            "tags": ["Pages"],
            "requestBody": {
                "required": True,
                "content": {
                    "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
                    "multipart/form-data": {"schema": {"type": "object"}},
                },
            },
            "responses": {"200": {"description": "A page", "content": {"text/html": {}}}},
        }
    }
}

MOST_BYTES = 8 << 20
"""Of a whole form: it is held in memory, and its answer is drawn into the page."""

_MULTIPART = "multipart/form-data"
_NOTHING = Sent({})


def form_values(
    exchange: Exchange, task: str, model: str, sent: Sent = _NOTHING
) -> Mapping[str, object]:
    """Return what `_run.html` draws a task's form from, as its variable `run`.

    Raises:
        UnsupportedTask: There is no such task.
    """
    known = task_named(task)
    return {
        "task": known.name,
        "model": model,
        "label": known.label,
        "description": known.description,
        "csrf": exchange.csrf,
        "inputs": [draw_field(field, sent) for field in known.inputs],
        "advanced": [draw_field(field, sent) for field in known.parameters],
        "files": form(known)["files"],
        "remote": sent.texts.get("use_remote") == "true",
        "most": figures.size(MOST_BYTES),
        "problem": None,
        "result": None,
    }


async def run_form(exchange: Exchange) -> None:
    """Run what the form asks, and show the answer or why there is none, the form as it was.

    Raises:
        PermissionDenied: The form isn't this session's.
        InvalidRequest: It is no form.
        UnsupportedTask: It names no task.
        PayloadTooLarge: It is longer than the node takes without scripts.
    """
    sent = await _sent(exchange)
    exchange.check_csrf(sent.texts.get("csrf", ""))
    task = task_named(sent.texts.get("task", ""))
    model = check_name("model", sent.texts.get("model", ""))
    values = dict(form_values(exchange, task.name, model, sent))
    status = 200
    try:
        values["result"] = await _run(exchange, _request(exchange, task, model, sent))
    except NodeError as error:
        status = status_of(error)
        values["problem"] = _problem(exchange, error)
    await show(
        exchange, "trial.html", page="models", title=model or task.label, status=status, run=values
    )


async def _sent(exchange: Exchange) -> Sent:
    if exchange.content_type == _MULTIPART:
        decoder = multipart.Decoder(multipart.boundary_of(exchange.headers["content-type"]))
        events = decoder.feed(await _body(exchange))
        decoder.end()
        return _parts(events)
    if exchange.content_type != FORM:
        raise wrong_content_type(exchange, FORM, _MULTIPART)
    return Sent(await read_form(exchange, most=MOST_BYTES))


async def _body(exchange: Exchange) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in exchange.pieces():
        size += len(piece)
        if size > MOST_BYTES:
            raise PayloadTooLarge(
                f"the form is longer than {MOST_BYTES >> 20} MiB, the most it may be here",
                hint="switch scripts on, or send it to POST /inference",
            )
        pieces.append(piece)
    return b"".join(pieces)


def _parts(events: Sequence[multipart.Event]) -> Sent:
    texts: dict[str, str] = {}
    files: list[BytesFile] = []
    part, data = multipart.PartBegin(name=""), bytearray()
    for event in events:
        match event:
            case multipart.PartBegin():
                part, data = event, bytearray()
            case multipart.PartData(piece):
                data += piece
            case multipart.PartEnd() if part.filename is None:
                texts[part.name] = data.decode(errors="replace")
            case multipart.PartEnd() if part.filename:
                files.append(
                    BytesFile(
                        part.name, bytes(data), name=part.filename, content_type=part.content_type
                    )
                )
            case _:
                # The form's end, or what a browser sends for a file that nobody chose.
                pass
    return Sent(texts, tuple(files))


def _request(exchange: Exchange, task: Task, model: str, sent: Sent) -> InferenceRequest:
    missing = missing_files(task, {file.field for file in sent.files})
    if missing:
        raise InvalidRequest(f"{task.label} needs a file", details={"param": missing[0]})
    spec = hf_tasks.Spec(
        task=task.name,
        model_id=model,
        payload=read_fields(task.inputs, sent),
        extra_args=read_fields(task.parameters, sent),
    )
    place = Place.REMOTE if sent.texts.get("use_remote") == "true" else Place.ANY
    return hf_tasks.decode_request(spec, id=exchange.request_id, files=sent.files, place=place)


async def _run(exchange: Exchange, request: InferenceRequest) -> Mapping[str, object]:
    context = exchange.context
    began = context.clock.now()
    exchange.visit.reached_gateway = True
    async with context.gateway.infer(request, exchange.principal) as answer:
        result = await collect(answer)
        served = answer.served
    return {
        "shown": shown(request, result),
        "seconds": f"{context.clock.now() - began:.2f} s",
        "tokens": result.usage.input_tokens + result.usage.output_tokens,
        "warnings": served.warnings,
        **_receipt(exchange, served),
    }


def _receipt(exchange: Exchange, served: Served) -> Mapping[str, object]:
    tiers = {member.name: member.backend.tier.label for member in exchange.context.gateway.pool}
    is_remote = served.source == "remote"
    return {
        "backend": served.backend,
        "seen": ", ".join(dict.fromkeys(served.seen)),
        "tier": tiers.get(served.backend, "team" if is_remote else "local"),
    }


def _problem(exchange: Exchange, error: NodeError) -> Mapping[str, object]:
    return {
        "title": error.message[:1].upper() + error.message[1:],
        "hint": error.hint[:1].upper() + error.hint[1:],
        "param": error.details.get("param", ""),
        "request_id": exchange.request_id,
    }
