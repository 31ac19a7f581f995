"""Files told by their bytes; base64 that is a file, and that isn't."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest
from inferd.wire import file_kinds

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(40)
HEADS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a" + bytes(10),
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "image/bmp": b"BM\x10\x00\x00\x00\0\0\0\0" + bytes(20),
    "image/tiff": b"II*\x00" + bytes(8),
    "image/avif": b"\0\0\0\x20ftypavif",
    "audio/wav": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "audio/flac": b"fLaC\x00\x00\x00\x22",
    "audio/mpeg": b"\xff\xfb\x90\x00" + bytes(8),
    "audio/aac": b"\xff\xf1\x50\x80" + bytes(8),
    "audio/ogg": b"OggS\x00\x02" + bytes(8),
    "video/webm": b"\x1aE\xdf\xa3\x01" + bytes(8),
    "video/mp4": b"\0\0\0\x20ftypisom",
    "audio/mp4": b"\0\0\0\x20ftypM4A ",
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_file_is_known_by_its_first_bytes(kind: str) -> None:
    assert file_kinds.sniff(HEADS[kind]) == kind


@pytest.mark.parametrize(
    "head",
    [b"", b"P", b"\x89PNG\r\n\x1a\n, says the text", b"RIFF....AIFF", b"BM, a text",
     b"\xff\xff\xff", b'{"inputs": 1}', b"\xff\xe0\x00\x00"],
)  # fmt: skip
def test_what_only_looks_like_a_file_is_none(head: bytes) -> None:
    assert file_kinds.sniff(head) == ""


@given(st.binary(max_size=100))
def test_any_bytes_are_some_kind_or_none(head: bytes) -> None:
    kind = file_kinds.sniff(head)
    assert not kind or file_kinds.fields_of(kind)


@pytest.mark.parametrize(
    ("said", "head", "settled"),
    [
        ("", PNG, "image/png"),
        ("image/png", HEADS["image/jpeg"], "image/jpeg"),
        ("audio/x-wav", HEADS["audio/wav"], "audio/x-wav"),
        ("audio/webm", HEADS["video/webm"], "audio/webm"),
        ("audio/L16", b"\x00\x01\x00\x02", "audio/L16"),
        ("audio/mpeg", b"junk before the first frame", "audio/mpeg"),
        ("application/pdf", b"%PDF", ""),
    ],
)
def test_the_senders_word_and_the_bytes_settle_the_type(
    said: str, head: bytes, settled: str
) -> None:
    assert file_kinds.settled_type(said, head) == settled


@pytest.mark.parametrize(
    ("said", "head"),
    [("image/png", b"nonsense"), ("image/png", HEADS["audio/wav"]), ("audio/wav", PNG)],
)
def test_a_file_that_is_something_else_is_refused(said: str, head: bytes) -> None:
    with pytest.raises(InvalidRequest, match=f"said to be {said}"):
        file_kinds.settled_type(said, head)


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(PNG).decode(),
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
        "data:;base64," + base64.b64encode(PNG).decode(),
        base64.encodebytes(PNG).decode(),
    ],
)
def test_a_file_in_base64_is_unpacked(text: str) -> None:
    assert file_kinds.looks_packed(text)
    assert file_kinds.unpack("inputs", text) == (PNG, "image/png")


@pytest.mark.parametrize(
    "text",
    [
        "//comment",
        "// add two numbers together and return what they come to as a whole number please",
        "// one line of code\n// and another one below it that goes on and on and on and on",
    ],
)
def test_code_that_begins_with_a_comment_is_no_sound(text: str) -> None:
    assert not file_kinds.looks_packed(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("garbage!", "isn't base64"),
        ("", "no image, sound or film"),
        ("é" * 10, "isn't base64"),
        (base64.b64encode(b"a text, no file").decode(), "no image, sound or film"),
        ("https://example.com/cat.png", "fetches nothing"),
        ("data:image/png;base64," + base64.b64encode(HEADS["audio/wav"]).decode(), "said to be"),
    ],
)
def test_what_is_no_file_is_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as caught:
        file_kinds.unpack("image", text)
    assert caught.value.details["param"] == "image"


@given(st.text(max_size=300))
def test_any_text_is_a_file_or_refused(text: str) -> None:
    file_kinds.looks_packed(text)
    with suppress(InvalidRequest):
        data, kind = file_kinds.unpack("inputs", text)
        assert file_kinds.sniff(data) == kind


def test_a_file_without_a_name_gets_one_that_fits() -> None:
    names = [file_kinds.file_name("image", kind) for kind in ("image/jpeg", "image/x.y+z", "")]
    assert names == ["image.jpg", "image.bin", "image.bin"]
