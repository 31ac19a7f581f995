"""Passwords, keys, and how often they may be guessed."""

import asyncio

import pytest
from argon2 import PasswordHasher

from inferd.core.errors import RateLimited
from inferd.core.request import OWNER
from inferd.gateway.admission import tries
from inferd.gateway.admission.credentials import Credentials, Login
from inferd.gateway.admission.sign_in import NotLetIn, SignIn
from inferd.gateway.admission.tries import Guesses, Tries
from tests.clocks import HandClock

pytestmark = pytest.mark.extra

HASHED = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(
    "wörter", salt=b"salt of this test"
)


def door(password: str = "wörter", *, clock: HandClock | None = None) -> SignIn:
    login = Login(name="Mira", password=password)
    clock = clock or HandClock()
    credentials = Credentials(["s3cret"], owner_token="tok", login=login, clock=clock)
    return SignIn(credentials, clock)


@pytest.mark.parametrize("configured", ["wörter", HASHED])
async def test_the_right_name_and_password_are_the_user(configured: str) -> None:
    who = await door(configured).by_password("Mira", "wörter", client="c")
    assert who.id == "user:Mira"


@pytest.mark.parametrize("configured", ["wörter", HASHED])
@pytest.mark.parametrize(
    ("name", "password"),
    [("Mira", "worter"), ("mira", "wörter"), ("", ""), ("Mira", ""), ("Mira", HASHED),
     ("Mira", "wörter "), ("é", "\x00")],
)  # fmt: skip
async def test_anything_else_is_nobody(configured: str, name: str, password: str) -> None:
    with pytest.raises(NotLetIn) as refused:
        await door(configured).by_password(name, password, client="c")
    assert refused.value.message == "that name and password don’t go together"
    assert refused.value.details == {"tries_left": 4}


async def test_an_unknown_name_costs_what_a_known_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        checked.append(str(password))
        return verify(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)
    way_in = door(HASHED)
    for name in ("Mira", "nobody"):
        with pytest.raises(NotLetIn):
            await way_in.by_password(name, f"of {name}", client="c")
    assert checked == ["of Mira", "of nobody"]


async def test_nothing_is_hashed_before_somebody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = PasswordHasher.hash

    def noted(self: PasswordHasher, password: str | bytes, *, salt: bytes | None = None) -> str:
        hashed.append(str(password))
        return real(self, password, salt=salt)

    monkeypatch.setattr(PasswordHasher, "hash", noted)
    way_in = door()
    assert hashed == []
    async with asyncio.TaskGroup() as tasks:
        for client in "abc":
            tasks.create_task(way_in.by_password("Mira", "wörter", client=client))
    assert hashed == ["wörter"]


async def test_without_a_login_no_password_is_right() -> None:
    way_in = SignIn(Credentials(["s3cret"], owner_token="tok", clock=HandClock()), HandClock())
    assert not way_in.has_login
    with pytest.raises(NotLetIn):
        await way_in.by_password("", "", client="c")


def test_keys_are_the_node_s_secrets_and_the_owner_s_token() -> None:
    assert door().by_key("tok", client="c") == OWNER
    assert door().by_key(" s3cret\n", client="c").id.startswith("secret:")
    for key in ("", "wörter", "Bearer tok"):
        with pytest.raises(NotLetIn):
            door().by_key(key, client="c")


def test_no_key_is_right_because_the_node_is_open() -> None:
    with pytest.raises(NotLetIn):
        SignIn(Credentials([], owner_token="tok", clock=HandClock()), HandClock()).by_key(
            "any", client="c"
        )


def test_the_words_count_the_tries_that_are_left() -> None:
    way_in, hints = door(), []
    for _ in range(5):
        with pytest.raises(NotLetIn) as refused:
            way_in.by_key("wrong", client="c")
        hints.append(refused.value.hint)
    assert hints == ["4 tries left", "3 tries left", "2 tries left", "1 try left", "no tries left"]
    with pytest.raises(RateLimited):
        way_in.by_key("tok", client="c")
    assert way_in.by_key("tok", client="another") == OWNER


def test_a_try_comes_back_every_minute_up_to_five() -> None:
    clock = HandClock()
    counted = Tries(clock)
    for _ in range(5):
        counted.take("c")
    clock.turn(30)
    with pytest.raises(RateLimited) as refused:
        counted.take("c")
    assert refused.value.retry_after == 30
    clock.turn(30)
    assert counted.take("c") == 0
    clock.turn(3600)
    assert counted.take("c") == 4


def test_many_clients_together_run_out_as_well() -> None:
    clock = HandClock()
    counted = Tries(clock)
    for number in range(tries.TOGETHER):
        counted.take(f"client {number}")
    with pytest.raises(RateLimited) as refused:
        counted.take("one more")
    assert refused.value.retry_after == 6
    clock.turn(6)
    assert counted.take("one more") == 4


def test_who_is_refused_because_of_others_loses_no_try() -> None:
    clock = HandClock()
    counted = Tries(clock)
    for number in range(tries.TOGETHER):
        counted.take(f"client {number}")
    for _ in range(9):
        with pytest.raises(RateLimited):
            counted.take("mira")
    clock.turn(6)
    assert counted.take("mira") == 4


def test_clients_without_end_take_no_memory_without_end() -> None:
    clock = HandClock()
    counted = Tries(clock)
    for number in range(10_000):
        clock.turn(6)
        counted.take(f"client {number}")
    assert len(counted) == 4096


def test_a_right_try_gives_back_one_and_no_more() -> None:
    counted = Tries(HandClock())
    for _ in range(4):
        counted.take("c")
    counted.take("c")
    counted.give_back("c")
    counted.give_back("nobody")
    assert counted.take("c") == 0


def test_guesses_of_few_clients_are_remembered_and_of_none_for_long() -> None:
    clock = HandClock()
    guesses = Guesses(clock)
    for number in range(5000):
        guesses.count(f"client-{number}", b"wrong")
    assert len(guesses) == 4096
    clock.turn(60)
    guesses.check("client-4999")
    assert len(guesses) == 4095
