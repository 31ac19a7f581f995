"""A model server in a thread of its own: what it does depends on the model it is asked for."""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import msgspec

BOUND = 20.0
"""Longer than anything here takes; a wait that reaches it has failed."""


class Asked(msgspec.Struct, frozen=True):
    """A request as it came, read as strictly as can be."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def model(self) -> str:
        return msgspec.json.decode(self.body).get("model", "") if self.body else ""


class Line:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._kept = b""

    def _more(self) -> bytes:
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError
        return piece

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._kept:
            self._kept += self._more()
        found, _, self._kept = self._kept.partition(mark)
        return found

    def _exactly(self, length: int) -> bytes:
        while len(self._kept) < length:
            self._kept += self._more()
        found, self._kept = self._kept[:length], self._kept[length:]
        return found

    def asked(self, begun: Callable[[str], None]) -> Asked:
        """Read a request; tell `begun` of its first line, once its head is there.

        Raises:
            EOFError: The other side left.
        """
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        begun(first)
        assert not ("content-length" in headers and "transfer-encoding" in headers), headers
        if "transfer-encoding" in headers:
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size + 2)[:-2]
            self._exactly(2)
        else:
            body = self._exactly(int(headers.get("content-length", "0")))
        return Asked(first, headers, body)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes, content_type: str = "application/json") -> None:
        self.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (content_type.encode(), len(body), body)
        )

    def gone(self) -> None:
        """Wait until the other side leaves."""
        with suppress(OSError):
            while self.socket.recv(65536):
                pass

    def reset(self) -> None:
        """Break off: the other side sees a reset, no end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


Act = Callable[[Line, Asked], None]
"""Returning ends the connection; `again` asks for the next request on it."""


class Again(Exception):
    """The connection is kept."""


class Scripted:
    """What the server does for each model, and what it has seen."""

    def __init__(self, acts: dict[str, Act]) -> None:
        self._acts = acts
        self._lock = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.asked: list[Asked] = []
        self.faults: list[str] = []
        self.begun: list[str] = []
        """The first lines of requests, whole or not."""
        self.acting = 0
        self.ended = 0
        """How many connections have ended."""
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def toml(self) -> str:
        """A backend of a node's configuration."""
        return (
            f'\n[[backends]]\nname = "scripted"\nkind = "openai"\n'
            f'base_url = "http://127.0.0.1:{self.port}/v1"\n'
            f"models = {msgspec.json.encode([*self._acts]).decode()}\n"
        )

    @property
    def asked_for(self) -> list[str]:
        """The models that were asked for, in turn."""
        with self._lock:
            return [each.model for each in self.asked]

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`."""
        with self._lock:
            assert self._lock.wait_for(holds, BOUND), (self.asked_for, len(self._open))

    def is_idle(self) -> bool:
        """Whether no question is being dealt with."""
        return self.acting == 0

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            self._lock.notify_all()
        try:
            with connection:
                self._converse(Line(connection))
        except (EOFError, OSError):
            pass
        except Exception as error:  # noqa: BLE001  whoever looks at `faults` hears of it
            self.faults.append(repr(error))
        finally:
            with self._lock:
                self._open.discard(connection)
                self.ended += 1
                self._lock.notify_all()

    def _converse(self, line: Line) -> None:
        while True:
            asked = line.asked(self._begins)
            if asked.line == "GET /v1/models HTTP/1.1":
                rows = [{"id": name, "object": "model"} for name in self._acts]
                line.answer(msgspec.json.encode({"object": "list", "data": rows}))
                continue
            act = self._acts.get(asked.model)
            if act is None:
                self.faults.append(f"nobody was to ask: {asked}")
                return
            with self._acts_on(asked), suppress(Again):
                act(line, asked)
                return

    def _begins(self, first: str) -> None:
        with self._lock:
            self.begun.append(first)
            self._lock.notify_all()

    @contextmanager
    def _acts_on(self, asked: Asked) -> Generator[None]:
        with self._lock:
            self.asked.append(asked)
            self.acting += 1
            self._lock.notify_all()
        try:
            yield
        finally:
            with self._lock:
                self.acting -= 1
                self._lock.notify_all()


@contextmanager
def scripted(acts: dict[str, Act]) -> Generator[Scripted]:
    """Serve; leaving drops everyone."""
    server = Scripted(acts)
    try:
        yield server
    finally:
        server.close()


WHOLE = msgspec.json.encode(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "any",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
)

PIECE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"any",'
    b'"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}\n\n'
)
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answers(line: Line, asked: Asked) -> None:
    """Answer any question at once, and keep the connection."""
    if msgspec.json.decode(asked.body).get("stream"):
        line.send(EVENTS + chunk(PIECE) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    else:
        line.answer(WHOLE)
    raise Again
