"""The rest of an answer that broke off: whether it may be asked for, and what is asked then."""

from collections.abc import Mapping

import msgspec

from inferd.core.content import Message
from inferd.core.request import InferenceRequest

TASKS = frozenset({"chat", "text-generation"})

_NOT_TEXT = frozenset(
    {
        "audio",
        "ebnf",
        "functions",
        "function_call",
        "grammar",
        "json_schema",
        "logprobs",
        "modalities",
        "regex",
        "structural_tag",
        "structured_outputs",
        "tools",
        "top_logprobs",
        "top_n_tokens",
    }
)
"""Parameters that make something else than text of the answer, or hold it to a form."""

_WHOLE = frozenset({"continue_final_message", "echo", "return_full_text", "suffix"})
"""Those by which it isn't what follows the question, and that alone."""

_ONCE = ("n", "best_of")
_MOST = ("max_tokens", "max_completion_tokens", "max_new_tokens")


def is_plain(request: InferenceRequest) -> bool:
    """Whether the answer is one plain text, so that its rest can be asked for."""
    if request.task not in TASKS or request.files:
        return False
    parameters = request.parameters
    for name, value in parameters.items():
        if name in _NOT_TEXT or name in _WHOLE or name.startswith("guided_"):
            if value:
                return False
        elif (name in _ONCE and value not in (None, 1)) or (
            name == "response_format" and not _is_text(value)
        ):
            return False
    return _has_question(request.inputs)


def rest_of(request: InferenceRequest, text: str, pieces: int) -> InferenceRequest | None:
    """Return the request for what follows `text`; None where no more may be written.

    `pieces` is about how many tokens the text has. An answer had begun in time, so that the
    request's deadline binds nobody any more: whoever asks for the rest sets another. `raw` says
    only which wire it came in on.
    """
    parameters = dict(request.parameters)
    for name in _MOST:
        most = parameters.get(name)
        if type(most) is int:
            if most <= pieces:
                return None
            parameters[name] = most - pieces
    return msgspec.structs.replace(
        request,
        parameters=parameters,
        continued=request.continued + text,
        deadline=None,
    )


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, Mapping) and value.get("type") == "text")


def _has_question(inputs: Mapping[str, object]) -> bool:
    match inputs.get("messages", inputs.get("prompt")):
        case str():
            return True
        # An answer that its caller has begun is gone on with already.
        case [*_, Message(role=role)]:
            return role != "assistant"
        case _:
            return False
