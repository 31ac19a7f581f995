"""What one node tells the next of a text that others have begun: the rest alone is wanted.

It stands in a field of the JSON that asks. A node that goes on says so in a header of its answer;
one that doesn't know the field would begin anew.
"""

import msgspec

from inferd.core.errors import BackendFailed, InvalidRequest
from inferd.core.kept import MOST_KEPT
from inferd.core.request import InferenceRequest
from inferd.wire import json

FIELD = "inferd_continued"
HEADER = "x-inference-continued"


def taken_from(document: dict[str, object]) -> str:
    """Take what was written so far out of a request; nothing where it is a whole one.

    Raises:
        InvalidRequest: It isn't a text, or is too long.
    """
    text = checked(json.text_of(document, FIELD))
    document.pop(FIELD, None)
    return text


def of(request: InferenceRequest, text: str) -> InferenceRequest:
    """Return the request for what follows `text`.

    Raises:
        InvalidRequest: It is too long.
    """
    return msgspec.structs.replace(request, continued=checked(text))


def checked(text: str) -> str:
    """Return a text that may be gone on with.

    Raises:
        InvalidRequest: It is too long.
    """
    if len(text) > MOST_KEPT:
        raise InvalidRequest(
            f"{FIELD} is longer than {MOST_KEPT:,} signs", details={"param": FIELD}
        )
    return text


def with_text(body: bytes, text: str) -> bytes:
    """Return a request that asks for what follows `text`."""
    return json.with_fields(body, {FIELD: text})


def said_of(text: str) -> str:
    """Return what the header says of a request that has `text`."""
    return str(len(text))


def check(header: str, text: str) -> None:
    """Check that an answer goes on with `text`.

    Raises:
        BackendFailed: It begins anew.
    """
    if header != said_of(text):
        raise BackendFailed("the node doesn't go on with what others have begun")
