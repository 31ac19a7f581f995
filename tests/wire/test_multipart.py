"""Forms survive any split, and nothing malformed passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest
from inferd.wire import multipart
from inferd.wire.multipart import Decoder, End, Event, PartBegin, PartData, PartEnd

MARK = b"mark"
FORM = (
    b'--mark\r\nContent-Disposition: form-data; name="spec"\r\n'
    b'Content-Type: application/json\r\n\r\n{"a":1}\r\n'
    b'--mark\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\r\n--mar\r\n-\r\n"
    b'--mark\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n'
    b"--mark--\r\n"
)
EVENTS: list[Event] = [
    PartBegin(name="spec", content_type="application/json"),
    PartData(b'{"a":1}'),
    PartEnd(),
    PartBegin(name="image", filename="a.png", content_type="image/png"),
    PartData(b"\r\n--mar\r\n-"),
    PartEnd(),
    PartBegin(name="empty"),
    PartEnd(),
    End(),
]

names = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="%/\\"),
    min_size=1,
    max_size=20,
)
parts = st.lists(st.tuples(names, st.none() | names, st.binary(max_size=80)), max_size=5)


def read(*pieces: bytes, mark: bytes = MARK) -> list[Event]:
    """Decode, with neighbouring data joined: where it is split is nobody's business."""
    decoder = Decoder(mark)
    joined: list[Event] = []
    for event in (event for piece in pieces for event in decoder.feed(piece)):
        if isinstance(event, PartData) and isinstance(joined[-1], PartData):
            joined[-1] = PartData(joined[-1].data + event.data)
        else:
            joined.append(event)
    decoder.end()
    return joined


def part(header: bytes, value: bytes = b"x") -> bytes:
    return b"--mark\r\n" + header + b"\r\n\r\n" + value + b"\r\n--mark--\r\n"


def test_a_form_is_read() -> None:
    assert read(FORM) == EVENTS


@pytest.mark.parametrize("cut", range(len(FORM)))
def test_no_split_changes_the_events(cut: int) -> None:
    assert read(FORM[:cut], FORM[cut:]) == EVENTS


def test_every_byte_alone_gives_the_same_events() -> None:
    assert read(*(bytes([byte]) for byte in FORM)) == EVENTS


@given(parts, st.integers(1, 50))
def test_what_was_encoded_is_decoded(sent: list[tuple[str, str | None, bytes]], step: int) -> None:
    mark = multipart.new_boundary()
    body, wanted = b"", list[Event]()
    for name, filename, value in sent:
        if filename is None:
            body += multipart.encode_field(mark, name, value, content_type="text/plain")
        else:
            head = multipart.encode_file_head(mark, name, filename, "text/plain")
            body += head + value + multipart.FILE_TAIL
        wanted.append(PartBegin(name=name, filename=filename, content_type="text/plain"))
        wanted.extend([PartData(value)] if value else [])
        wanted.append(PartEnd())
    body += multipart.closing(mark)
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    assert read(*pieces, mark=mark) == [*wanted, End()]


@given(st.binary(max_size=200), st.sampled_from([b"", FORM[:60], FORM[:150], FORM[:-12]]))
def test_no_bytes_raise_anything_but_invalid_request(junk: bytes, before: bytes) -> None:
    decoder = Decoder(MARK)
    try:
        decoder.feed(before + junk)
        decoder.end()
    except InvalidRequest:
        return


def test_the_length_is_known_when_every_size_is() -> None:
    mark = multipart.new_boundary()
    field = multipart.encode_field(mark, "spec", b"{}")
    head = multipart.encode_file_head(mark, "image", "a.png", "")
    body = field + head + b"12345" + multipart.FILE_TAIL + multipart.closing(mark)
    assert multipart.content_length(mark, [field], [(head, 5)]) == len(body)
    assert multipart.content_length(mark, [field], [(head, None)]) is None


def test_no_name_can_end_its_header_or_begin_another() -> None:
    head = multipart.encode_file_head(
        MARK, 'a"; x="', '\r\nX-Evil: 1\r\n\r\n"\\', "text/plain\r\nX: 1"
    )
    assert head.count(b"\r\n") == 4
    events = read(head + b"x" + multipart.FILE_TAIL + multipart.closing(MARK))
    assert events[0] == PartBegin(name='a"; x="', filename="", content_type="text/plain  X: 1")


def test_a_file_name_is_a_label_and_never_a_path() -> None:
    for path in (rb"../../etc/passwd", rb"C:\\temp\\passwd"):
        begin = read(part(b'Content-Disposition: form-data; name="f"; filename="%b"' % path))[0]
        assert isinstance(begin, PartBegin)
        assert begin.filename == "passwd"


def test_what_follows_the_form_is_ignored() -> None:
    assert read(FORM, b"anything", b"--mark\r\n") == EVENTS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--mark",
        FORM[:-4],
        b"--other\r\n",
        b"no form at all",
        part(b"X-Odd: 1"),
        part(b"Content-Disposition: form-data"),
        part(b'Content-Disposition: form-data; name=""'),
        part(b'Content-Disposition: attachment; name="a"'),
        part(b'Content-Disposition: form-data; name="%b"' % (b"n" * 300)),
        part(b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data'),
        part(b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64'),
        part(b'Content-Disposition: form-data; name="a"\r\nbad header: 1'),
        part(b'Content-Disposition: form-data; name="a"\r\nX: ' + b"x" * 9000),
        part(b'Content-Disposition: form-data; name="a"' + b"\r\nX: " * 9000),
        part(b'Content-Disposition: form-data; name="a"\r\nX: ' + b"x" * 3000 + b"\r\n"
             b"Y: " + b"x" * 3000 + b"\r\nZ: " + b"x" * 3000),
        (b'--mark\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 65) + b"--mark--\r\n",
    ],
)  # fmt: skip
def test_a_malformed_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(body)


def test_the_boundary_is_read_from_the_content_type() -> None:
    mark = multipart.new_boundary()
    assert multipart.boundary_of(multipart.content_type_of(mark)) == mark
    assert multipart.boundary_of('Multipart/Form-Data; boundary="a b"') == b"a b"
    assert mark != multipart.new_boundary()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
    ],
)
def test_a_content_type_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        multipart.boundary_of(content_type)


def test_a_boundary_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        Decoder(b"x" * 1000)
