"""wrk as the load: as many requests as a gateway answers, bodies of many lengths."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lib import cores, debian, processes
from benchmarks.lib.bodies import LENGTHS, PATH, chat_body
from benchmarks.lib.gateways import Gateway
from benchmarks.lib.subjects import Window

_SCRIPT = """
local bodies = {{ {bodies} }}
local secrets = {{ {secrets} }}
local requests, turn = {{}}, 0
init = function(args)
  for i = 1, math.max(#bodies, #secrets) do
    local headers = {{ ["Content-Type"] = "application/json" }}
    if #secrets > 0 then headers["Authorization"] = secrets[(i - 1) % #secrets + 1] end
    requests[i] = wrk.format("POST", "{path}", headers, bodies[(i - 1) % #bodies + 1])
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
done = function(summary, latency, rates)
  io.write(string.format("result %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50)))
end
"""
_RESULT = re.compile(r"^result (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


class Wrk:
    """The program, ready to be aimed."""

    def __init__(self, folder: Path, *, may_install: bool) -> None:
        self._program = debian.program("wrk", "wrk", may_install=may_install)
        self._folder = folder

    def look(
        self, gateway: Gateway, connections: int, seconds: int, script: str | None = None
    ) -> Window:
        """Keep a gateway busy for whole seconds; `script` is `script_of`'s.

        Raises:
            CannotRun: It doesn't run, or nothing is answered.
        """
        file = self._folder / "wrk.lua"
        file.write_text(script or script_of(gateway.credentials))
        scheme = "https" if gateway.is_tls else "http"
        _, others = cores.split()
        command = [*cores.pinned(others), self._program, "-t1", f"-c{connections}", f"-d{seconds}s"]
        command += ["--timeout", "30s", "-s", file, f"{scheme}://127.0.0.1:{gateway.port}"]
        before = processes.cpu_seconds(gateway.pid)
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=False
        )
        used = processes.cpu_seconds(gateway.pid) - before
        return window_of(done.stdout + done.stderr, used)


def script_of(credentials: Sequence[str] = (), bodies: Sequence[bytes] = ()) -> str:
    """Return a script that takes bodies and credentials in turn."""
    every = bodies or [chat_body(length) for length in LENGTHS]
    return _SCRIPT.format(
        bodies=", ".join(_lua(body.decode()) for body in every),
        secrets=", ".join(_lua(value) for value in credentials),
        path=PATH,
    )


def _lua(text: str) -> str:
    return json.dumps(text)  # every escape that our bodies need is one of Lua's as well


def window_of(output: str, cpu_seconds: float) -> Window:
    """Read what wrk said.

    Raises:
        CannotRun: It said nothing that can be read.
    """
    found = _RESULT.search(output)
    if found is None:
        raise processes.CannotRun(f"wrk failed: {output.strip()[-300:]}")
    every, microseconds, bad, failed, p50 = map(int, found.groups())
    return Window(
        requests=every - bad,
        seconds=microseconds / 1e6,
        cpu_seconds=cpu_seconds,
        latencies_ms=[p50 / 1e3],
        errors=bad + failed,
        first_error=output if bad + failed else "",
    )
