"""What an answer took, as a header between nodes: `input_tokens=3, output_tokens=5, units=1`."""

from inferd.core.result import NO_USAGE, Usage

NAME = "X-Inference-Usage"
_FIELDS = frozenset(Usage.__struct_fields__)
_MOST_DIGITS = 9


def encode_usage(usage: Usage) -> str:
    """Return the header's value; empty when there is nothing to say."""
    counts = {name: getattr(usage, name) for name in Usage.__struct_fields__}
    return ", ".join(f"{name}={count}" for name, count in counts.items() if count)


def decode_usage(text: str) -> Usage:
    """Read what another node says; whatever isn't understood counts nothing."""
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.strip().partition("=")
        is_count = count.isascii() and count.isdigit() and len(count) <= _MOST_DIGITS
        if is_count and name in _FIELDS:
            counts[name] = int(count)
    return Usage(**counts) if counts else NO_USAGE
