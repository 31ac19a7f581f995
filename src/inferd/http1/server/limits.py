"""What a stranger may cost before, while and after a request is read: all on by default."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for every request of every connection, whatever serves it. Times are seconds."""

    head_bytes: int = 64 << 10
    """The most bytes of a whole head: request line, headers and blank line."""
    headers: int = 100
    """The most header lines."""
    target: int = 8 << 10
    """The longest request target, in bytes."""
    head_seconds: float = 30.0
    """From a head's first byte (or the connection's start) until it is whole."""
    idle_seconds: float = 75.0
    """Between an answer's end and the next request's first byte."""
    body_seconds: float = 60.0
    """Between two pieces of a body; of one up to 64 KiB, until all of it is here."""
    body_rate: int = 256
    """The least bytes a second of a body, over each minute."""
    write_seconds: float = 60.0
    """How long a client may take nothing of what waits for it."""
    pipelined: int = 64 << 10
    """The most bytes kept of requests that come while one is answered."""
    unread: int = 256 << 10
    """The most bytes of a body that no handler took, read away so that its answer arrives."""
    buffered: int = 256 << 10
    """The most bytes of a body kept for a handler; above, reading pauses."""
    message_bytes: int = 1 << 20
    """The longest message of a WebSocket."""
    ping_seconds: float = 20.0
    """How long a WebSocket's client may be silent before it is asked, and then after that."""
    connections: int = 1024
    """The most connections at a time; 0, any number."""
    connections_per_address: int | None = None
    """The most from one address; 0, any number. None: 256, and any number over loopback."""
    drain_seconds: float = 10.0
    """How long running requests may go on once the server is told to stop."""
    grace_seconds: float = 0.5
    """How long connections between requests are still served then: a request may be on its way."""
    last_words_seconds: float = 0.4
    """How long requests that are cut short then have to say so."""

    def most_from(self, *, is_local: bool) -> int:
        """Return the most connections from one address; 0, any number."""
        if self.connections_per_address is None:
            return 0 if is_local else _FROM_ONE_ADDRESS
        return self.connections_per_address


_FROM_ONE_ADDRESS = 256
