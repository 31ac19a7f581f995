"""Files as people choose them."""

import struct
import wave
import zlib
from io import BytesIO

from playwright.async_api import FilePayload


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(
        b"\0" + b"".join(bytes((x % 256, y % 256, 90)) for x in range(width)) for y in range(height)
    )
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _wav(seconds: float) -> bytes:
    made = BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\0\0" * int(8000 * seconds))
    return made.getvalue()


PNG: FilePayload = {"name": "street.png", "mimeType": "image/png", "buffer": _png(64, 48)}
SOUND: FilePayload = {"name": "voice.wav", "mimeType": "audio/wav", "buffer": _wav(0.5)}
NO_PNG: FilePayload = {
    "name": "not-really.png",
    "mimeType": "image/png",
    "buffer": b"<svg onload=alert(1)>this is no picture</svg>",
}
