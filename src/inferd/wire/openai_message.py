"""The pieces of an upstream's message, read with patience."""

import msgspec

from inferd.core.result import ToolCallDelta
from inferd.wire import json


def text_content(content: object) -> str:
    """Return the text of a message's content, whole or in parts."""
    if isinstance(content, str):
        return content
    texts = [json.object_of(part).get("text") for part in json.list_of(content)]
    return "".join(text for text in texts if isinstance(text, str))


def tool_calls(value: object) -> list[ToolCallDelta]:
    """Return the tool calls of a message, whole or in pieces; what isn't one is left out."""
    found: list[ToolCallDelta] = []
    for number, call in enumerate(json.list_of(value)):
        if not isinstance(call, dict):
            continue
        named = json.object_of(call.get("function"))
        index = call.get("index", number)
        texts = [call.get("id"), named.get("name"), named.get("arguments")]
        own_id, name, arguments = [text if isinstance(text, str) else "" for text in texts]
        found.append(
            ToolCallDelta(
                index=index if type(index) is int and index >= 0 else number,
                id=own_id,
                name=name,
                arguments=arguments,
            )
        )
    return found


class Places:
    """Where each tool call of a stream belongs: some servers number them all 0, or not at all.

    A piece that names a function, under another id than its place has, begins another call. The
    id alone tells nothing: there are servers that make up one for each piece.
    """

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._ids: dict[int, str] = {}

    def put(self, call: ToolCallDelta) -> ToolCallDelta:
        """Return the piece with the place of its call."""
        place = self._places.get(call.index, call.index)
        known = self._ids.get(place, "")
        if place in self._ids and call.name and call.id and known and known != call.id:
            place = self._places[call.index] = max(self._ids) + 1
            known = ""
        self._ids[place] = known or call.id
        return call if place == call.index else msgspec.structs.replace(call, index=place)
