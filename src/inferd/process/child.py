"""One run of a program: what it is given, what it prints, and how it ends."""

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from inferd.core.errors import BackendFailed, BackendTimeout, BackendUnavailable

logger = logging.getLogger(__name__)

_HIGH_WATER = 256 << 10
"""Bytes that may wait to be read before the program is held back."""
_MOST_UNREAD = 64 << 20
"""Bytes that a program may leave unread before it is told more."""
_TAIL = 4 << 10
"""Bytes that are kept of what it says on stderr, the last."""
GRACE_SECONDS = 2.0
"""Between the request to end and the end."""
_SHORT_GRACE = 0.1
_LINGER_SECONDS = 1.0
"""How long output may still come once the program has ended: somebody else may hold the pipe."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2


async def printed(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    most_bytes: int,
    seconds: float,
) -> bytes:
    """Run a short program to its end, and return what it printed.

    Raises:
        BackendTimeout: It takes longer than `seconds`.
        BackendFailed: It fails, or prints too much.
        BackendUnavailable: It can't be started.
    """
    child = await start(
        argv, folder=folder, environ=environ, most_bytes=most_bytes, grace_seconds=_SHORT_GRACE
    )
    try:
        async with asyncio.timeout(seconds):
            pieces: list[bytes] = []
            while piece := await child.read():
                pieces.append(piece)
            code = await child.ended
    except TimeoutError as error:
        raise BackendTimeout(f"it took longer than {seconds:g} s") from error
    finally:
        child.stop()
        # Nothing of it is left behind, however little is left of the loop.
        await asyncio.wait([child.ended], timeout=_SHORT_GRACE + _LINGER_SECONDS)
    if code:
        raise BackendFailed(f"it ended with exit code {code}")
    return b"".join(pieces)


async def start(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    given: bytes = b"",
    most_bytes: int,
    grace_seconds: float = GRACE_SECONDS,
    is_spoken_to: bool = False,
) -> "Child":
    """Start a program without a shell, give it `given` to read, and return it.

    `is_spoken_to`: more is said to it later, so that what it reads doesn't end there.

    It leads a process group of its own, so that everything it starts ends with it, and has no
    terminal. More than `most_bytes` on stdout ends it. Told to end, it has `grace_seconds` to.

    Raises:
        BackendUnavailable: It can't be started.
    """
    child = Child(most_bytes, grace_seconds)
    making = asyncio.get_running_loop().subprocess_exec(
        lambda: child, *argv, cwd=folder, env=dict(environ), start_new_session=True
    )
    try:
        await _unbroken(making, child)
    except FileNotFoundError as error:
        raise BackendUnavailable(
            f"there is no program called {Path(argv[0]).name}",
            hint="install it, or put its folder into the node's PATH",
        ) from error
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "refused"
        raise BackendUnavailable(f"{Path(argv[0]).name} can't be started: {why}") from error
    child.say(given)
    if not is_spoken_to:
        child.end_input()
    return child


async def _unbroken(making: Coroutine[Any, Any, object], child: "Child") -> None:
    """Wait until a program is started. Whoever gives up waiting leaves none behind."""
    started = asyncio.ensure_future(making)
    try:
        await asyncio.shield(started)
    except asyncio.CancelledError:
        # uvloop wouldn't end what it is about to start.
        await asyncio.wait([started])
        if not started.cancelled() and started.exception() is None:
            child.stop()
            await asyncio.wait([child.ended], timeout=GRACE_SECONDS + _LINGER_SECONDS)
        raise


def _amount(count: int) -> str:
    return f"{count:,} bytes" if count % (1 << 20) else f"{count >> 20} MiB"


class Child(asyncio.SubprocessProtocol):
    """A running program. One reader at a time; `stop` ends it, whatever it thinks of that."""

    def __init__(self, most_bytes: int, grace_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = loop.create_future()
        """Done when the program has ended, with its exit code; below zero is a signal."""
        self._loop = loop
        self._transport: asyncio.SubprocessTransport | None = None
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._left_bytes = self._most_bytes = most_bytes
        self._grace_seconds = grace_seconds
        self._tail = bytearray()
        self._reader: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._is_held = False
        self._is_stopped = False
        self._group = 0

    def __repr__(self) -> str:
        state = f"ended with {self.ended.result()}" if self.ended.done() else "running"
        return f"<Child {self._group} {state}>"

    def say(self, given: bytes) -> None:
        """Write what the program is to read.

        Raises:
            BackendFailed: It has left too much unread.
        """
        stdin = self._stdin
        if stdin is None or stdin.is_closing() or not given:
            return
        if stdin.get_write_buffer_size() > _MOST_UNREAD:
            raise BackendFailed("it doesn't read what it is told")
        stdin.write(given)

    def end_input(self) -> None:
        """Let the program know that it has been told everything."""
        stdin = self._stdin
        if stdin is not None and not stdin.is_closing():
            stdin.close()

    @property
    def _stdin(self) -> asyncio.WriteTransport | None:
        assert self._transport is not None
        # uvloop's transports are none by their class; a program that has ended may have none.
        return cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(_STDIN))

    @property
    def complaint(self) -> str:
        """The end of what it said on stderr: for deciding what went wrong, not for callers."""
        return self._tail.decode(errors="replace")

    async def read(self) -> bytes:
        """Return more of what it prints; nothing once it has ended, or was stopped.

        Raises:
            BackendFailed: It printed more than it may.
        """
        while not self._pieces and not self._is_over and self._left_bytes >= 0:
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self._left_bytes < 0:
            raise BackendFailed(f"it printed more than {_amount(self._most_bytes)}")
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self._is_held and self._waiting_bytes <= _HIGH_WATER // 2:
            self._hold(False)
        return piece

    def stop(self) -> None:
        """Ask the whole group to end, and make it end if it doesn't. Synchronous, idempotent."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._drop()
        if self.ended.done():
            return
        self._signal(signal.SIGTERM)
        self._timer = self._loop.call_later(self._grace_seconds, self._signal, signal.SIGKILL)

    # What the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._group = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == _STDERR:
            self._tail += data
            del self._tail[:-_TAIL]
            return
        if self._is_stopped or self._left_bytes < 0:
            return
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            self.stop()
        else:
            self._pieces.append(data)
            self._waiting_bytes += len(data)
            if self._waiting_bytes > _HIGH_WATER and not self.ended.done():
                self._hold(True)
        self._wake()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == _STDOUT:
            self._closed()

    def process_exited(self) -> None:
        assert self._transport is not None
        code = self._transport.get_returncode()
        if self._timer is not None:
            self._timer.cancel()
        # Whatever it started and left behind is in its group still.
        self._signal(signal.SIGKILL)
        if not self.ended.done():
            self.ended.set_result(0 if code is None else code)
        # What is left in the pipe is little: nobody fills it any more but who escaped the group.
        self._hold(False)
        self._timer = self._loop.call_later(_LINGER_SECONDS, self._close)
        if self._is_over:
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._closed()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        self._closed()

    def _closed(self) -> None:
        self._is_over = True
        self._wake()
        if self.ended.done() and self._transport is not None:
            self._transport.close()

    def _drop(self) -> None:
        """Forget what it printed, and take no more: its pipe must not fill up."""
        self._pieces.clear()
        self._waiting_bytes = 0
        self._is_over = True
        self._hold(False)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _hold(self, held: bool) -> None:
        if self._is_held == held or self._transport is None:
            return
        self._is_held = held
        stdout = cast("asyncio.ReadTransport | None", self._transport.get_pipe_transport(_STDOUT))
        if stdout is None or stdout.is_closing():
            return
        if held:
            stdout.pause_reading()
        else:
            stdout.resume_reading()

    def _signal(self, number: signal.Signals) -> None:
        # A group is there while anybody is in it; a program that gave itself other rights isn't
        # ours to end.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, number)
