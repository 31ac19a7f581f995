"""The gateway benchmarks: what they send, what they make of what they see, and their upstream."""

import sys
from collections.abc import Generator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.lib import figures, gateway_report, gateways, mixed, plot, probes, processes, wrk
from benchmarks.lib.bodies import LENGTHS, chat_body, request_of
from benchmarks.lib.gateways import LITELLM, NGINX, OURS, SGLANG, VLLM, Gateway
from benchmarks.lib.processes import CannotRun
from benchmarks.lib.samples import Samples
from benchmarks.scaling import DIMENSIONS, SIZES
from benchmarks.soak import Soak
from inferd.config.load import load


@pytest.fixture
def upstream(tmp_path: Path) -> Generator[Gateway]:
    """The scripted upstream itself, where a gateway would stand."""
    with probes.upstreams(tmp_path) as ports:
        yield Gateway("direct", 0, ports[-1], 0.0)


def samples(seen: dict[tuple[str, str], list[float]]) -> Samples:
    found = Samples()
    for (name, metric), values in seen.items():
        for turn, value in enumerate(values):
            found.add(name, metric, turn, value)
    return found


@pytest.mark.parametrize("length", LENGTHS)
def test_bodies_have_exactly_their_length(length: int) -> None:
    assert len(chat_body(length)) == length
    request = request_of(chat_body(length), ["X-A: b"])
    assert request.endswith(
        b"\r\nX-A: b\r\nContent-Length: %d\r\n\r\n" % length + chat_body(length)
    )


def test_rounds_that_one_side_missed_are_left_out_of_a_ratio() -> None:
    found = samples({("a", "us"): [2, 9, 4]})
    found.add("b", "us", 0, 1)
    found.add("b", "us", 2, 4)
    found.add("b", "us", 3, None)
    assert found.ratio("a", "b", "us") == 1.5
    assert found.least_ratio("a", "b", "us") == 2
    assert found.ratio("a", "c", "us") is None
    assert found.median("a", "us") == 4


def test_the_best_router_is_the_cheapest_one() -> None:
    found = gateway_report.flat(
        samples(
            {
                (OURS, "request_us"): [20, 40],
                (NGINX, "request_us"): [10, 10],
                (VLLM, "request_us"): [20, 40],
                (SGLANG, "request_us"): [40, 80],
                (LITELLM, "request_us"): [6000, 12000],
                (OURS, "chunk_us_200"): [9],
                (NGINX, "chunk_us_200"): [6],
            }
        ),
        None,
        ["HAProxy: no such thing"],
    )
    assert found["request_cpu_over_nginx"] == 3
    assert found["request_cpu_over_best_router"] == 1
    assert found["request_cpu_under_litellm"] == 300
    assert found["chunk_cpu_over_nginx"] == 1.5
    assert found["haproxy_request_us"] is found["tls_cpu_over_plain"] is None
    assert found["not_run"] == "HAProxy: no such thing"


def test_a_run_without_any_figure_is_still_reported(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = Samples()
    result = gateway_report.flat(nothing, None, ["all: none"])
    gateway_report.print_tables(nothing, result, ["all: none"])
    said = capsys.readouterr().out
    assert "request_cpu_over_nginx: not measured" in said
    assert "not run: all: none" in said


def test_plots_are_drawings_with_every_name(tmp_path: Path) -> None:
    drawn = plot.bars("A < B & C", [("slow & dear", 1234.5), ("quick", 1.5), ("none", -1)])
    texts = [each.text for each in ElementTree.fromstring(drawn).iter() if each.text]
    assert {"A < B & C", "slow & dear", "1,234", "quick", "1.5", "none"} <= set(texts)
    gateway_report.write_plots(samples({(OURS, "stream_kb"): [9.0]}), tmp_path)
    assert {"perf-request-us.svg", "perf-stream-kb.svg"} <= {e.name for e in tmp_path.iterdir()}


def test_what_wrk_says_is_read() -> None:
    window = wrk.window_of("Running…\nresult 1000 2000000 3 4 1500\n", 0.02)
    assert (window.requests, window.rate, window.errors) == (997, 498.5, 7)
    with pytest.raises(CannotRun, match="unable to connect"):
        wrk.window_of("unable to connect to 127.0.0.1", 0)


def test_wrk_gets_every_body_and_every_credential() -> None:
    script = wrk.script_of(["Bearer a", "Bearer b"], [b'{"x": "\\"q\\""}'])
    assert 'secrets = { "Bearer a", "Bearer b" }' in script
    assert r'bodies = { "{\"x\": \"\\\"q\\\"\"}" }' in script
    assert script.count("{{") == 0


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_size_is_a_configuration_that_loads(dimension: str, tmp_path: Path) -> None:
    for node, size in zip(DIMENSIONS[dimension], SIZES, strict=True):
        file = tmp_path / "inferd.toml"
        file.write_text(node.configuration(["http://127.0.0.1:9/v1"]))
        environ = {"BENCH_SECRET": "x" * 40, "HOME": str(tmp_path)}
        settings = load(environ=environ, path=file, cwd=tmp_path).config
        found = {
            "backends": len(settings.backends),
            "keys": len(settings.auth.shared_secrets),
            "models": len(settings.backends[0].models),
        }
        assert found[dimension] == size


def test_the_usual_configuration_loads(tmp_path: Path) -> None:
    file = tmp_path / "inferd.toml"
    file.write_text(gateways.node_configuration(["http://127.0.0.1:9/v1"] * 3))
    environ = {"BENCH_SECRET": "x" * 40, "HOME": str(tmp_path)}
    settings = load(environ=environ, path=file, cwd=tmp_path).config
    (rule,) = settings.policy.rules
    assert rule.limits.requests_per_minute
    assert rule.limits.concurrency
    assert len(settings.backends) == 3


def test_the_slope_is_that_of_the_second_half() -> None:
    # It grows by 50 MB at first, and by 1 MB for each 100,000 afterwards.
    first = [(done, 50 + done / 2000) for done in range(0, 100_000, 1000)]
    second = [(done, 100 + done / 1e5) for done in range(100_000, 200_000, 1000)]
    assert Soak(first + second, {}).slope == pytest.approx(1)
    assert Soak([], {}).slope is None
    assert figures.slope([(1, 2), (1, 3)]) is None
    assert Soak([], {"whole": 3, "whole: b'HTTP/1.1 500'": 2}).unexpected == {
        "whole: b'HTTP/1.1 500'": 2
    }


def test_a_response_is_whole_when_its_length_or_its_last_chunk_is_there() -> None:
    assert mixed.whole_status(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab") == 404
    assert mixed.whole_status(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab") == 0
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"
    assert mixed.whole_status(chunked) == 0
    assert mixed.whole_status(chunked + b"0\r\n\r\n") == 200


def test_the_upstream_answers_whole_and_in_streams(upstream: Gateway) -> None:
    assert len(probes.latency(upstream, "--count", 20).times) == 20
    assert len(probes.latency(upstream, "--count", 20, "--stream").times) == 20
    assert len(probes.latency(upstream, "--count", 2, "--large", 2_000_000).times) == 2
    assert processes.answers(f"http://127.0.0.1:{upstream.port}/v1/models")


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_streams_stay_open_and_their_chunks_are_counted(upstream: Gateway) -> None:
    seen = probes.streams(upstream._replace(pid=1), 20, 0.5)
    assert (seen.live, seen.errors) == (20, 0)
    assert seen.chunks >= 20


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_mixed_requests_come_to_an_end(upstream: Gateway) -> None:
    told = probes.mixed(upstream._replace(pid=1), 400)
    # Nobody stands between, so nobody refuses what a node would.
    wrong = {name for name in told["seen"] if ":" in name}
    assert {name.partition(":")[0] for name in wrong} <= {"refused here", "not JSON"}
    assert sum(told["seen"].values()) == 400
    assert len(told["points"]) == 100


def test_a_failure_is_said(upstream: Gateway) -> None:
    silent = upstream._replace(name="nobody", port=processes.free_port())
    with pytest.raises(CannotRun, match=r"nobody: .*refused"):
        probes.latency(silent, "--count", 1)
    with pytest.raises(CannotRun, match="nobody: no chunk came"):
        probes.streams(silent._replace(pid=1), 2, 0.1)
