"""What a model server can get wrong, each as an act of a scripted one."""

import msgspec

from tests.node.scripted import EVENTS, PIECE, WHOLE, Act, Again, Asked, Line, chunk

LENGTH = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
TWICE = b'{"object":"the second answer"}'


def says(data: bytes) -> Act:
    """Send `data` and close in good order."""

    def act(line: Line, asked: Asked) -> None:
        line.send(data)

    return act


def resets(data: bytes) -> Act:
    """Send `data` and break off."""

    def act(line: Line, asked: Asked) -> None:
        line.send(data)
        line.reset()

    return act


def stalls(data: bytes) -> Act:
    """Send `data` and then nothing, until the other side has had enough."""

    def act(line: Line, asked: Asked) -> None:
        line.send(data)
        line.gone()

    return act


def pours(head: bytes, piece: bytes) -> Act:
    """Send `head`, then `piece` for as long as anyone takes it: 100 MB at most."""

    def act(line: Line, asked: Asked) -> None:
        line.send(head)
        for _ in range(100 * (1 << 20) // len(piece)):
            line.send(piece)

    return act


def says_twice(line: Line, asked: Asked) -> None:
    """Answer, and send an answer more that no one asked for."""
    line.send((LENGTH % len(WHOLE)) + WHOLE + (LENGTH % len(TWICE)) + TWICE)
    raise Again


def says_later(line: Line, asked: Asked) -> None:
    """Answer; then send an answer more, while the connection rests."""
    line.answer(WHOLE)
    line.send((LENGTH % len(TWICE)) + TWICE)
    line.gone()


def repeats(line: Line, asked: Asked) -> None:
    """Answer with what was asked, and keep the connection."""
    body = msgspec.json.decode(asked.body)
    said = body["messages"][-1]["content"]
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    line.answer(msgspec.json.encode({"object": "chat.completion", "choices": [choice]}))
    raise Again


_PAGE = b"<!doctype html><title>It works!</title>"

BROKEN: dict[str, Act] = {
    "says nothing": says(b""),
    "resets at once": resets(b""),
    "ends in the status line": says(b"HTTP/1.1 200"),
    "ends in the head": says(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"),
    "resets in the head": resets(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "ends behind the head": says(LENGTH % len(WHOLE)),
    "resets behind the head": resets(LENGTH % len(WHOLE)),
    "ends in the body": says((LENGTH % len(WHOLE)) + WHOLE[:-20]),
    "resets in the body": resets((LENGTH % len(WHOLE)) + WHOLE[:-20]),
    "promises more": says((LENGTH % (len(WHOLE) + 1)) + WHOLE),
    "promises less": says((LENGTH % (len(WHOLE) - 1)) + WHOLE),
    "promises nothing": says((LENGTH % 0) + WHOLE),
    "promises a negative length": says(JSON + b"content-length: -5\r\n\r\n" + WHOLE),
    "promises two lengths": says(
        JSON + b"content-length: 5\r\ncontent-length: %d\r\n\r\n%b" % (len(WHOLE), WHOLE)
    ),
    "promises too much": says(JSON + b"content-length: 99999999999999999999\r\n\r\n" + WHOLE),
    "has a length and chunks": says(
        JSON + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(WHOLE)
    ),
    "has an unknown encoding": says(JSON + b"transfer-encoding: gzip\r\n\r\n" + WHOLE),
    "ends in a chunk": says(JSON + b"transfer-encoding: chunked\r\n\r\n" + chunk(WHOLE)[:-9]),
    "ends before the last chunk": says(JSON + b"transfer-encoding: chunked\r\n\r\n" + chunk(WHOLE)),
    "has a chunk of no size": says(JSON + b"transfer-encoding: chunked\r\n\r\nZZ\r\n" + WHOLE),
    "isn't HTTP": says(b"\x00\x01\x02\x03 garbage \xff\xfe\r\n\r\n"),
    "speaks HTTP/2": says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18),
    "speaks TLS": says(b"\x15\x03\x01\x00\x02\x02\x46"),
    "speaks HTTP/0.9": says(WHOLE),
    "says a page": says(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b"
        % (len(_PAGE), _PAGE)
    ),
    "says no JSON": says((LENGTH % 5) + b"{nono"),
    "says no content": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "switches protocols": says(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    ),
    "sends elsewhere": says(
        b"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    ),
    "has an endless head": pours(JSON, b"x-a: " + b"a" * 65000 + b"\r\n"),
    "has an endless header": pours(JSON + b"x-a: ", b"a" * 65536),
    "has endless interim answers": pours(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "has a NUL in a header": says(JSON + b"x-a: \x00\r\n\r\n"),
}
"""Nobody may take any of these for an answer."""

CUT_STREAMS: dict[str, Act] = {
    "ends in the stream": says(EVENTS + chunk(PIECE)),
    "resets in the stream": resets(EVENTS + chunk(PIECE)),
    "ends in an event": says(EVENTS + chunk(PIECE) + chunk(PIECE)[:-30]),
    "ends a stream without its end": says(EVENTS + chunk(PIECE) + b"0\r\n\r\n"),
    "has garbage between chunks": says(EVENTS + chunk(PIECE) + b"garbage\r\n" + chunk(PIECE)),
    "has a stream longer than it said": says(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b"
        % (len(PIECE), PIECE * 2)
    ),
}
"""Streams that begin well."""

STALLED: dict[str, Act] = {
    "stalls at once": stalls(b""),
    "stalls in the head": stalls(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "stalls behind the head": stalls(LENGTH % len(WHOLE)),
    "stalls in the body": stalls((LENGTH % len(WHOLE)) + WHOLE[:-20]),
}
STALLED_STREAMS: dict[str, Act] = {
    "stalls before the stream": stalls(EVENTS),
    "stalls in the stream": stalls(EVENTS + chunk(PIECE)),
    "stalls in a chunk": stalls(EVENTS + chunk(PIECE) + chunk(PIECE)[:-30]),
}
