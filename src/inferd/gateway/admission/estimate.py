"""How many tokens a request will take, as well as that can be told before it has run."""

from collections.abc import Mapping

import msgspec

from inferd.core.request import InferenceRequest

_A_TOKEN = 4
"""Bytes, or characters, that a token has."""
_USUAL_OUTPUT = 256
"""Tokens that an answer is expected to have where the request sets no bound."""


def estimate(request: InferenceRequest) -> int:
    """Return the tokens of the question, and as many as the answer may have."""
    most = _bound(request)
    if not isinstance(most, int) or most is True or most <= 0:
        most = _USUAL_OUTPUT
    return tokens_of_question(request) + most


def tokens_of_question(request: InferenceRequest) -> int:
    """Return about how many tokens there are to read."""
    size = len(request.raw.body) if request.raw is not None else _length(request.inputs)
    return size // _A_TOKEN


def _bound(request: InferenceRequest) -> object:
    """Return what the request says that its answer may have."""
    raw, parameters = request.raw, request.parameters
    if raw is not None and raw.read is not None:
        return raw.most_tokens
    return parameters.get("max_tokens") or parameters.get("max_new_tokens")


def _length(value: object) -> int:
    """Return how many characters a request's inputs have."""
    match value:
        case str():
            return len(value)
        case Mapping():
            return sum(map(_length, value.values()))
        case list() | tuple():
            return sum(map(_length, value))
        case msgspec.Struct():
            return sum(_length(getattr(value, name)) for name in value.__struct_fields__)
        case _:
            return 0
