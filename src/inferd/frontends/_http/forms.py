"""Plain HTML forms, and where they lead."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from inferd.core.errors import PayloadTooLarge
from inferd.frontends._http.bodies import wrong_content_type
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 64
_LONGEST_ADDRESS = 2000


async def read_form(exchange: Exchange, *, most: int = 16 << 10) -> Mapping[str, str]:
    """Return a form's fields, of `most` bytes together.

    Raises:
        HttpRefusal: It says that it isn't one (415), can't be read (400), or gives a field
            twice (422).
        PayloadTooLarge: It is longer.
    """
    if exchange.content_type != FORM:
        raise wrong_content_type(exchange, FORM)
    body = bytearray()
    async for piece in exchange.pieces():
        body += piece
        if len(body) > most:
            raise PayloadTooLarge(
                f"the form is longer than {most} bytes", hint="type less, or use the API"
            )
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise HttpRefusal(400, "the form can't be read", hint=f"send {FORM} in UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise HttpRefusal(422, "a field is there twice", hint="send each field once")
    return fields


def own_path(text: str) -> str:
    """Return `text` if it is a path on this very node, with or without a query; else `/`.

    Browsers take `//host` for another site, with backslashes too, or with tabs in between.
    """
    is_plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    if not is_plain or not text.startswith("/") or text.startswith("//"):
        return "/"
    if len(text) > _LONGEST_ADDRESS:
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else text


async def redirect(exchange: Exchange, path: str) -> None:
    """Send a browser on, by GET. `path` is this node's."""
    await exchange.reply(b"", status=303, headers=[("Location", path)])
