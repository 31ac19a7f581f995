"""A program for the tests of command-line tools: it answers, or misbehaves as it is told.

Run as `python cli_program.py MODE [MODEL …]`, with the prompt on stdin.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping


def answer(prompt: str) -> None:
    """Speak as Claude Code does: a line an event, each word a piece."""
    for piece in prompt.replace(" ", " \n").split("\n"):
        delta = {"type": "text_delta", "text": piece}
        say({"type": "stream_event", "event": {"type": "content_block_delta", "delta": delta}})
    usage = {"input_tokens": len(prompt.split()), "output_tokens": len(prompt.split())}
    say({"type": "result", "is_error": False, "result": prompt, "usage": usage})


def say(event: object) -> None:
    print(json.dumps(event), flush=True)


def fork_and_wait(prompt: str) -> None:
    """Leave a child that ignores everything, and ignore everything oneself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        hang()
    with open(prompt.strip(), "w") as file:
        file.write(f"{os.getpid()} {child}")
    print("begun", flush=True)
    hang()


def hang() -> None:
    while True:
        signal.pause()


def flood(stream: int, megabytes: int) -> None:
    block = b"x" * (1 << 20)
    for _ in range(megabytes):
        os.write(stream, block)


def surroundings() -> None:
    seen: dict[str, object] = {"argv": sys.argv[2:], "folder": os.getcwd()}
    seen["files"], seen["env"] = os.listdir("."), dict(os.environ)
    seen["group"] = os.getpgid(0) == os.getpid() == os.getsid(0)
    os.mkdir("left-behind")
    say(seen)


def stderr(prompt: str) -> None:
    flood(2, 20)
    print("fine")


MODES: Mapping[str, Callable[[str], object]] = {
    "answer": answer,
    "fork": fork_and_wait,
    "gigabyte": lambda prompt: flood(1, 1 << 10),
    "hang": lambda prompt: hang(),
    "json": lambda prompt: say({"answer": [{"text": prompt}], "tokens": {"in": 3, "out": 4}}),
    "stderr": stderr,
    "surroundings": lambda prompt: surroundings(),
}

if __name__ == "__main__":
    MODES[sys.argv[1]](sys.stdin.read())
