"""A program that speaks the protocol, as far as its lines go."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from inferd.core.errors import BackendFailed
from inferd.process import Child, environment, start
from tests.http1.upstream import BOUND

PING = {"jsonrpc": "2.0", "method": "ping"}
SPEAKS = f"""
echo 'no message'; printf '%s\\n%s' '{json.dumps(PING)}' '{json.dumps(PING)[:9]}'
printf '%s\\n' '{json.dumps(PING)[9:]}'; read line; exit 7
"""
FLOODS = "while :; do printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; done"


async def run(script: str, folder: Path) -> tuple[list[str], list[str], Child]:
    """Listen to a script to its end; return its messages, its faults, and what is left of it."""
    from inferd.backends.mcp_tool.spoken import spoken

    child = await start(
        ["/bin/sh", "-c", script],
        folder=folder,
        environ=environment(os.environ),
        most_bytes=1 << 62,
        is_spoken_to=True,
    )
    faults: list[str] = []
    heard: list[str] = []
    async with (
        asyncio.timeout(BOUND),
        spoken(child, most_bytes=1 << 20, fault=faults.append) as (messages, _),
    ):
        async for each in messages:
            heard.append(each.message.method)
            if len(heard) == 2:
                break
    return heard, faults, child


@pytest.mark.parametrize(
    ("script", "heard", "faults"),
    [
        (SPEAKS, ["ping", "ping"], []),
        (FLOODS, [], ["it said more than 1 MiB at once"]),
    ],
    ids=["speaks", "floods"],
)
async def test_lines_are_messages_and_have_a_bound(
    script: str, heard: list[str], faults: list[str], tmp_path: Path
) -> None:
    *told, child = await run(script, tmp_path)
    assert told == [heard, faults]
    assert child.ended.done()


async def test_what_a_program_leaves_unread_has_a_bound(tmp_path: Path) -> None:
    child = await start(
        ["/bin/sh", "-c", "sleep 60"],
        folder=tmp_path,
        environ=environment(os.environ),
        most_bytes=1,
        is_spoken_to=True,
    )
    try:
        with pytest.raises(BackendFailed, match="doesn't read"):
            for _ in range(70):
                child.say(bytes(1 << 20))
    finally:
        child.stop()
        await asyncio.wait([child.ended])
