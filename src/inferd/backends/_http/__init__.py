"""What backends over HTTP share: one upstream, and the OpenAI wire spoken to it."""

from inferd.backends._http.decoding import JSON_BYTES, decoded
from inferd.backends._http.listing import Listed, decode_listing
from inferd.backends._http.openai import CHAT, COMPLETIONS, EMBEDDINGS, OpenAIWire, ask_openai
from inferd.backends._http.prompting import (
    as_begun,
    as_chat,
    wants_prompt,
    with_prompt,
    without_repeat,
)
from inferd.backends._http.streams import Decoder, typed_stream
from inferd.backends._http.upstream import (
    EVENTS,
    JSON,
    MAX_BYTES,
    Headers,
    Redirected,
    Upstream,
    check_content,
    marks_of,
    open_upstream,
    reading,
)

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "EMBEDDINGS",
    "EVENTS",
    "JSON",
    "JSON_BYTES",
    "MAX_BYTES",
    "Decoder",
    "Headers",
    "Listed",
    "OpenAIWire",
    "Redirected",
    "Upstream",
    "as_begun",
    "as_chat",
    "ask_openai",
    "check_content",
    "decode_listing",
    "decoded",
    "marks_of",
    "open_upstream",
    "reading",
    "typed_stream",
    "wants_prompt",
    "with_prompt",
    "without_repeat",
]
