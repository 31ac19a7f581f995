"""A request's head, read strictly: what two readers could understand differently is refused."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferd.http1.server.owner import Handler


class Head:
    """What a request says before its body. Shared between requests: whoever serves one reads only.

    `length` is the body's; None where it comes in chunks. `Connection.length` is the request's
    own: a shared head may be another's with the same lines.
    """

    __slots__ = (
        "expects_continue",
        "handler",
        "headers",
        "keep_alive",
        "length",
        "method",
        "path",
        "query",
        "raw_path",
        "target",
        "upgrade",
        "version",
    )

    method: str
    target: bytes
    """In origin form: path and query, as they came."""
    path: str
    """Percent-decoded, as ASGI wants it."""
    raw_path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case."""
    version: str
    """`1.1` or `1.0`."""
    length: int | None
    keep_alive: bool
    expects_continue: bool
    upgrade: bytes
    """What the client would rather speak, in lower case; empty almost always."""
    handler: "Handler"

    def get(self, name: bytes) -> bytes:
        """Return the first header of that (lower-case) name; empty if there is none."""
        for each, value in self.headers:
            if each == name:
                return value
        return b""


def parse_head(data: bytes, *, most_headers: int = 100, most_target: int = 8 << 10) -> Head:
    """Read a whole head, up to and including its blank line.

    Raises:
        Refusal: It isn't a request that every reader understands alike.
    """
    raise NotImplementedError
