"""What HTTP says of an answer that was kept."""

from inferd.core.answer import Served
from inferd.frontends._http.relay import provenance


def test_an_answer_that_was_kept_says_since_when() -> None:
    said = provenance(Served(source="local", backend="here", age=12.4), "acme/one")
    assert b"x-inference-cache: hit; age=12\r\n" in said


def test_one_that_was_made_now_says_nothing_of_it() -> None:
    assert b"cache" not in provenance(Served(source="local", backend="here"), "acme/one")


def test_ages_arent_remembered() -> None:
    served = Served(source="local", backend="here", age=1.0)
    first = provenance(served, "acme/one")
    assert provenance(served, "acme/one") is not first
