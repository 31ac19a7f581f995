"""Similarity, ranking, zero-shot and sentiment: right often enough, and clear about bad input."""

import json
from pathlib import Path

import pytest

from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.engine.embedded import ceilings, ranking, similarity, zero_shot
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.sentiment import Sentiment
from inferd.engine.embedded.steps import finish
from inferd.engine.embedded.weights import ModelDataMissing

HERE = Path(__file__).parent
HELD_OUT = HERE.parents[1] / "scripts" / "models" / "sentiment_held_out.tsv"
TRAINED = HELD_OUT.with_name("sentiment_train.tsv")
TEXTS = ["Bread is baked in an oven.", "Paris lies on the Seine.", "Cats sleep all day."]


@pytest.fixture(scope="module")
def sentiment(data: Path, minilm: MiniLM) -> Sentiment:
    return Sentiment(data, minilm)


def test_the_closest_sentence_has_the_highest_similarity(minilm: MiniLM) -> None:
    scores, tokens, _ = finish(similarity.compare(minilm, "Where is Paris?", TEXTS))
    assert max(scores) == scores[1]
    assert all(type(score) is float for score in scores)
    assert tokens > sum(len(text.split()) for text in TEXTS)


def test_a_sentence_is_as_similar_as_can_be_to_itself(minilm: MiniLM) -> None:
    assert finish(similarity.compare(minilm, TEXTS[0], TEXTS[:1])).result == [
        pytest.approx(1, abs=1e-4)
    ]


def test_ranking_sorts_and_keeps_the_places(minilm: MiniLM) -> None:
    ranked = finish(ranking.rank(minilm, "How do I make bread?", TEXTS, return_text=True)).result
    assert [entry["score"] for entry in ranked] == sorted(
        (entry["score"] for entry in ranked), reverse=True
    )
    assert ranked[0] == {"index": 0, "score": ranked[0]["score"], "text": TEXTS[0]}


def test_ranking_returns_no_more_than_asked_and_no_text_unasked(minilm: MiniLM) -> None:
    ranked = finish(ranking.rank(minilm, "pets", TEXTS, top_n=1)).result
    assert [entry["index"] for entry in ranked] == [2]
    assert "text" not in ranked[0]


def test_zero_shot_finds_most_topics(minilm: MiniLM) -> None:
    sets = json.loads((HERE / "zero_shot_examples.json").read_text(encoding="utf-8"))
    right = total = 0
    for examples in sets.values():
        texts = [text for text, _ in examples["texts"]]
        answers = finish(zero_shot.classify(minilm, texts, examples["labels"])).result
        total += len(texts)
        right += sum(
            answer["labels"][0] == label
            for answer, (_, label) in zip(answers, examples["texts"], strict=True)
        )
    assert right / total >= 0.75


def test_zero_shot_answers_in_the_pipeline_s_shape(minilm: MiniLM) -> None:
    (answer,) = finish(
        zero_shot.classify(
            minilm,
            ["The goalkeeper was injured."],
            "sport, cooking",
            hypothesis_template="About {}.",
        )
    ).result
    assert answer["sequence"] == "The goalkeeper was injured."
    assert answer["labels"] == ["sport", "cooking"]
    assert sum(answer["scores"]) == pytest.approx(1)
    assert answer["scores"][0] > answer["scores"][1]


def test_several_labels_may_fit_when_asked_so(minilm: MiniLM) -> None:
    (answer,) = finish(
        zero_shot.classify(
            minilm,
            ["The minister of sport opened the new football stadium."],
            ["sport", "politics", "cooking"],
            multi_label=True,
        )
    ).result
    scores = dict(zip(answer["labels"], answer["scores"], strict=True))
    assert scores["sport"] > 0.5 > scores["cooking"]
    assert all(0 <= score <= 1 for score in scores.values())


@pytest.mark.parametrize(
    ("file", "least", "enough"), [(HELD_OUT, 90, 0.9), (HERE / "sentiment_short.tsv", 60, 0.95)]
)
def test_sentiment_is_mostly_right_on_texts_it_has_not_seen(
    sentiment: Sentiment, file: Path, least: int, enough: float
) -> None:
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    trained = {line.split("\t")[1] for line in TRAINED.read_text(encoding="utf-8").splitlines()}
    assert not trained & {text for _, text in rows}
    answers = finish(sentiment.classify([text for _, text in rows])).result
    right = sum(
        answer[0]["label"] == label for answer, (label, _) in zip(answers, rows, strict=True)
    )
    assert len(rows) >= least
    assert right / len(rows) >= enough


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("good", "positive"),
        ("It works", "positive"),
        ("It works.", "positive"),
        ("I love this!", "positive"),
        ("bad", "negative"),
        ("It doesn't work", "negative"),
        ("a chair", "neutral"),
    ],
)
def test_sentiment_of_what_people_try_first(sentiment: Sentiment, text: str, label: str) -> None:
    assert finish(sentiment.classify([text])).result[0][0]["label"] == label


def test_sentiment_gives_every_label_the_likeliest_first(sentiment: Sentiment) -> None:
    answer = finish(sentiment.classify(["I love it, thank you so much!"])).result[0]
    assert answer[0]["label"] == "positive"
    assert {entry["label"] for entry in answer} == {"positive", "neutral", "negative"}
    assert sum(entry["score"] for entry in answer) == pytest.approx(1, abs=1e-5)
    assert finish(sentiment.classify(["I love it!"], top_k=1)).result[0][0]["label"] == "positive"


@pytest.mark.parametrize(("words", "is_cut"), [(ceilings.CLASSIFIED, False), (60_000, True)])
def test_classes_are_told_by_the_beginning_of_a_long_text(
    minilm: MiniLM, sentiment: Sentiment, words: int, is_cut: bool
) -> None:
    text = "terrible " * words
    felt = finish(sentiment.classify([text]))
    sorted_ = finish(zero_shot.classify(minilm, [text], ["praise", "complaint"]))
    start = finish(sentiment.classify(["terrible " * ceilings.CLASSIFIED]))
    assert (felt.is_cut, sorted_.is_cut) == (is_cut, is_cut)
    assert felt.result[0][0]["label"] == "negative"
    assert (felt.result, felt.input_tokens) == (start.result, start.input_tokens)
    assert sorted_.input_tokens < 1.2 * ceilings.CLASSIFIED


def test_sentiment_says_when_it_has_not_been_built(tmp_path: Path, minilm: MiniLM) -> None:
    head = Sentiment(tmp_path, minilm)
    assert not head.is_present
    with pytest.raises(ModelDataMissing, match=r"sentiment\.json"):
        finish(head.classify(["hello"]))


def test_bad_inputs_are_named(minilm: MiniLM, sentiment: Sentiment) -> None:
    with pytest.raises(InvalidRequest, match="source_sentence is empty"):
        finish(similarity.compare(minilm, " ", TEXTS))
    with pytest.raises(InvalidRequest, match="sentences is empty"):
        finish(similarity.compare(minilm, "hello", []))
    with pytest.raises(InvalidRequest, match=r"texts\[1\] must be a text, not int"):
        finish(ranking.rank(minilm, "hello", ["one", 2]))  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidRequest, match="top_n must be at least 1"):
        finish(ranking.rank(minilm, "hello", TEXTS, top_n=0))
    with pytest.raises(InvalidRequest, match="candidate_labels is empty"):
        finish(zero_shot.classify(minilm, ["hello"], []))
    with pytest.raises(InvalidRequest, match="must contain"):
        finish(zero_shot.classify(minilm, ["hello"], ["a"], hypothesis_template="no place"))
    with pytest.raises(InvalidRequest, match="inputs must be a list of texts, not str"):
        finish(sentiment.classify("hello"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidRequest, match="top_k must be at least 1"):
        finish(sentiment.classify(["hello"], top_k=0))


def test_too_much_for_one_request_is_refused_with_the_limit(minilm: MiniLM) -> None:
    with pytest.raises(PayloadTooLarge, match="sentences holds more than 2,000 texts"):
        finish(similarity.compare(minilm, "hello", ["a"] * (ceilings.TEXTS + 1)))
    with pytest.raises(PayloadTooLarge, match="texts holds more"):
        finish(ranking.rank(minilm, "hello", ["a"] * (ceilings.TEXTS + 1)))
    labels = [f"label {number}" for number in range(ceilings.LABELS + 1)]
    for given in (labels, ",".join(labels)):
        with pytest.raises(PayloadTooLarge, match="candidate_labels holds more than 1,000 labels"):
            finish(zero_shot.classify(minilm, ["hello"], given))
    template = "{}" + "a" * ceilings.CHARACTERS
    with pytest.raises(PayloadTooLarge):
        finish(zero_shot.classify(minilm, ["hello"], labels[:9], hypothesis_template=template))
