"""The folder a node keeps its state in, and what stands there for its owner's other programs."""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

_SHORTEST_KEY = 64


class CannotStart(Exception):
    """The node can't run as it is set up: the fact, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """HOME/node.json, there while the node serves. The token makes its reader the owner."""

    url: str
    pid: int
    token: str
    version: str


class Home:
    """One node's folder, for its owner's eyes only."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()
        self.ledger = self.path / "ledger.db"
        self.audit = self.path / "audit" / "remote.jsonl"
        self._running = self.path / "node.json"

    def prepare(self) -> None:
        """Make the folder if need be.

        Raises:
            CannotStart: It can't be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CannotStart(
                f"the home folder {self.path} can't be made: {error.strerror}",
                "name another with --home or INFERD_HOME",
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise CannotStart(
                f"the home folder {self.path} can't be written",
                "mend its permissions, or name another with --home or INFERD_HOME",
            )

    def node_id(self) -> str:
        """Return this node's id, made on its first run."""
        file = self.path / "node.id"
        node_id = _first(file, f"node-{secrets.token_hex(8)}")
        if not node_id:
            raise CannotStart(f"{file} is empty", "delete it: the node makes itself a new id")
        return node_id

    def session_key(self) -> bytes:
        """Return the key that sessions are signed with, made on the first run.

        Raises:
            CannotStart: It has been cut short.
        """
        file = self.path / "session.key"
        text = _first(file, secrets.token_hex(32))
        if len(text) < _SHORTEST_KEY:
            raise CannotStart(
                f"{file} is too short to sign sessions with",
                "delete it: the node makes itself a new one, and people sign in again",
            )
        return text.encode()

    @contextmanager
    def claimed(self) -> Generator[None]:
        """Keep other nodes out of this folder.

        Raises:
            CannotStart: One is in it.
        """
        file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                running = self.running()
                where = f" at {running.url}" if running else ""
                raise CannotStart(
                    f"a node{where} already uses the home folder {self.path}",
                    "stop it, or give this one a folder of its own with --home",
                ) from error
            # Left by a node that was killed: nobody may take its address for ours.
            self._running.unlink(missing_ok=True)
            yield
        finally:
            os.close(file)

    @contextmanager
    def announced(self, running: Running) -> Generator[None]:
        """Let the owner's programs find the node while it serves."""
        _write(self._running, msgspec.json.encode(running).decode())
        try:
            yield
        finally:
            self._running.unlink(missing_ok=True)

    def running(self) -> Running | None:
        """Return the node that says it serves from here, which may have died since."""
        try:
            return msgspec.json.decode(self._running.read_bytes(), type=Running)
        except (OSError, msgspec.DecodeError):
            return None


def _first(file: Path, text: str) -> str:
    """Return what stands in a file, which is `text` if nobody has made it yet."""
    if not file.exists():
        # Several workers may start at once: what the first one writes is everybody's.
        draft = _draft(file, text)
        with suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    return file.read_text(encoding="utf-8").strip()


def _write(file: Path, text: str) -> None:
    """Replace a file, readable by its owner only, whole or not at all."""
    _draft(file, text).replace(file)


def _draft(file: Path, text: str) -> Path:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CannotStart(
            f"{file} can't be written: {error.strerror}",
            "make room in the home folder, or name another with --home",
        ) from error
    return draft
