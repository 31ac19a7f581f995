"""What is read from /proc, from files written here and from real processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.lib import processes
from benchmarks.lib.processes import CannotRun
from benchmarks.lib.subjects import Server

TICKS = os.sysconf("SC_CLK_TCK")
ANSWER_AND_WAIT = "import sys; print('x' * 3); sys.stdout.flush(); sys.stdin.read()"
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")


def write_process(proc: Path, pid: int, parent: int, ticks: int, kib: int) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    fields = ["S", parent, *[0] * 9, ticks, 2 * ticks, 3 * ticks, 4 * ticks, *[0] * 30]
    words = " ".join(map(str, fields))
    (folder / "stat").write_text(f"{pid} (a) odd (name) {words}\n")
    (folder / "status").write_text(f"Name:\tx\nVmRSS:\t{kib} kB\nThreads:\t1\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """1 has the children 2 and 3; 4 is 3's; 5 is a stranger."""
    for pid, parent in ((1, 0), (2, 1), (3, 1), (4, 3), (5, 0)):
        write_process(tmp_path, pid, parent, ticks=pid, kib=1000 * pid)
    (tmp_path / "uptime").write_text("1 2\n")
    (tmp_path / "6").mkdir()  # it ended while we looked
    return tmp_path


def test_tree_is_the_process_and_its_descendants(proc: Path) -> None:
    assert sorted(processes.tree(1, proc)) == [1, 2, 3, 4]
    assert sorted(processes.tree(3, proc)) == [3, 4]
    assert processes.tree(6, proc) == {}


def test_cpu_counts_user_system_and_ended_children(proc: Path) -> None:
    assert processes.cpu_seconds(5, proc) == pytest.approx(50 / TICKS)
    assert processes.cpu_seconds(1, proc) == pytest.approx(100 / TICKS)


def test_memory_is_the_sum_of_the_tree(proc: Path) -> None:
    assert processes.rss_mb(3, proc) == pytest.approx(7000 * 1024 / 1e6)
    assert processes.rss_mb(6, proc) == 0


@needs_proc
def test_this_process_is_seen() -> None:
    used = time.process_time()
    assert processes.cpu_seconds(os.getpid()) >= used - 0.05
    assert processes.rss_mb(os.getpid()) > 1


@needs_proc
def test_a_started_process_and_its_children_end(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.Popen(['sleep', '60']); {ANSWER_AND_WAIT}"
    command = [sys.executable, "-c", child]
    with processes.started(command, tmp_path / "log", piped=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "xxx\n"
        both = processes.tree(process.pid)
        assert len(both) == 2
    assert process.returncode is not None
    for pid in both:
        while (Path("/proc") / str(pid) / "cmdline").exists():
            if not (Path("/proc") / str(pid) / "cmdline").read_bytes():
                break  # nobody has waited for it yet, but it has ended


def test_a_process_that_ends_first_is_reported_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "raise SystemExit('no model here')"]
    with (
        processes.started(command, log) as process,
        pytest.raises(CannotRun, match=r"thing: the process ended first\nno model here"),
    ):
        processes.wait_until(lambda: False, process, log, what="thing", seconds=30)


def test_the_load_generator_counts_answers_and_failures(tmp_path: Path) -> None:
    port = processes.free_port()
    bodies = tmp_path / "bodies"
    bodies.write_text('{"a": 1}\n{"a": 2}\n')
    server = Path(__file__).with_name("answering.py")
    log = tmp_path / "log"
    with processes.started([sys.executable, server, str(port)], log) as process:
        processes.wait_until(
            lambda: processes.answers(f"http://127.0.0.1:{port}/"),
            process,
            log,
            what="the server",
            seconds=20,
        )
        whole = Server(process.pid, port, "/whole", bodies).send(4, 20.0, count=10)
        chunked = Server(process.pid, port, "/chunked", bodies).send(2, 20.0, count=5)
        failing = Server(process.pid, port, "/failing", bodies).send(1, 20.0, count=3)
    assert (whole.requests, whole.errors, len(whole.latencies_ms)) == (10, 0, 10)
    assert (chunked.requests, chunked.errors) == (5, 0)
    assert (failing.requests, failing.errors) == (0, 3)
    assert failing.first_error.startswith("503")
    assert failing.cpu_ms is None


def test_the_load_generator_says_that_nobody_listens(tmp_path: Path) -> None:
    bodies = tmp_path / "bodies"
    bodies.write_text("{}\n")
    done = subprocess.run(
        [
            *(sys.executable, "-P", "benchmarks/lib/load.py", "--path", "/", "--count", "1"),
            *("--port", str(processes.free_port()), "--bodies", str(bodies)),
        ],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"errors": 1' in done.stdout
