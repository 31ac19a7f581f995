"""Misspelt parameters are told from those that only a backend knows."""

import pytest

from inferd.core.errors import InvalidRequest
from inferd.core.tasks import check, example


@pytest.mark.parametrize(
    ("task", "typed", "meant"),
    [
        ("text-classification", "topk", "top_k"),
        ("text-classification", "topK", "top_k"),
        ("text-classification", "top-k", "top_k"),
        ("text-generation", "temprature", "temperature"),
        ("text-generation", "max_new_token", "max_new_tokens"),
        ("text-generation", "repetition_penality", "repetition_penalty"),
    ],
)
def test_a_parameter_that_is_nearly_a_known_one_is_a_mistake(
    task: str, typed: str, meant: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(task, example(task), {typed: 1})
    assert str(caught.value) == f"there is no parameter called {typed}: did you mean {meant}?"
    assert caught.value.details["param"] == typed


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("chat", "top_k"),
        ("chat", "top_a"),
        ("chat", "min_p"),
        ("chat", "min_tokens"),
        ("chat", "presence_penalty"),
        ("chat", "top_logprobs"),
        ("chat", "stop_token_ids"),
        ("text-generation", "min_new_tokens"),
        ("text-generation", "frequency_penalty"),
        ("text-generation", "x" * 10_000),
        ("text-to-image", "guidance_rescale"),
        ("text-to-speech", "seed"),
        ("feature-extraction", "truncation"),
    ],
)
def test_a_parameter_of_its_own_is_passed_on(task: str, name: str) -> None:
    _, parameters = check(task, example(task), {name: 1})
    assert parameters == {name: 1}
