"""Figures as people say them."""

import pytest

from inferd.core.words import size_words


@pytest.mark.parametrize(
    ("size", "words"),
    [(9, "9 B"), (999.6, "1.0 kB"), (412_000, "412 kB"), (2.4e7, "24 MB"), (7.3e9, "7.3 GB"),
     (9.96e9, "10 GB"), (1.42e11, "142 GB"), (1e12, "1.0 TB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_sizes_in_words(size: float, words: str) -> None:
    assert size_words(size) == words
