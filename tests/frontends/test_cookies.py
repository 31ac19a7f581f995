"""Cookies: what is ours, and everything that isn't."""

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.frontends._http.sessions import Session, Sessions, cookies_of, set_cookie
from tests.clocks import HandClock

KEY = b"k" * 32
CLOCK = HandClock()
OURS = Sessions(KEY, node="node-a", clock=CLOCK)
OWN = msgspec.structs.replace(OURS.start("user:mira", credential=b"one"), nonce="of-this-test")
TEXT = OURS.text(OWN)


def forged(body: object, signature: str = "") -> str:
    """A cookie by somebody without the key."""
    raw = base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")
    return f"{raw}.{signature or TEXT.rpartition('.')[2]}"


def test_a_session_comes_back_as_it_was() -> None:
    assert OURS.read(TEXT) == OWN
    assert Sessions(KEY, node="node-a", clock=CLOCK).read(TEXT) == OWN


def test_it_stands_on_its_credential_alone() -> None:
    assert OURS.stands_on(OWN, b"one")
    assert not OURS.stands_on(OWN, b"two")
    ambient = OURS.start("owner", credential=None)
    assert ambient.is_ambient
    assert not OURS.stands_on(ambient, b"")
    assert not OURS.start("owner", credential=b"").is_ambient


def test_another_node_s_or_another_key_s_is_none() -> None:
    assert Sessions(KEY, node="node-b", clock=CLOCK).read(TEXT) is None
    assert Sessions(b"other", node="node-a", clock=CLOCK).read(TEXT) is None


@pytest.mark.parametrize(("seconds", "lives"), [(-61, False), (-60, True), (43199, True),
                                                (43200, False)])  # fmt: skip
def test_it_lives_twelve_hours_and_not_in_the_future(seconds: float, lives: bool) -> None:
    later = Sessions(KEY, node="node-a", clock=HandClock(CLOCK.wall() + seconds))
    assert (later.read(TEXT) is not None) is lives


def test_the_two_kinds_of_cookie_are_not_taken_for_one_another() -> None:
    assert OURS.read_form(TEXT) is None
    form = OURS.start_form()
    assert OURS.read_form(OURS.form_text(form)) == form
    assert OURS.read(OURS.form_text(form)) is None


def test_tokens_belong_to_one_session() -> None:
    again = OURS.start("user:mira", credential=b"one")
    other = OURS.start("user:jun", credential=b"one")
    assert len({OURS.csrf(OWN), OURS.csrf(again), OURS.csrf(other)}) == 3
    assert OURS.csrf(OWN) not in TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        TEXT.rpartition(".")[0],
        TEXT.rpartition(".")[0] + ".",
        "." + TEXT.rpartition(".")[2],
        TEXT + "=",
        TEXT + " ",
        TEXT.upper(),
        "x" * 100_000,
        forged({"principal": "owner", "node": "node-a", "nonce": "n", "issued": 1_000_000}),
        forged([]),
        forged({"principal": 1}),
        "é" + TEXT,
    ],
)
def test_anything_else_is_no_cookie(text: str) -> None:
    assert OURS.read(text) is None


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_not_one_letter_of_it_may_be_another(place: int, letter: str) -> None:
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    assert (OURS.read(changed) is not None) is (changed == TEXT)


@given(st.text())
def test_garbage_is_no_cookie(text: str) -> None:
    assert OURS.read(text) is None
    assert OURS.read_form(text) is None


@given(st.lists(st.binary(), max_size=4))
def test_a_header_of_garbage_has_no_cookie(lines: list[bytes]) -> None:
    headers = [(b"cookie", line) for line in lines]
    assert all(OURS.read(text) is None for text in cookies_of(headers, "inferd-8000"))


@given(st.lists(st.sampled_from([b"inferd-8000=a", b"x=y", b"inferd-80=z", b"", b"inferd-8000"])))
def test_every_one_of_the_name_is_found_once(pairs: list[bytes]) -> None:
    found = cookies_of([(b"cookie", b"; ".join(pairs))], "inferd-8000")
    named = [pair for pair in pairs if pair.startswith(b"inferd-8000")]
    assert sorted(found) == sorted({pair.decode()[len("inferd-8000=") :] for pair in named})


def test_names_are_compared_whole_and_lines_are_counted_together() -> None:
    lines = [(b"cookie", b"a=1"), (b"cookie", b"b=2;a=3"), (b"other", b"b=4")]
    assert cookies_of(lines, "b") == ["2"]
    assert cookies_of(lines, "a") == ["1", "3"]


def test_a_cookie_is_for_this_host_s_http_alone() -> None:
    line = set_cookie("n", "v", seconds=5, secure=True, strict=True)
    assert line == "n=v; Path=/; Max-Age=5; HttpOnly; SameSite=Strict; Secure"


def test_a_session_that_is_half_over_is_worth_renewing() -> None:
    session = Session(principal="owner", node="node-a", nonce="n", issued=int(CLOCK.wall()))
    assert OURS.renewed(session) is None
    later = Sessions(KEY, node="node-a", clock=HandClock(CLOCK.wall() + 21600))
    renewed = later.renewed(session)
    assert renewed is not None
    assert renewed.issued == session.issued + 21600
    assert later.csrf(renewed) == later.csrf(session)
