"""Who asks."""

import pytest

from inferd.core.errors import RateLimited, Unauthenticated
from inferd.core.request import OWNER
from inferd.gateway.admission.credentials import Credentials, Login
from inferd.gateway.admission.tries import GUESSES
from tests.clocks import HandClock


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def test_an_open_loopback_node_takes_its_caller_for_the_owner() -> None:
    assert Credentials([], owner_token="t", clock=HandClock()).identify(None, ambient=True) == OWNER


def test_without_a_loopback_connection_nobody_is_the_owner_unproved() -> None:
    with pytest.raises(Unauthenticated):
        Credentials([], owner_token="t", clock=HandClock()).identify(None, ambient=False)


def test_with_a_secret_set_loopback_is_no_longer_enough() -> None:
    with pytest.raises(Unauthenticated):
        Credentials(["s3cret"], owner_token="t", clock=HandClock()).identify(None, ambient=True)


def test_every_secret_of_several_is_good_so_that_they_can_rotate() -> None:
    credentials = Credentials(["old-one", "new-one"], owner_token="t", clock=HandClock())
    old = credentials.identify(bearer("old-one"), ambient=False)
    new = credentials.identify(b"bearer  new-one", ambient=False)
    assert old.id.startswith("secret:")
    assert old != new


def test_a_principal_never_carries_its_secret() -> None:
    who = Credentials(["s3cret-word"], owner_token="t", clock=HandClock()).identify(
        bearer("s3cret-word"), ambient=False
    )
    assert "s3cret" not in repr(who)


def test_the_owner_token_is_the_owner_anywhere() -> None:
    assert (
        Credentials(["s"], owner_token="tok", clock=HandClock()).identify(
            bearer("tok"), ambient=False
        )
        == OWNER
    )


@pytest.mark.parametrize(
    "shown", [b"Bearer wrong", b"Basic c2VjcmV0", b"Bearer ", b"s3cret", b"\xff"]
)
def test_anything_else_is_refused(shown: bytes) -> None:
    with pytest.raises(Unauthenticated) as refused:
        Credentials(["s3cret"], owner_token="t", clock=HandClock()).identify(shown, ambient=True)
    assert refused.value.hint
    assert "s3cret" not in str(refused.value)


def test_a_client_that_insists_on_some_key_may_use_an_open_node() -> None:
    assert (
        Credentials([], owner_token="t", clock=HandClock()).identify(
            bearer("sk-anything"), ambient=True
        )
        == OWNER
    )


def test_with_a_login_set_loopback_is_no_longer_enough() -> None:
    login = Login(name="mira", password="words")
    with pytest.raises(Unauthenticated):
        Credentials([], owner_token="t", clock=HandClock(), login=login).identify(
            None, ambient=True
        )
    with pytest.raises(Unauthenticated):
        Credentials([], owner_token="t", clock=HandClock(), login=login).identify(
            bearer("words"), ambient=True
        )


def test_a_principal_stands_on_a_credential_that_changes_with_it() -> None:
    def standing(who: str, secret: str, name: str, password: str) -> bytes | None:
        login = Login(name=name, password=password)
        found = Credentials([secret], owner_token="t", clock=HandClock(), login=login).standing(who)
        return found[1] if found else None

    first = standing("user:mira", "s", "mira", "one")
    assert first == standing("user:mira", "other", "mira", "one")
    assert first != standing("user:mira", "s", "mira", "two")
    assert standing("user:mira", "s", "jun", "one") is None
    assert standing("secret:unknown", "s", "mira", "one") is None


def test_a_login_is_shown_without_its_password() -> None:
    assert "words" not in repr(Login(name="mira", password="words"))


def test_wrong_tokens_count_by_client_and_right_ones_do_not() -> None:
    clock = HandClock()
    credentials = Credentials(["s3cret"], owner_token="tok", clock=clock)
    for guess in range(GUESSES):
        credentials.identify(bearer("s3cret"), ambient=False, client="1.2.3.4")
        with pytest.raises(Unauthenticated):
            credentials.identify(bearer(f"wrong{guess}"), ambient=False, client="1.2.3.4")
    for shown in ("wrong", "s3cret"):
        with pytest.raises(RateLimited) as limited:
            credentials.identify(bearer(shown), ambient=False, client="1.2.3.4")
        assert limited.value.retry_after == 2
    credentials.identify(bearer("s3cret"), ambient=False, client="5.6.7.8")
    assert credentials.identify(bearer("tok"), ambient=False, client="1.2.3.4") == OWNER
    clock.turn(2)
    credentials.identify(bearer("s3cret"), ambient=False, client="1.2.3.4")


def test_an_old_token_that_is_shown_again_and_again_keeps_nobody_out() -> None:
    credentials = Credentials(["s3cret"], owner_token="tok", clock=HandClock())
    for _ in range(3 * GUESSES):
        for old in ("old", "older"):
            with pytest.raises(Unauthenticated):
                credentials.identify(bearer(old), ambient=False, client="1.2.3.4")
    credentials.identify(bearer("s3cret"), ambient=False, client="1.2.3.4")


def test_who_has_guessed_is_forgotten_within_a_minute_of_the_last_guess() -> None:
    clock = HandClock()
    credentials = Credentials(["s3cret"], owner_token="tok", clock=clock)
    for client, guesses in (("1.2.3.4", GUESSES), ("5.6.7.8", 1)):
        for guess in range(guesses):
            with pytest.raises(Unauthenticated):
                credentials.identify(bearer(f"wrong{guess}"), ambient=False, client=client)
    who = credentials.identify(bearer("s3cret"), ambient=False, client="9.9.9.9")
    assert credentials.may_ask(who, ambient=False, client="9.9.9.9")
    assert len(credentials.guessers) == 2
    clock.turn(60)
    # Anybody's request will do, the owner's too, that is never kept out.
    assert credentials.may_ask(OWNER, ambient=False, client="9.9.9.9")
    assert not credentials.guessers


def test_who_has_guessed_is_forgotten_as_others_guess() -> None:
    clock = HandClock()
    credentials = Credentials(["s3cret"], owner_token="tok", clock=clock)
    for client in ("1.2.3.4", "5.6.7.8", "9.9.9.9"):
        with pytest.raises(Unauthenticated):
            credentials.identify(bearer("wrong"), ambient=False, client=client)
        clock.turn(2)
    assert [*credentials.guessers] == ["9.9.9.9"]
