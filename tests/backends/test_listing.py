"""Lists of models, as nodes and other servers of OpenAI's API write them."""

from contextlib import suppress

import pytest
from hypothesis import given

from inferd.backends._http import Listed, decode_listing
from inferd.core.backend import Model
from inferd.core.errors import BackendFailed
from inferd.wire.openai_chat import encode_models
from tests.wire.given import junk


def test_a_nodes_own_list_is_read_back() -> None:
    models = [
        Model(id="a", tasks=frozenset({"chat"}), aliases=("b",)),
        Model(id="c", tasks=frozenset()),
    ]
    rows = [Listed(name=each.id, tasks=each.tasks, aliases=each.aliases) for each in models]
    assert decode_listing(encode_models(models)) == rows


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[{"id":"a"},1,{}]}',
        b'[{"id":"a","tasks":7}]',
        b'{"models":[{"name":"a","aliases":[1]}]}',
        b'{"data":[{"id":"a","aliases":["x\\ny"]},{"id":"b\\nc"},{"id":"%b"}]}' % (b"x" * 257),
    ],
)
def test_what_is_no_name_is_left_out(body: bytes) -> None:
    assert decode_listing(body) == [Listed(name="a")]


@given(junk)
def test_no_list_is_a_failure_of_the_backend(body: bytes) -> None:
    with suppress(BackendFailed):
        decode_listing(body)
    with pytest.raises(BackendFailed):
        decode_listing(b'{"data":1}')
