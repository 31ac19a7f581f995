"""Short questions over HTTP: an answer within two seconds, or none."""

from collections.abc import Iterable

import msgspec

from inferd.core.errors import BackendUnavailable, NodeError
from inferd.http1.client import Client, Timeouts, parse_url
from inferd.wire import json

PATIENCE = 2.0
_MOST_BYTES = 4 << 20
_MOST_MODELS = 1000
_TIMEOUTS = Timeouts(connect=PATIENCE, head=PATIENCE, idle=PATIENCE, kept=PATIENCE)

Headers = Iterable[tuple[str, str]]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `status` 0 is nothing: `is_closed` where nobody listens, else silence."""

    status: int = 0
    body: object = None
    is_closed: bool = False
    why: str = ""

    @property
    def fields(self) -> dict[str, object]:
        """The answer's fields; none where it isn't an object, or no good answer."""
        good = self.status == 200 and isinstance(self.body, dict)
        return dict(json.object_of(self.body)) if good else {}

    @property
    def rows(self) -> list[dict[str, object]]:
        """The rows of a list of models."""
        rows = self.fields.get("data", self.fields.get("models", self.body))
        if self.status != 200 or not isinstance(rows, list):
            return []
        return [dict(json.object_of(row)) for row in rows[:_MOST_MODELS]]

    @property
    def models(self) -> tuple[str, ...]:
        """The models of a list."""
        names = [(row.get("id"), row.get("name")) for row in self.rows]
        return tuple(filter(None, (json.told_name(id_ or name) for id_, name in names)))


async def ask(name: str, base_url: str, path: str, headers: Headers = ()) -> Said:
    """Ask once; whatever goes wrong is in what is returned."""
    try:
        client = Client(name, parse_url(base_url), timeouts=_TIMEOUTS)
    except ValueError as error:
        return Said(why=str(error))
    try:
        all_headers = [("user-agent", "inferd"), ("accept", "application/json"), *headers]
        response = await client.send("GET", path, headers=all_headers, seconds=PATIENCE)
        try:
            body = json.attempt(await response.read(_MOST_BYTES))
        finally:
            response.close()
        return Said(status=response.status, body=body)
    except NodeError as error:
        return Said(is_closed=isinstance(error, BackendUnavailable), why=error.message)
    finally:
        client.close()
