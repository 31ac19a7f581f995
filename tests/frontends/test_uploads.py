"""Files on their way in: streamed through, whole, read again, broken off."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.answer import Answer
from inferd.core.errors import BackendUnavailable, CallerLeft, InvalidRequest, NodeError
from inferd.core.request import InferenceRequest, Tier
from inferd.frontends._http.settings import HttpSettings
from inferd.frontends._http.spool import ArrivingFile
from inferd.frontends._http.uploads import Form
from inferd.wire import multipart
from tests.frontends.fakes import HELLO, FakeBackend, iterate, says
from tests.frontends.nodes import Wire, open_node, soon

PICTURE = '{"task":"image-classification","payload":{}}'
TASKS = frozenset({"image-classification"})


def part(name: str, value: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


IMAGE = b'--b\r\nContent-Disposition: form-data; name="image"; filename="i.png"\r\n\r\n'
END = b"\r\n--b--\r\n"


class Reader:
    """A node backend that reads its file as it arrives."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.pieces: list[bytes] = []
        self.failure: NodeError | None = None
        self.stopped = asyncio.Event()
        self.backend = FakeBackend(
            self.infer, "peer", tier=Tier.TEAM, is_node=True, models=(), open_tasks=TASKS
        )

    async def infer(self, backend: FakeBackend, request: InferenceRequest) -> Answer:
        try:
            async for piece in request.files[0].read():
                self.pieces.append(piece)
                self.first.set()
        except NodeError as error:
            self.failure = error
            raise
        finally:
            self.stopped.set()
        return backend.answer(iterate(*HELLO))

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


async def begin(wire: Wire, *, headers: str = "") -> None:
    await wire.send(
        "POST /inference HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n{headers}\r\n"
    )


async def chunk(wire: Wire, data: bytes) -> None:
    await wire.send(b"%x\r\n%b\r\n" % (len(data), data))


@pytest.mark.parametrize(
    ("headers", "before"),
    [
        ("", part("use_remote", "true") + part("spec", PICTURE)),
        ("", part("spec", PICTURE) + part("use_remote", "true")),
        ("X-Inference-Use-Remote: true\r\n", part("spec", PICTURE)),
        ("X-Inference-Hops: node-x\r\nX-Inference-Files: image\r\n", part("spec", PICTURE)),
    ],
)
async def test_a_file_flows_through_while_it_is_still_arriving(headers: str, before: bytes) -> None:
    reader = Reader()
    async with open_node(reader.backend) as node, node.dial() as wire:
        await begin(wire, headers=headers)
        await chunk(wire, before + IMAGE + b"first")
        await soon(reader.first.wait())
        assert reader.data == b"first"
        assert reader.backend.requests[0].files[0].size_bytes is None
        await chunk(wire, b" and last" + END)
        await wire.send(b"0\r\n\r\n")
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert reader.data == b"first and last"


AUDIO = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'


@pytest.mark.parametrize(
    ("headers", "early"),
    [
        ("X-Inference-Hops: node-x\r\n", False),
        ("X-Inference-Hops: node-x\r\nX-Inference-Files: image, audio\r\n", True),
        ("X-Inference-Hops: node-x\r\nX-Inference-Files: image,audio,video\r\n", False),
        ("X-Inference-Use-Remote: true\r\nX-Inference-Files: audio,image\r\n", True),
    ],
)
async def test_two_files_of_one_form_both_arrive(headers: str, early: bool) -> None:
    reader = Reader()
    async with open_node(reader.backend) as node, node.dial() as wire:
        await begin(wire, headers=headers)
        await chunk(wire, part("spec", PICTURE) + IMAGE + b"picture")
        await chunk(wire, b"\r\n" + AUDIO + b"sou")
        if early:
            await soon(reader.first.wait())
        await chunk(wire, b"nd" + END)
        await wire.send(b"0\r\n\r\n")
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        [request] = reader.backend.requests
        assert [(file.field, file.name) for file in request.files] == [
            ("image", "i.png"),
            ("audio", "a.wav"),
        ]
    assert reader.data == b"picture"


@pytest.mark.parametrize("said", [{"use_remote": "true"}, {}])
async def test_a_disk_without_room_is_no_fault_of_the_program(
    said: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    reader = Reader()
    async with open_node(reader.backend) as node:
        answer = await node.client.post(
            "/inference",
            data=said,
            files={"spec": (None, PICTURE), "image": ("i.png", b"x" * 500_000)},
        )
        assert answer.status_code == 503
        assert "no room to keep the upload" in answer.text
        assert not any(member.in_flight for member in node.gateway.pool)


async def test_a_form_that_says_where_after_its_file_waits_for_the_end() -> None:
    here, reader = FakeBackend(says(*HELLO), "here"), Reader()
    async with open_node(here, reader.backend) as node, node.dial() as wire:
        await begin(wire)
        await chunk(wire, part("spec", PICTURE) + IMAGE + b"data\r\n")
        await chunk(wire, part("use_remote", "true") + b"--b--\r\n")
        await wire.send(b"0\r\n\r\n")
        await wire.until(b"\r\n\r\n")
    assert here.requests == []
    assert reader.data == b"data"


async def test_five_megabytes_arrive_as_they_were_sent() -> None:
    reader = Reader()
    data = os.urandom(5_000_000)
    async with open_node(reader.backend) as node:
        for use_remote in ({"use_remote": "true"}, {}):
            reader.pieces.clear()
            answer = await node.client.post(
                "/inference",
                data=use_remote,
                files={"spec": (None, PICTURE), "image": ("i.png", data, "image/png")},
            )
            assert answer.status_code == 200
            assert hashlib.sha256(reader.data).digest() == hashlib.sha256(data).digest()
    assert max(map(len, reader.pieces)) <= 64 * 1024
    [first, second] = [request.files[0] for request in reader.backend.requests]
    assert first.name == "i.png"
    assert (first.content_type, first.size_bytes) == ("image/png", len(data))
    assert second.size_bytes == len(data)


async def test_a_fallback_reads_the_file_from_its_start() -> None:
    reader, broken = Reader(), Reader()

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        async with aclosing(request.files[0].read()) as pieces:  # type: ignore[type-var]
            broken.pieces.append(await anext(pieces))
        broken.first.set()
        raise BackendUnavailable("gone")

    first = FakeBackend(infer, "a", tier=Tier.PEER, is_node=True, models=(), open_tasks=TASKS)
    async with open_node(first, reader.backend) as node, node.dial() as wire:
        await begin(wire)
        await chunk(wire, part("use_remote", "true") + part("spec", PICTURE) + IMAGE + b"one ")
        await soon(broken.first.wait())
        await soon(reader.first.wait())
        await chunk(wire, b"two" + END)
        await wire.send(b"0\r\n\r\n")
        answer = await wire.until(b"\r\n\r\n")
    assert b"x-inference-warning: a: gone" in answer
    assert broken.data == b"one "
    assert reader.data == b"one two"


async def test_a_caller_that_breaks_off_mid_file_frees_whoever_reads_it() -> None:
    reader = Reader()
    async with open_node(reader.backend) as node, node.dial() as wire:
        await begin(wire, headers="X-Inference-Use-Remote: true\r\n")
        await chunk(wire, part("spec", PICTURE) + IMAGE + b"first")
        await soon(reader.first.wait())
        wire.hang_up()
        await soon(reader.stopped.wait())
        await soon(node.ledger.news.wait())
        assert node.ledger.outcomes[0] in ("aborted", "invalid_request")
        assert [member.in_flight for member in node.gateway.pool] == [0]
    with pytest.raises(InvalidRequest):
        await anext(aiter(reader.backend.requests[0].files[0].read()))


@pytest.mark.parametrize(
    ("rest", "status", "reason"),
    [
        (b"\r\n" + part("use_remote", "true") + b"--b--\r\n", 400, b"came after the file"),
        (b"\r\n--b\r\nnonsense\r\n\r\n", 400, b"malformed"),
        (b"x" * 5000, 413, b"payload_too_large"),
        (b"", 400, b"closing boundary"),
    ],
)
async def test_a_form_that_goes_wrong_after_the_request_began_stops_it(
    rest: bytes, status: int, reason: bytes
) -> None:
    reader = Reader()
    limits = HttpSettings(max_body_bytes=3000)
    async with open_node(reader.backend, settings=limits) as node, node.dial() as wire:
        await begin(wire, headers="X-Inference-Use-Remote: true\r\n")
        await chunk(wire, part("spec", PICTURE) + IMAGE + b"first")
        await soon(reader.first.wait())
        if rest:
            await chunk(wire, rest)
        await wire.send(b"0\r\n\r\n")
        answer = await wire.until(b"}")
        await soon(reader.stopped.wait())
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert reason in answer


async def test_an_answer_given_before_the_file_was_whole_is_an_answer() -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node, node.dial() as wire:
        await begin(wire, headers="X-Inference-Use-Remote: false\r\n")
        await chunk(wire, part("spec", PICTURE) + IMAGE + b"first")
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert node.ledger.outcomes == ["ok"]


def on_disk(file: ArrivingFile) -> bool:
    return bool(vars(vars(file)["_store"])["_rolled"])


async def test_a_small_file_stays_in_memory_and_a_large_one_does_not() -> None:
    file = ArrivingFile("image", name="", content_type="")
    assert (file.name, file.content_type) == ("image", "application/octet-stream")
    file.add(b"x" * 256 * 1024)
    assert not on_disk(file)
    file.add(b"y")
    assert on_disk(file)
    file.complete()
    assert file.size_bytes == 256 * 1024 + 1
    read = [piece async for piece in file.read()]
    assert b"".join(read) == b"x" * 256 * 1024 + b"y"
    file.close()
    file.close()


async def test_two_readers_of_an_arriving_file_each_get_all_of_it() -> None:
    file = ArrivingFile("image", name="a", content_type="b/c")

    async def whole() -> bytes:
        return b"".join([piece async for piece in file.read()])

    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(whole()) for _ in range(2)]
        for number in range(10):
            file.add(b"%d" % number)
            await anext(aiter(file.read()))
        file.complete()
    assert [reader.result() for reader in readers] == [b"0123456789"] * 2
    file.close()


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([IMAGE, END, b"--b\r\n", b"--b--", part("spec", PICTURE), b"\r\n"]),
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_a_form_fail_but_as_a_refusal(pieces: list[bytes]) -> None:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    form = Form(place_is_known=True)
    try:
        asyncio.run(form.read(body(), multipart.Decoder(b"b")))
    except (NodeError, CallerLeft):
        return
    finally:
        form.close()
    assert form.spec
    assert form.ready.is_set()


@given(data=st.binary(max_size=2000), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_form_means_the_same_however_it_is_cut(data: bytes, sizes: list[int]) -> None:
    whole = part("spec", PICTURE) + IMAGE + data.replace(b"--b", b"") + END

    async def body() -> AsyncIterator[bytes]:
        at = 0
        for size in sizes:
            yield whole[at : at + size]
            at += size
        yield whole[at:]

    async def read() -> bytes:
        form = Form(place_is_known=False)
        await form.read(body(), multipart.Decoder(b"b"))
        found = b"".join([piece async for piece in form.files[0].read()])
        form.close()
        return found

    assert asyncio.run(read()) == data.replace(b"--b", b"")
