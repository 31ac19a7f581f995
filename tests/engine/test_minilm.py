"""The sentence model: near its 32-bit original, the same in any company, and never cutting."""

import base64
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inferd.core.errors import PayloadTooLarge
from inferd.engine.embedded import ceilings
from inferd.engine.embedded.catalogue import DIMENSION, WINDOW
from inferd.engine.embedded.minilm import BATCH, OVERLAP, MiniLM, windows_of
from inferd.engine.embedded.steps import finish
from inferd.engine.embedded.weights import ModelDataMissing

HERE = Path(__file__).parent
LONG = "The keeper of the lighthouse wrote down the weather every evening. " * 60


def reference() -> tuple[list[str], np.ndarray]:
    rows = json.loads((HERE / "reference_vectors.json").read_text(encoding="utf-8"))
    raw = [base64.b64decode(row["float16"]) for row in rows]
    return [row["text"] for row in rows], np.stack([np.frombuffer(r, np.float16) for r in raw])


def test_vectors_are_close_to_those_of_the_unquantised_model(minilm: MiniLM) -> None:
    texts, expected = reference()
    cosines = (minilm.embed(texts) * expected.astype(np.float32)).sum(axis=1)
    assert cosines.min() > 0.997
    assert cosines.mean() > 0.999


def test_vectors_have_length_one_and_a_row_each(minilm: MiniLM) -> None:
    vectors = minilm.embed(["one", "two words", "", LONG])
    assert vectors.shape == (4, DIMENSION)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_rows(minilm: MiniLM) -> None:
    assert minilm.embed([]).shape == (0, DIMENSION)
    assert minilm.read([]).tokens == 0


def test_a_vector_does_not_change_with_its_batch_mates(minilm: MiniLM) -> None:
    texts, _ = reference()
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    together = minilm.embed(texts)
    backwards = minilm.embed(texts[::-1])[::-1]
    assert np.abs(alone - together).max() < 1e-3
    assert np.abs(alone - backwards).max() < 1e-3


def test_texts_of_several_callers_have_a_row_and_their_tokens_each(minilm: MiniLM) -> None:
    texts = ["one", "two words", "two more", LONG]
    for some in (texts[:3], texts):
        read = minilm.read_each(some)
        rows = np.concatenate([each.vectors for each in read])
        assert np.abs(rows - minilm.embed(some)).max() < 1e-3
        assert [each.tokens for each in read] == [minilm.read([text]).tokens for text in some]


def test_like_meanings_lie_closer_than_unlike_ones(minilm: MiniLM) -> None:
    fox, canine, invoice = minilm.embed(
        [
            "The quick brown fox jumps over the lazy dog.",
            "A fast auburn canine leapt above a sleepy hound.",
            "Please send the invoice to the address below.",
        ]
    )
    assert fox @ canine > fox @ invoice + 0.3


def test_a_text_of_one_window_is_not_cut() -> None:
    ids = list(range(WINDOW - 2))
    assert windows_of(ids) == [ids]


@pytest.mark.parametrize("length", [255, 400, 476, 477, 1000, 5000])
def test_windows_cover_every_token_and_overlap(length: int) -> None:
    ids = list(range(length))
    windows = windows_of(ids)
    assert all(len(window) == WINDOW - 2 for window in windows)
    assert sorted(set().union(*windows)) == ids
    shared = [len(set(a) & set(b)) for a, b in pairwise(windows)]
    assert all(overlap >= OVERLAP for overlap in shared)


def test_the_end_of_a_long_text_counts(minilm: MiniLM) -> None:
    plain, ended = minilm.embed([LONG, LONG + "Cheese is made from milk and rennet. " * 20])
    cheese = minilm.embed(["How is cheese made?"])[0]
    assert ended @ cheese > plain @ cheese + 0.1


def test_a_long_text_is_the_weighted_mean_of_its_windows(minilm: MiniLM) -> None:
    vector, tokens, _ = minilm.read([LONG])
    count = minilm.count_tokens(LONG)
    assert count == 60 * 12
    windows = windows_of(list(range(count)))
    assert tokens == sum(len(window) + 2 for window in windows)
    assert vector[0] @ minilm.embed([LONG[:600]])[0] > 0.9


def test_tokens_are_counted(minilm: MiniLM) -> None:
    assert minilm.count_tokens("hello world") == 2
    assert minilm.read(["hello world", "hello"]).tokens == 2 + 2 + 1 + 2


def test_it_reads_in_steps_of_a_batch(minilm: MiniLM) -> None:
    windows = len(windows_of(range(minilm.count_tokens(LONG))))
    assert len([*minilm.reading([LONG])]) == 1 + -(-windows // 2)
    assert len([*minilm.reading(["short text"] * 64)]) == 64 + 64 // BATCH


def test_more_tokens_than_a_request_may_have_are_refused_early(minilm: MiniLM) -> None:
    texts = ["a b " * 60_000, "c d " * 50_000]
    steps = minilm.reading(texts)
    with pytest.raises(PayloadTooLarge, match="200,000 tokens") as refusal:
        finish(steps)
    assert "several" in refusal.value.hint


def test_far_too_many_characters_are_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(PayloadTooLarge):
        MiniLM(tmp_path).embed(["a" * ceilings.CHARACTERS, "b"])


def test_it_loads_when_first_used_and_can_be_let_go(data: Path) -> None:
    model = MiniLM(data)
    assert model.is_present
    assert not model.is_loaded
    model.embed(["hello"])
    assert model.is_loaded
    assert repr(model) == "<MiniLM loaded>"
    model.unload()
    assert not model.is_loaded
    assert model.embed(["hello"]).shape == (1, DIMENSION)


def test_missing_files_say_what_to_run(tmp_path: Path) -> None:
    model = MiniLM(tmp_path)
    assert not model.is_present
    with pytest.raises(ModelDataMissing, match="make setup"):
        model.embed(["hello"])
