"""Our WordPiece against the reference implementation, on the vocabulary that we ship."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from inferd.engine.embedded import weights
from inferd.engine.embedded.wordpiece import WordPiece, parts, read_vocabulary

SAMPLES = [
    "The quick brown fox jumps over the lazy dog.",
    "Don't stop; it's 5 o'clock -- e-mail me@example.org (or not)!",
    "naïve café façade, Ångström, Łódź, İstanbul, Straße, ΣΊΣΥΦΟΣ",
    "Съешь же ещё этих мягких французских булок, ёлка й",
    "東京タワーは高い。ハローワールド ｶﾀｶﾅ ＦＵＬＬ",
    "我爱北京天安门。𠀀𪜶㐀",
    "안녕하세요 세계, 한국어 각",
    "مرحبا بالعالم، كيف الحال؟ مُحَمَّد",
    "שלום עולם, שָׁלוֹם",
    "नमस्ते दुनिया। कृपया",
    "สวัสดีชาวโลก น้ำ",
    "வணக்கம் உலகம்",
    "ሰላም ልዑል።",
    "Γειά σου Κόσμε; τι κάνεις·",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ☺️ 🇫🇷",
    "a\u0301e\u0308o\u0302\u0323 Z͑ͫ̓a̴l̶g̷o̸",
    "tab\tnew\nline\rreturn\x0bvertical\x0cfeed\x85next",
    "null\x00char\ufffd\u200b\u200d\ufeff\u00adsoft\u2028line\u2029para\u00a0nbsp\u3000wide",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 99 + " " + "y" * 100 + " " + "z" * 101,
    "[CLS] [SEP] [MASK] ##ing [unused5] [UNK]",
    "1,234.56 €99 £5 $7 50% 3×4÷2 ½ ² ™ © ° № ‰",
    "“quotes” ‘single’ «guillemets» —dash– …dots ‹x› ¿qué? ¡sí!",
    "https://example.org/a?b=c&d=e#f snake_case camelCase C++ C# .NET",
    "ﬁ ﬂ Ǆ ǅ ß ẞ ſ K Å Ω ℌ ⅷ",
    "",
    "   ",
    "\x00\x01\x02",
    "\U000e0041\U0001d400\U0001f9ff\ue000",
]


@pytest.fixture(scope="module")
def vocabulary(data: Path) -> dict[str, int]:
    with (data / weights.VOCABULARY).open(encoding="utf-8", newline="\n") as lines:
        return read_vocabulary(lines)


@pytest.fixture(scope="module")
def ours(vocabulary: dict[str, int]) -> WordPiece:
    return WordPiece(vocabulary)


@pytest.fixture(scope="module")
def reference(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def mixtures(count: int) -> list[str]:
    """Shuffle words and letters of the samples into new texts, the same every time."""
    chance = random.Random(7)
    words = [word for sample in SAMPLES for word in sample.split(" ")]
    letters = "".join(SAMPLES)
    texts: list[str] = []
    for _ in range(count):
        chosen = chance.choices(words, k=chance.randint(1, 12))
        chosen += ["".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(3)]
        chance.shuffle(chosen)
        texts.append(chance.choice([" ", "", "-", "\n"]).join(chosen))
    return texts


def test_samples_of_many_scripts_become_the_reference_s_tokens(
    ours: WordPiece, reference: Tokenizer
) -> None:
    assert [ours.encode(text) for text in SAMPLES] == [
        reference.encode(text, add_special_tokens=False).ids for text in SAMPLES
    ]


def test_four_thousand_mixtures_become_the_reference_s_tokens(
    ours: WordPiece, reference: Tokenizer
) -> None:
    texts = mixtures(4000)
    expected = [encoding.ids for encoding in reference.encode_batch(texts)]
    different = [
        text for text, ids in zip(texts, expected, strict=True) if ours.encode(text) != ids
    ]
    assert different == []


def test_every_character_of_the_basic_plane_becomes_the_reference_s_tokens(
    ours: WordPiece, reference: Tokenizer
) -> None:
    # The reference lowers these by newer tables than Python 3.11 has.
    newer = {*"\u1c89\ua7cb\ua7cc\ua7ce\ua7d2\ua7d4\ua7da\ua7dc"}
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    texts = [f"a{character}b" for character in characters if character not in newer]
    expected = [encoding.ids for encoding in reference.encode_batch(texts)]
    assert [ours.encode(text) for text in texts] == expected


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="\U00011938")))
def test_any_text_becomes_the_reference_s_tokens(
    ours: WordPiece, reference: Tokenizer, text: str
) -> None:
    assert ours.encode(text) == reference.encode(text, add_special_tokens=False).ids


def test_a_text_cannot_spell_a_special_token(ours: WordPiece) -> None:
    assert ours.end not in ours.encode("[SEP] [sep]")


def test_a_frame_starts_and_ends_what_the_model_reads(ours: WordPiece) -> None:
    assert ours.frame([7]) == [ours.start, 7, ours.end]


def test_words_longer_than_a_hundred_characters_are_unknown(ours: WordPiece) -> None:
    assert ours.encode("a" * 101) == [ours.unknown]
    assert ours.unknown not in ours.encode("a" * 100)


def test_surrogates_are_dropped_not_an_error(ours: WordPiece) -> None:
    assert ours.encode("a\ud800b") == ours.encode("ab")


@settings(max_examples=300, deadline=None)
@given(st.text(), st.integers(1, 9))
def test_the_parts_tokens_are_the_texts(ours: WordPiece, text: str, size: int) -> None:
    for whole in (text, *SAMPLES):
        cut = [*parts(whole, size)]
        assert "".join(cut) == whole
        assert [token for part in cut for token in ours.encode(part)] == ours.encode(whole)


def test_a_long_text_has_several_parts() -> None:
    assert len([*parts("a word " * 10_000)]) == 5
    assert [*parts("short text")] == ["short text"]
