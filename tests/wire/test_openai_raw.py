"""Bodies that pass through: only what has to be said otherwise is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import InvalidRequest
from inferd.wire.openai_raw import with_model
from inferd.wire.openai_stream_usage import with_usage

TEXTS = st.text(max_size=8) | st.sampled_from(['"model"', '\\"model\\"', "model", "a/b"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.just("include_usage"), inner, max_size=3)
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(["model", "messages", "x", "stream_options"]), VALUES)


@given(body=BODIES, model=TEXTS, spread=st.booleans(), plain=st.booleans())
def test_only_the_model_changes(
    body: dict[str, object], model: str, spread: bool, plain: bool
) -> None:
    sent = json.dumps(body, indent=1 if spread else None, ensure_ascii=not plain).encode(
        errors="replace"
    )
    read = json.loads(sent)
    model = model.encode(errors="replace").decode()
    assert json.loads(with_model(sent, model)) == read | {"model": model}


def test_every_other_byte_stays() -> None:
    body = b'{ "odd" : 1.0,\n "model" : "ours/a",  "text": "\\u0041 \\"model\\"" }\n'
    assert with_model(body, "b") == body.replace(b'"ours/a"', b'"b"')


@pytest.mark.parametrize(
    "body",
    [
        b'{"mod\\u0065l":"a","x":{"model":"n"}}',
        b'{"x":{"model":"a"},"mod\\u0065l":"a"}',
        b'{"model":"a","model":"b"}',
        b'{"x":"\\"model\\"","model":"a"}',
        b'{"model":null}',
        b"{}",
        b'{"x":["model"],"model":"a"}',
        b'{"x":{"model":"a"}}',
        b'{"model":["a"]}',
    ],
)
def test_a_name_whose_place_is_in_doubt_is_set_all_the_same(body: bytes) -> None:
    document = json.loads(body)
    assert json.loads(with_model(body, "new")) == document | {"model": "new"}


@pytest.mark.parametrize("body", [b"", b"[]", b'"model"', b'{"model":"a"', b"\xff"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        with_model(body, "b")


@given(body=BODIES, spread=st.booleans())
def test_a_stream_is_asked_for_its_usage_and_nothing_else_changes(
    body: dict[str, object], spread: bool
) -> None:
    sent = json.dumps(body, indent=1 if spread else None).encode() + b" \n"
    read, asked = json.loads(sent), json.loads(with_usage(sent))
    options = read.get("stream_options")
    more = options if isinstance(options, dict) else {}
    if more.get("include_usage") is not True:
        assert asked == read | {"stream_options": {**more, "include_usage": True}}
    else:
        assert with_usage(sent) is sent


def test_a_question_is_put_at_the_end_of_the_body() -> None:
    body = b'{"model": "a",  "x": 1.0}\n'
    asked = b'{"model": "a",  "x": 1.0,"stream_options":{"include_usage":true}}'
    assert with_usage(body) == asked
