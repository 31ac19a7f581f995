"""Both parsers under a fuzzer that looks for ways through them."""

import os
from pathlib import Path

import httptools
import pytest

from tests.clients.environments import ROOT, python_with, run
from tests.http1.malformed import CASES, CHUNKS, Target

RUNS = 60_000
TARGET = Target(b"POST", b"/v1/chat/completions")
HEAD, BODY, ANSWER = b"\x00\x00", b"\x01\x08", b"\x02\x20"
ANSWERS = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    b"HTTP/1.0 500 No\r\n\r\nhello",
]


def seeds(folder: Path) -> None:
    """Give the fuzzer something to begin with: the corpus, chunks and answers."""
    folder.mkdir()
    small = [case.to(TARGET) for case in CASES if len(case.raw) < 1000]
    begun = [HEAD + each for each in small]
    begun += [BODY + each.partition(b"\r\n\r\n")[2] for each in small]
    begun += [BODY + CHUNKS.replace(b"<C>", b"2").replace(b"<B>", b"{}")]
    begun += [ANSWER + each for each in ANSWERS]
    for number, each in enumerate(begun):
        (folder / str(number)).write_bytes(each)


@pytest.mark.extra
@pytest.mark.timeout(300)
def test_a_fuzzer_finds_no_way_to_break_a_parser(tmp_path: Path) -> None:
    seeds(tmp_path / "seeds")
    path = [str(ROOT / "src"), str(ROOT), str(Path(httptools.__file__).parents[1])]
    run(
        # Started by a shell that is still there: what pytest's worker took at most counts as the
        # memory of a program that takes the worker's place, and of none that a shell begins.
        "/bin/sh",
        "-c",
        '"$@"; exit $?',
        "sh",
        python_with("atheris"),
        ROOT / "tests" / "http1" / "fuzzing.py",
        f"-runs={RUNS}",
        "-max_len=2048",
        "-timeout=10",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={tmp_path}/",
        tmp_path / "seeds",
        PYTHONPATH=os.pathsep.join(path),
    )
