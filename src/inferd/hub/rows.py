"""What the Hub's listing says, as models of ours. Reads leniently: one odd row spoils no page."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from inferd.core.hub import HubModel, HubProvider, HubQuery, is_model_id

_EXPAND = (
    "downloads", "likes", "trendingScore", "gated", "private", "library_name", "pipeline_tag",
    "safetensors", "gguf", "inferenceProviderMapping",
)  # fmt: skip
_SORTS: Mapping[str, str] = {
    "trending": "trendingScore",
    "downloads": "downloads",
    "likes": "likes",
}
_LOOKED_FOR: Mapping[str, Mapping[str, str]] = {
    "chat": {"pipeline_tag": "text-generation", "filter": "conversational"},
    # The Hub has no such task; these are the models that do it.
    "zero-shot-audio-classification": {"filter": "clap"},
}
"""Our tasks that aren't one of the Hub's, as what they are there."""
_WIDTHS: Mapping[str, float] = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "I4": 0.5, "U4": 0.5, "F4": 0.5,
}  # fmt: skip
_USUAL_WIDTH = 2.0
_MOST = 1 << 53
_LONGEST_CURSOR = 4096
_LONGEST_WORD = 64
_MOST_PROVIDERS = 32
_DEEPEST = 64
_MOST_ROWS = 2000
_MOST_DEEP_BYTES = 4 << 20
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[][{},]', re.DOTALL)
_NOT_ROWS = "its answer isn't a list of models"

Raw = msgspec.Raw | bytes
Count = int | float | None


class _Safetensors(msgspec.Struct):
    parameters: dict[str, Count] = {}
    total: Count = None


class _Gguf(msgspec.Struct):
    """`total` counts parameters; `totalFileSize` is in bytes."""

    total: Count = None
    totalFileSize: Count = None  # noqa: N815  the Hub's spelling


class _Provider(msgspec.Struct):
    provider: str = ""
    status: str = ""
    task: str = ""


class _Row(msgspec.Struct):
    id: str
    likes: Count = None
    downloads: Count = None
    trendingScore: Count = None  # noqa: N815  the Hub's spelling
    gated: bool | str | None = False
    private: bool | None = False
    library_name: str | None = None
    pipeline_tag: str | None = None
    safetensors: _Safetensors | None = None
    gguf: _Gguf | None = None
    inferenceProviderMapping: list[_Provider] | dict[str, _Provider] | None = None  # noqa: N815


_rows = msgspec.json.Decoder(list[msgspec.Raw])
_row = msgspec.json.Decoder(_Row)


def path_of(query: HubQuery, *, limit: int, cursor: str = "") -> str:
    """Return the path and query string under which the Hub lists `query`."""
    looked_for = _LOOKED_FOR.get(query.task, {"pipeline_tag": query.task})
    said = [
        *looked_for.items(),
        ("sort", _SORTS[query.sort]),
        ("direction", "-1"),
        ("limit", str(limit)),
        *(("expand[]", name) for name in _EXPAND),
    ]
    if query.search:
        said.append(("search", query.search))
    if cursor:
        said.append(("cursor", cursor))
    return f"/api/models?{urlencode(said)}"


def read_rows(body: bytes) -> list[HubModel]:
    """Return the models of one page; what can't be one, or isn't for all eyes, is left out.

    Raises:
        ValueError: It is no list of models; the message is for people.
    """
    try:
        raw: list[Raw] = [*_rows.decode(body)]
    except RecursionError:
        raw = list(islice(_shallow(body), _MOST_ROWS)) if len(body) <= _MOST_DEEP_BYTES else []
        if not raw:
            raise ValueError(_NOT_ROWS) from None
    except (msgspec.MsgspecError, ValueError):
        raise ValueError(_NOT_ROWS) from None
    rows = list(_readable(raw))
    if raw and not rows:
        raise ValueError(_NOT_ROWS)
    return [_model(row) for row in rows if not row.private and is_model_id(row.id)]


def read_cursor(links: Iterable[str]) -> str:
    """Return the cursor of the page after this one, from `Link` headers; empty on the last.

    Of the address only the cursor is taken: whatever host it names, ours is asked.
    """
    for link in ",".join(links).split(","):
        target, _, parameters = link.strip().partition(">")
        if not target.startswith("<") or "next" not in parameters.lower():
            continue
        try:
            found = parse_qs(urlsplit(target[1:]).query).get("cursor", [""])[0]
        except ValueError:
            return ""
        return found if len(found) <= _LONGEST_CURSOR else ""
    return ""


def _shallow(body: bytes) -> Iterator[bytes]:
    """Cut a list into its rows, without those that are too deep to be read."""
    depth = begin = deepest = 0
    for mark in _MARKS.finditer(body):
        sign = mark[0]
        if sign[:1] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if depth == 1:
                begin = mark.end()
        elif sign in (b"]", b"}"):
            depth -= 1
        if depth <= 1 and sign in (b",", b"]"):
            if deepest <= _DEEPEST and depth >= 0:
                yield body[begin : mark.start()]
            begin, deepest = mark.end(), 0
        if depth <= 0:
            return


def _readable(raw: Iterable[Raw]) -> Iterator[_Row]:
    for each in raw:
        try:
            yield _row.decode(each)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue


def _model(row: _Row) -> HubModel:
    parameters, size = _weight(row)
    library = row.library_name or ""
    if row.gguf is not None and row.safetensors is None:
        library = "gguf"
    match row.gated:
        case "auto" | "manual" as gated:
            pass
        case True:
            gated = "manual"
        case _:
            gated = "false"
    trending = row.trendingScore
    return HubModel(
        id=row.id,
        likes=_count(row.likes),
        downloads=_count(row.downloads),
        trending_score=trending if trending is not None and abs(trending) < _MOST else None,
        gated=gated,
        library=_word(library),
        pipeline_tag=_word(row.pipeline_tag or ""),
        parameters=parameters,
        size_bytes=size,
        providers=tuple(islice(_providers(row), _MOST_PROVIDERS)),
    )


def _weight(row: _Row) -> tuple[int | None, int | None]:
    """Return how many parameters a model has, and how many bytes they take."""
    if row.safetensors is not None:
        told = [(kind, _count(count)) for kind, count in row.safetensors.parameters.items()]
        counts = {kind: count for kind, count in told if count}
        size = sum(count * _width(kind) for kind, count in counts.items())
        return _count(row.safetensors.total) or sum(counts.values()) or None, round(size) or None
    if row.gguf is not None:
        return _count(row.gguf.total) or None, _count(row.gguf.totalFileSize) or None
    return None, None


def _width(kind: str) -> float:
    """Return the bytes of a parameter of a safetensors type."""
    kind = kind.upper()
    return _WIDTHS.get(kind, 1.0 if kind.startswith("F8") else _USUAL_WIDTH)


def _providers(row: _Row) -> Iterator[HubProvider]:
    mapping = row.inferenceProviderMapping or []
    named = (
        [(each.provider, each) for each in mapping]
        if isinstance(mapping, list)
        else mapping.items()
    )
    for name, each in named:
        if each.status == "live" and (known := _word(name)):
            yield HubProvider(name=known, task=_word(each.task))


def _count(value: Count) -> int | None:
    return int(value) if value is not None and 0 <= value < _MOST else None


def _word(text: str) -> str:
    """Return a short printable word, or nothing."""
    return text if text.isprintable() and len(text) <= _LONGEST_WORD else ""
