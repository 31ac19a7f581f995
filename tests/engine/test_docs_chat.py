"""`inferd-docs` quotes the documentation word for word, and declines the rest."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest
from inferd.engine.embedded import docs_chat
from inferd.engine.embedded.docs_chat import DocsChat
from inferd.engine.embedded.minilm import MiniLM
from inferd.engine.embedded.passages import Passage, split
from inferd.engine.embedded.steps import finish
from inferd.engine.embedded.weights import ModelDataMissing

KEYS = """# Keys

Every caller needs a key. Create one with `inferd keys create alice`; it is shown once and stored
only as a hash. To revoke a key, run `inferd keys revoke` with its name: the change acts at once,
also on streams that are running. Keys may expire on a date.

## Limits

A key can be limited to a number of requests per minute, of tokens per day and of dollars per
month. A caller over a limit gets status 429 and is told when to come back. Limits live in memory
and are shared between the processes of a node.

```toml
[limits]
requests_per_minute = 60

# a blank line above, and no heading here
```
"""
PEERS = """# Peers

Two nodes become peers when each trusts the other's id. Exchange the ids, and name the models that
the peer may use: nothing is shared by default. Traffic between peers is encrypted end to end and
counted, and trust can be withdrawn at any time.
"""
OFF_TOPIC = [
    "What is the capital of France?",
    "Write me a poem about the sea.",
    "Give me a recipe for pancakes.",
    "Who won the football world cup in 1998?",
    "How do I train my dog?",
    "What is 2+2?",
    "tell me a joke",
    "How much does it cost?",
]
GREETINGS = ["hello", "Hello!", "Hi there", "good morning", "help", "What can you do?", "thanks!"]
TABLE = """# Keys of the file

The file has tables.

| key | meaning | default |
|---|---|---|
| `port` | where to listen, `a \\| b` | 8000 |
| `host` | | 127.0.0.1 |

<!-- Written by a script, not to be read -->

![a picture](images/run.png)

More about keys.

| status | body |
| :-- | --: |
| 404 | nothing is there |
"""


@pytest.fixture(scope="module")
def passages() -> list[Passage]:
    return split("docs/keys.md", KEYS) + split("docs/peers.md", PEERS)


@pytest.fixture(scope="module")
def chat(
    tmp_path_factory: pytest.TempPathFactory, minilm: MiniLM, passages: list[Passage]
) -> DocsChat:
    folder = tmp_path_factory.mktemp("docs")
    vectors = minilm.embed([passage.searchable for passage in passages])
    docs_chat.write_index(folder, passages, vectors)
    return DocsChat(folder, minilm)


def asked(question: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": question}]


def quoted(text: str) -> list[str]:
    """The quotations of an answer, as they stood in their files."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith(">"):
            blocks[-1].append(line[2:])
        elif blocks[-1]:
            blocks.append([])
    return ["\n".join(block) for block in blocks if block]


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("How do I revoke a key?", "docs/keys.md § Keys"),
        ("Can I limit the requests per minute?", "docs/keys.md § Keys › Limits"),
        ("How do two nodes come to trust each other?", "docs/peers.md § Peers"),
        ("is the traffic between peers encrypted", "docs/peers.md § Peers"),
    ],
)
def test_a_question_is_answered_by_quoting_its_source(
    chat: DocsChat, question: str, source: str
) -> None:
    answer = finish(chat.answer(asked(question)))
    assert answer.sources[0] == source
    assert answer.text.startswith("I quote inferd's documentation; I don't generate text.")
    assert f"— {source}" in answer.text
    assert quoted(answer.text)
    for quotation in quoted(answer.text):
        assert quotation in KEYS or quotation in PEERS


@pytest.mark.parametrize("question", OFF_TOPIC)
def test_other_questions_are_declined_with_what_to_do(chat: DocsChat, question: str) -> None:
    answer = finish(chat.answer(asked(question)))
    assert answer.sources == ()
    assert not quoted(answer.text)
    assert "[[backends]]" in answer.text
    assert "base_url" in answer.text


@pytest.mark.parametrize("question", GREETINGS)
def test_a_greeting_is_told_what_to_ask(chat: DocsChat, question: str) -> None:
    answer = finish(chat.answer(asked(question)))
    assert answer.text == docs_chat.GREETING
    assert len(answer.text.splitlines()) == 1
    assert answer.sources == ()
    assert answer.output_tokens > 0


@pytest.mark.parametrize(
    ("question", "heading", "words"),
    [
        ("What is inferd?", "What is inferd?", "one daemon"),
        ("Is my data sent to anyone?", "Is my data sent to anyone?", "reports to nobody"),
        ("Does it phone home?", "Is my data sent to anyone?", "reports to nobody"),
        ("Is there telemetry?", "Is my data sent to anyone?", "switched off"),
        ("Who can see what I ask?", "Who can see what I ask?", "Seen by"),
        ("Can I run llama 3 here?", "Can I run Llama 3", "as a backend"),
        ("Can it make images?", "Can it make images", "Not with the models"),
        ("Which models can I run?", "Which models can I run?", "minilm"),
        ("How long may a text be?", "How long may a text be?", "4,096"),
        ("How do I change the port?", "How do I change the port?", "9000"),
        ("Does it need a GPU?", "Does it need a GPU", "No."),
        ("Where are prompts stored?", "Where is my data stored?", "not stored"),
        ("Does it find Ollama by itself?", "Does it find Ollama by itself?", "within a minute"),
        ("How do I use it over WebSocket?", "How do I use it over WebSocket?", "/ws/me"),
        ("How do I connect Claude over MCP?", "How do I connect Claude", "claude mcp add"),
        ("How do I add my own script as a backend?", "How do I use my own script", "cli_tool"),
        ("What happens if a backend fails?", "What happens if a backend fails?", "The next one"),
        ("Where does inferd.toml go?", "Where does inferd.toml go?", "./inferd.toml"),
        ("How do I give a model another name?", "How do I give a model another name", "route"),
        ("How do I add a backend?", "How do I add a backend?", "at once"),
    ],
)
def test_what_people_ask_first_is_answered_from_the_built_index(
    data: Path, minilm: MiniLM, question: str, heading: str, words: str
) -> None:
    answer = finish(DocsChat(data, minilm).answer(asked(question)))
    assert answer.sources[0].startswith(f"docs/questions.md § Questions › {heading}")
    assert words in quoted(answer.text)[0]


@pytest.mark.parametrize("question", OFF_TOPIC)
def test_the_built_index_declines_the_rest(data: Path, minilm: MiniLM, question: str) -> None:
    assert finish(DocsChat(data, minilm).answer(asked(question))).sources == ()


def test_the_built_index_holds_prose_and_code_only(data: Path) -> None:
    for row in json.loads((data / "docs.json").read_bytes()):
        assert "<!--" not in row["text"]
        assert not row["text"].startswith(("|", "!["))


def test_a_table_is_told_row_by_row_and_comments_are_left_out() -> None:
    assert [passage.text for passage in split("a.md", TABLE)] == [
        "The file has tables.\n\n"
        "- `port` — meaning: where to listen, `a | b`; default: 8000\n"
        "- `host` — default: 127.0.0.1",
        "More about keys.\n\n- 404: nothing is there",
    ]


def test_the_last_thing_the_user_said_is_what_counts(chat: DocsChat) -> None:
    talk: list[dict[str, object]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "I can't say."},
        {"role": "user", "content": [{"type": "text", "text": "How do I revoke a key?"}]},
    ]
    assert finish(chat.answer(talk)).sources[0] == "docs/keys.md § Keys"


def test_the_pieces_of_a_stream_make_up_the_text(chat: DocsChat, minilm: MiniLM) -> None:
    answer = finish(chat.answer(asked("How do I revoke a key?")))
    pieces = list(answer.pieces())
    assert len(pieces) > 40
    assert "".join(pieces) == answer.text
    assert answer.output_tokens == minilm.count_tokens(answer.text)
    assert answer.input_tokens == minilm.read(["How do I revoke a key?"]).tokens


def test_without_a_question_there_is_no_answer(chat: DocsChat) -> None:
    with pytest.raises(InvalidRequest, match="nothing from the user"):
        finish(chat.answer([{"role": "system", "content": "Be brief."}]))
    with pytest.raises(InvalidRequest, match="the last user message is empty"):
        finish(chat.answer(asked(" ")))
    with pytest.raises(InvalidRequest, match="must be a text, not NoneType"):
        finish(chat.answer([{"role": "user"}]))


def test_an_empty_index_declines(tmp_path: Path, minilm: MiniLM) -> None:
    docs_chat.write_index(tmp_path, [], np.empty((0, 384), np.float32))
    assert finish(DocsChat(tmp_path, minilm).answer(asked("What is inferd?"))).sources == ()


def test_a_missing_index_says_what_to_run(tmp_path: Path, minilm: MiniLM) -> None:
    chat = DocsChat(tmp_path, minilm)
    assert not chat.is_present
    with pytest.raises(ModelDataMissing, match="make setup"):
        finish(chat.answer(asked("What is inferd?")))


def test_passages_are_slices_of_their_file(passages: list[Passage]) -> None:
    assert all(passage.text in KEYS or passage.text in PEERS for passage in passages)
    assert [passage.heading for passage in passages] == ["Keys", "Keys › Limits", "Peers"]


def test_a_code_block_stays_with_its_text_and_whole(passages: list[Passage]) -> None:
    assert passages[1].text.endswith("# a blank line above, and no heading here\n```")


def test_long_sections_are_cut_between_paragraphs_and_lines() -> None:
    paragraphs = "\n\n".join(f"{number} " + "word " * 59 for number in range(6))
    lines = "\n".join(f"- {number} " + "word " * 28 for number in range(20))
    found = split("a.md", f"# A\n\n{paragraphs}\n\n# B\n\n{lines}\n")
    sizes = [len(passage.text.split()) for passage in found]
    assert all(40 <= size <= 150 for size in sizes)
    assert {passage.heading for passage in found} == {"A", "B"}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["# A", "## B", "", "word " * 30, "```", "- item", "~~~", "#no heading"]),
        max_size=30,
    )
)
def test_nothing_is_lost_but_headings_and_blank_lines(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = split("a.md", text)
    assert all(passage.text in text for passage in found)
    kept = "".join(passage.text for passage in found)
    assert kept.count("word") == text.count("word")
    assert kept.count("item") == text.count("item")
