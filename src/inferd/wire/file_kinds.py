"""What a file is, by its first bytes: callers often don't say, and sometimes say it wrongly."""

import base64
import re

from inferd.core.content import BytesFile
from inferd.core.errors import InvalidRequest

HEAD_BYTES = 64
"""How many of a file's first bytes `sniff` wants to see."""

FIELDS = ("image", "audio", "video")

_STARTS = (
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_CONTAINERS = frozenset({"audio/ogg", "video/webm", "video/mp4", "video/quicktime"})
_ALSO = {
    "image/jpg": "image/jpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/mp3": "audio/mpeg",
    "image/x-ms-bmp": "image/bmp",
}
_KNOWN = frozenset(
    {kind for _, kind in _STARTS}
    | {*_RIFF.values(), *_BRANDS.values(), *_ALSO, "image/bmp", "audio/webm", "video/mp4"}
) - {"audio/mpeg", "audio/mp3"}
"""Types that can be told by their beginning; what plays MPEG sound skips what it doesn't know."""
_DATA_URL = re.compile(r"data:([^,;]*)(?:;[^,]*?)?;base64,", re.ASCII)
_LINE_ENDS = str.maketrans("", "", "\r\n")
_SHORTEST_PACKED = 64
"""Of base64 that comes as a text, and might be one: a comment `// in code` begins like a sound."""
_BLANKS = str.maketrans("", "", " \t\r\n")


def sniff(head: bytes) -> str:
    """Return the media type of a file that begins with `head`; empty if it is none we know."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and len(head) >= 18:
        return "image/bmp"
    if len(head) >= 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        if head[1] & 0xF6 == 0xF0:
            return "audio/aac"
        is_frame = head[1] & 0x06 and head[2] & 0xF0 != 0xF0 and head[1] & 0x18 != 0x08
        return "audio/mpeg" if is_frame else ""
    return ""


def fields_of(content_type: str) -> tuple[str, ...]:
    """Return what a file of this type may be to a task: `image`, `audio`, `video`."""
    if content_type in _CONTAINERS:
        return ("audio", "video")
    kind = content_type.partition("/")[0]
    return (kind,) if kind in FIELDS else ()


def settled_type(said: str, head: bytes) -> str:
    """Return the type of a file whose sender says `said`; empty where neither tells.

    Raises:
        InvalidRequest: It says one thing and is another.
    """
    found = sniff(head)
    if not fields_of(said):
        return found
    if not found and said not in _KNOWN:
        return said
    if not set(fields_of(said)) & set(fields_of(found)):
        seen = f"but begins like {found}" if found else "but doesn't begin like one"
        raise InvalidRequest(
            f"the file is said to be {said}, {seen}",
            hint="send the file's own bytes, under its own type or none",
        )
    return said if _ALSO.get(said, said) == found or found in _CONTAINERS else found


def looks_packed(text: str) -> bool:
    """Whether a text is a file in base64, by its beginning."""
    if _DATA_URL.match(text[:200]):
        return True
    start = text[: 2 * HEAD_BYTES].translate(_LINE_ENDS)
    if len(start) < _SHORTEST_PACKED:
        return False
    try:
        return bool(sniff(base64.b64decode(start[: len(start) // 4 * 4], validate=True)))
    except ValueError:
        return False


def unpack(name: str, text: str) -> tuple[bytes, str]:
    """Return a file that came in base64 or as a `data:` URL, and its type.

    Raises:
        InvalidRequest: It is neither, or not a file that we know; `details["param"]` is `name`.
    """
    if text[:8].lower().startswith(("http://", "https://")):
        raise InvalidRequest(
            f"{name} is an address, and this node fetches nothing for a caller",
            hint="send the file itself, in base64 or as the body",
            details={"param": name},
        )
    said = ""
    if match := _DATA_URL.match(text[:200]):
        said, text = match[1].strip().lower(), text[match.end() :]
    try:
        # Most of what is no file can be told by its beginning, however long the rest is.
        start = text[: 4 * HEAD_BYTES].translate(_BLANKS)
        base64.b64decode(start[: len(start) // 4 * 4], validate=True)
        data = base64.b64decode(text.translate(_BLANKS), validate=True)
        kind = settled_type(said, data[:HEAD_BYTES])
    except ValueError as error:
        raise InvalidRequest(
            f"{name} isn't base64", hint=_WANTED, details={"param": name}
        ) from error
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{name}: {error.message}", hint=error.hint, details={"param": name}
        ) from error
    if not kind:
        raise unknown_file(name)
    return data, kind


def unknown_file(name: str) -> InvalidRequest:
    """Return the error about bytes that are no file we know."""
    return InvalidRequest(
        f"{name} is no image, sound or film that this node knows",
        hint=_WANTED,
        details={"param": name},
    )


def named(field: str, data: bytes, content_type: str) -> BytesFile:
    """Return a file under a task's name for it."""
    return BytesFile(field, data, name=file_name(field, content_type), content_type=content_type)


def file_name(field: str, content_type: str) -> str:
    """Return a name for a file that came without one."""
    ending = content_type.partition("/")[2]
    return f"{field}.{_ENDINGS.get(ending, ending if ending.isalnum() else 'bin')}"


_ENDINGS = {"jpeg": "jpg", "mpeg": "mp3", "quicktime": "mov", "x-wav": "wav"}
_WANTED = (
    "send a PNG, JPEG, GIF, WEBP, BMP, WAV, FLAC, MP3, OGG, WEBM or MP4, as the body or in base64"
)
