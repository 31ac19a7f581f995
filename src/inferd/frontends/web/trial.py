"""A model run without scripts: the form as the server draws it, and what comes of it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from inferd.core.answer import Served, collect
from inferd.core.errors import InvalidRequest, NodeError, PermissionDenied
from inferd.core.request import InferenceRequest, Place
from inferd.core.tasks import Task, check_name, form, missing_files, task_named
from inferd.core.words import size_words
from inferd.frontends._http.endpoint import note_refusal
from inferd.frontends._http.errors import headers_of, status_of
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web import figures
from inferd.frontends.web.shell import problem_of, render, send
from inferd.frontends.web.trial_fields import draw_field, read_fields
from inferd.frontends.web.trial_results import shown
from inferd.frontends.web.trial_sent import MOST_BYTES, Sent, SentFile, read_sent
from inferd.wire import file_kinds, hf_tasks

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
        "most": size_words(MOST_BYTES),
        "problem": None,
        "result": None,
    }


async def run_form(exchange: Exchange) -> None:
    """Run what the form asks, and show the answer or why there is none, the form as it was.

    Raises:
        NodeError: It can't be read, or names no task or no model: there is no form to show again.
    """
    sent = await read_sent(exchange)
    try:
        task = task_named(sent.texts.get("task", ""))
        model = check_name("model", sent.texts.get("model", ""))
    except NodeError as error:
        raise sent.fault or error from error
    values = dict(form_values(exchange, task.name, model, sent))
    status, headers = 200, list[tuple[str, str]]()
    try:
        if sent.fault is not None:
            raise sent.fault
        _check_csrf(exchange, sent)
        values["result"] = await _run(exchange, _request(exchange, task, model, sent))
    except NodeError as error:
        status, headers = status_of(error), headers_of(error)
        values["problem"] = problem_of(exchange, error)
        note_refusal(exchange, error)
    page = "chat" if task.name == "chat" else "models"
    html = await render(exchange, "trial.html", page=page, title=model or task.label, run=values)
    await send(exchange, html, status=status, headers=headers)


def _check_csrf(exchange: Exchange, sent: Sent) -> None:
    try:
        exchange.check_csrf(sent.texts.get("csrf", ""))
    except PermissionDenied as error:
        raise PermissionDenied(
            "the form was too old to run", hint="send it again: this is a new one"
        ) from error


def _request(exchange: Exchange, task: Task, model: str, sent: Sent) -> InferenceRequest:
    missing = missing_files(task, {file.field for file in sent.files})
    if missing:
        raise InvalidRequest(f"{task.label} needs a file", details={"param": missing[0]})
    taken = {file.name for file in task.files}
    for file in sent.files:
        if file.field in taken:
            _check(file)
    spec = hf_tasks.Spec(
        task=task.name,
        model_id=model,
        payload=read_fields(task.inputs, sent),
        extra_args=read_fields(task.parameters, sent),
    )
    place = Place.REMOTE if sent.texts.get("use_remote") == "true" else Place.ANY
    return hf_tasks.decode_request(spec, id=exchange.request_id, files=sent.files, place=place)


def _check(file: SentFile) -> None:
    """Look whether a file is what its field takes.

    Raises:
        InvalidRequest: It isn't what it is said to be, or none that its field takes.
    """
    said = file.content_type.partition(";")[0].strip().lower()
    try:
        kind = file_kinds.settled_type(said, file.head)
    except InvalidRequest as error:
        error.details = {**error.details, "param": file.field}
        raise
    if file.field not in file_kinds.fields_of(kind):
        raise file_kinds.unknown_file(file.field)


async def _run(exchange: Exchange, request: InferenceRequest) -> Mapping[str, object]:
    context = exchange.context
    began = context.clock.now()
    exchange.visit.reached_gateway = True
    async with context.gateway.infer(request, exchange.principal) as answer:
        result = await collect(answer)
        served = answer.served
    return {
        "shown": shown(request, result),
        "seconds": figures.duration(context.clock.now() - began),
        "tokens": result.usage.input_tokens + result.usage.output_tokens,
        "warnings": served.warnings,
        "why": "/explain?"
        + urlencode({"request": request.id, "task": request.task, "model": served.model}),
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
