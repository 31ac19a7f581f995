"""The folder a node keeps its state in, and what stands there for its owner's other programs."""

import fcntl
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

_SHORTEST_KEY = 64
_LONGEST = 1024
_ID = re.compile(r"node-[0-9a-f]{4,64}")


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
    socket: str = ""
    """The Unix socket that it listens on, if it does."""
    certificate: str = ""
    """The file with what it shows over TLS, if it does."""


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
        """Return this node's id, made on its first run.

        Raises:
            CannotStart: What stands there is no id.
        """
        file = self.path / "node.id"
        node_id = _first(file, f"node-{secrets.token_hex(8)}")
        if node_id is None or not _ID.fullmatch(node_id):
            raise CannotStart(
                f"{file} holds no node's id", "delete it: the node makes itself a new id"
            )
        return node_id

    def session_key(self) -> bytes:
        """Return the key that sessions are signed with, made on the first run.

        Raises:
            CannotStart: It has been cut short, or is no key.
        """
        file = self.path / "session.key"
        text = _first(file, secrets.token_hex(32))
        if text is None or len(text) < _SHORTEST_KEY:
            what = "can't be read as a key" if text is None else "is too short to sign with"
            raise CannotStart(
                f"{file} {what}",
                "delete it: the node makes itself a new one, and people sign in again",
            )
        return text.encode()

    @contextmanager
    def claimed(self) -> Generator[None]:
        """Keep other nodes out of this folder.

        Raises:
            CannotStart: One is in it.
        """
        lock = self.path / "lock"
        try:
            file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _in_the_way(lock, error) from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                running = self.running()
                where = f" at {running.url}" if running else ""
                raise CannotStart(
                    f"a node{where} already uses the home folder {self.path}",
                    "stop it, or give this one a folder of its own: --home, or server.home",
                ) from error
            try:
                # Left by a node that was killed: nobody may take its address for ours.
                self._running.unlink(missing_ok=True)
            except OSError as error:
                raise _in_the_way(self._running, error) from error
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


def _in_the_way(file: Path, error: OSError) -> CannotStart:
    return CannotStart(
        f"{file} can't be used: {error.strerror}", "move it away: the node makes its own"
    )


def _first(file: Path, text: str) -> str | None:
    """Return what stands in a file, which is `text` if nobody has made it yet.

    None where that is no text of ours: a folder, a link to nowhere, other bytes, too many of them.
    """
    if not os.path.lexists(file):
        # Several workers may start at once: what the first one writes is everybody's.
        draft = _draft(file, text)
        with suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream:
            found = stream.read(_LONGEST + 1)
    except OSError as error:
        raise CannotStart(
            f"{file} can't be read: {error.strerror}", f"mend its permissions: chmod 600 {file}"
        ) from error
    if len(found) > _LONGEST or not found.isascii():
        return None
    return found.decode().strip()


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
