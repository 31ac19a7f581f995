"""Answers are spans of the context, and mostly the right ones."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.engine.embedded import ceilings, question_answering, spans
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.sentences import sentences
from inferd.engine.embedded.steps import finish

EXAMPLES = Path(__file__).parent / "qa_examples.json"
CONTEXT = "The bridge was opened in 1932. It was designed by John Bradfield."


def test_most_answers_contain_what_was_asked_for(minilm: MiniLM) -> None:
    right = total = 0
    for example in json.loads(EXAMPLES.read_text(encoding="utf-8")):
        for question, expected in example["qas"]:
            (answer,) = finish(
                question_answering.answer(minilm, question, example["context"])
            ).result
            right += expected.lower() in answer["answer"].lower()
            total += 1
    assert total >= 40
    assert right / total >= 0.8


@pytest.mark.parametrize(
    ("question", "context", "expected"),
    [
        # The example that the page and the command line fill in.
        ("Where does she live?", "She was born in Lyon and lives in Oslo.", "Oslo"),
        ("Where was she born?", "She was born in Lyon and lives in Oslo.", "Lyon"),
        ("Where does he live?", "He lives in Paris but was born in Rome.", "Paris"),
        ("Where was he born?", "He lives in Paris but was born in Rome.", "Rome"),
        ("Where does Ann work?", "Ann studied in Leeds and works in York.", "York"),
        ("When was he born?", "He was born in 1902 and died in 1977.", "1902"),
        ("Where do they meet?", "They start at the station; they meet in the park.", "the park"),
    ],
)
def test_the_clause_that_tells_of_it_has_the_answer(
    minilm: MiniLM, question: str, context: str, expected: str
) -> None:
    (answer,) = finish(question_answering.answer(minilm, question, context)).result
    assert answer["answer"] == expected


def test_an_answer_stands_where_it_says(minilm: MiniLM) -> None:
    found, tokens, _ = finish(question_answering.answer(minilm, "Who designed it?", CONTEXT))
    (answer,) = found
    assert answer["answer"] == "John Bradfield"
    assert CONTEXT[answer["start"] : answer["end"]] == "John Bradfield"
    assert 0 < answer["score"] <= 1
    assert tokens > len(CONTEXT.split())


def test_more_answers_come_best_first(minilm: MiniLM) -> None:
    answers = finish(
        question_answering.answer(minilm, "When was it opened?", CONTEXT, top_k=3)
    ).result
    assert len(answers) == 3
    scores = [answer["score"] for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert answers[0]["answer"] == "1932"


def test_a_fact_deep_in_a_long_context_is_found(minilm: MiniLM) -> None:
    filler = "The committee met and talked about the weather. " * 40
    context = f"{filler}The vault is opened by a key that Martha Finch keeps. {filler}"
    (answer,) = finish(question_answering.answer(minilm, "Who keeps the key?", context)).result
    assert answer["answer"] == "Martha Finch"
    assert context[answer["start"] : answer["end"]] == "Martha Finch"


def test_even_a_context_without_words_has_an_answer(minilm: MiniLM) -> None:
    (answer,) = finish(question_answering.answer(minilm, "Who?", " ... ")).result
    assert answer["answer"] == "..."
    assert (answer["start"], answer["end"]) == (1, 4)


@pytest.mark.parametrize(
    ("question", "context", "words"),
    [("", "a", "question is empty"), ("a", " ", "context is empty")],
)
def test_empty_input_is_named(minilm: MiniLM, question: str, context: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        finish(question_answering.answer(minilm, question, context))


def test_no_answers_can_not_be_asked_for(minilm: MiniLM) -> None:
    with pytest.raises(InvalidRequest, match="top_k must be at least 1"):
        finish(question_answering.answer(minilm, "a", "b", top_k=0))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who wrote it?", spans.Kind.WHO),
        ("In which year did she leave?", spans.Kind.WHEN),
        ("Where do they live?", spans.Kind.WHERE),
        ("How many are there?", spans.Kind.QUANTITY),
        ("What is the price of milk?", spans.Kind.QUANTITY),
        ("Why is it blue?", spans.Kind.WHY),
        ("How is glass made?", spans.Kind.HOW),
        ("What is it called?", spans.Kind.WHAT),
    ],
)
def test_questions_are_told_apart(question: str, kind: spans.Kind) -> None:
    assert spans.kind_of(question) is kind


def test_a_candidate_never_only_repeats_the_question() -> None:
    found = spans.candidates(spans.Kind.WHO, "Who is Ann Lee?", "Ann Lee is a pilot from Oslo.")
    texts = ["Ann Lee is a pilot from Oslo."[span.start : span.end] for span in found]
    assert "Ann Lee" not in texts
    assert "pilot" in texts


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.sampled_from(list(spans.Kind)))
def test_candidates_lie_within_any_sentence(text: str, kind: spans.Kind) -> None:
    for span in spans.candidates(kind, "Who has it?", text):
        assert 0 <= span.start < span.end <= len(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_sentences_are_slices_and_leave_out_only_spaces(text: str) -> None:
    found = [*sentences(text)]
    assert all(text[part.start : part.end] == part.text for part in found)
    kept = "".join("".join(part.text.split()) for part in found)
    assert kept == "".join(text.split())


def test_abbreviations_do_not_end_sentences_and_long_ones_are_cut() -> None:
    assert [part.text for part in sentences("Dr. J. Smith came. He sat down! Why?")] == [
        "Dr. J. Smith came.",
        "He sat down!",
        "Why?",
    ]
    assert [len(part.text.split()) for part in sentences("word " * 130)] == [60, 60, 10]


@pytest.mark.parametrize("unit", ["A. ", " ", "\n ", "a-", '." ', "e.g. "])
def test_sentences_take_no_longer_than_their_text_is_long(unit: str) -> None:
    # From each place on to the end, this would take minutes.
    for sentence in sentences(f"a{unit * 100_000}b"):
        assert sentence.end - sentence.start < 200_000


def test_a_long_word_does_not_make_a_sentence_endless() -> None:
    found = [*sentences("a-" * 10_000)]
    assert max(len(part.text) for part in found) == 60 * 40
    assert "".join(part.text for part in found) == "a-" * 10_000


def test_too_much_for_one_request_is_refused(minilm: MiniLM) -> None:
    with pytest.raises(PayloadTooLarge, match="question has 8,001 characters"):
        finish(question_answering.answer(minilm, "a" * 8001, "b"))
    with pytest.raises(PayloadTooLarge, match="context holds more than 20,000 sentences"):
        finish(question_answering.answer(minilm, "a", "b! " * (ceilings.SENTENCES + 1)))
    with pytest.raises(PayloadTooLarge):
        finish(question_answering.answer(minilm, "a", "b" * (ceilings.CHARACTERS + 1)))
