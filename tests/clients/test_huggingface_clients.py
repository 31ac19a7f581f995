"""Hugging Face's own clients against two nodes: this one, and one behind it that sees and hears."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environments import HERE, ROOT, node_program, node_with, python_with, run
from tests.clients.judging import agrees, rows_of
from tests.clients.scripted_node import png, wav
from tests.node.nodes import RunningNode, run_node

pytestmark = [pytest.mark.extra, pytest.mark.timeout(400)]

ECHO = """
[[backends]]
name = "pretend"
kind = "echo"
models = ["acme/echo"]
"""
QUOTED = "Model servers on this machine at their usual ports are found by themselves."
STORY = "Once upon a time"
SURE = {"label": "6x3", "score": 0.9}
HEARD = "2 seconds of silence"
SPAN = {"entity_group": "PER", "score": 0.99, "word": "Sarah", "start": 11, "end": 16}
CELL = {"answer": "700000", "coordinates": [[0, 1]], "cells": ["700000"], "aggregator": "NONE"}
WORD = {"score": 0.7, "token": 812, "token_str": " capital", "sequence": "Paris is the capital."}
BOX = {"xmin": 0, "ymin": 0, "xmax": 6, "ymax": 3}
CLIP = [{"label": "a cat", "score": 1}, {"label": "a dog", "score": 0.5}]

# What the node's own models answer is looked at by test_its_own_models; a number says how long
# a vector is, a text is contained, anything else is the very answer (with more keys, in objects).
PYTHON: dict[str, object] = {
    "feature_extraction": [384],
    "chat_completion": QUOTED,
    "chat_completion(model=…)": QUOTED,
    "chat_completion at /models/ID": QUOTED,
    "chat_completion(stream=True)": QUOTED,
    "text_classification(…)": [{"label": "POSITIVE"}, {"label": "something else"}],
    "token_classification": [SPAN],
    "fill_mask": [WORD],
    "summarization": "A long tex",
    "translation": {"translation_text": "Guten Morgen"},
    "table_question_answering": CELL,
    "tabular_classification": [2],
    "text_generation": STORY,
    "text_generation(details=True)": STORY,
    "text_generation(stream=True)": ["Once", " upon", " a", " time", ""],
    "text_generation(stream=True, details=True)": [STORY, "length"],
    "image_classification": [SURE, {"label": "something else"}],
    "image_classification(top_k=1)": [SURE],
    "image_classification(path)": "6x3",
    "object_detection": [{"label": "cat", "box": BOX}],
    "image_segmentation": [["sky", "PNG", 6, 3]],
    "image_to_text": "a picture, 6 wide and 3 high",
    "zero_shot_image_classification": CLIP,
    "visual_question_answering": [{"answer": "6"}],
    "document_question_answering": [{"answer": "3", "start": 3, "end": 4}],
    "text_to_image": ["PNG", 16, 4],
    "image_to_image": ["PNG", 6, 3],
    "automatic_speech_recognition": HEARD,
    "automatic_speech_recognition(extra_body=…)": HEARD,
    "audio_classification": [{"label": HEARD}, {"label": "something else"}],
    "text_to_speech": ["RIFF", "WAVE"],
    "AsyncInferenceClient": [[384], STORY],
    "model=…/hf-inference/models/ID": "POSITIVE",
    "get_endpoint_info": "sentence-transformers/all-MiniLM-L6-v2",
    "health_check": True,
    "refused: unknown model": ["HfHubHTTPError", 404, "no such model"],
    "refused: unclear task": ["BadRequestError", 400, "name the task: POST /models/acme/echo"],
    "refused: no picture": ["BadRequestError", 400, "is no image, sound or film"],
    "refused: too long": ["HfHubHTTPError", 413, "raise server.max_body"],
    "refused: too little": ["BadRequestError", 400, "sentences must be a list of texts"],
}
JAVASCRIPT: dict[str, object] = {
    "featureExtraction": 384,
    "chatCompletion": QUOTED,
    "chatCompletion at /v1": QUOTED,
    "chatCompletionStream": QUOTED,
    "textClassification({…})": [{"label": "POSITIVE"}, {"label": "something else"}],
    "tokenClassification": [SPAN],
    "fillMask": [WORD],
    "summarization": {"summary_text": "A long tex"},
    "translation": {"translation_text": "Guten Morgen"},
    "tableQuestionAnswering": CELL,
    "tabularClassification": [2],
    "textGeneration": {"generated_text": STORY},
    "textGenerationStream": [["Once", " upon", " a", " time", ""], STORY],
    "imageClassification": [SURE, {"label": "something else"}],
    "objectDetection": [{"label": "cat", "box": BOX}],
    "imageSegmentation": ["sky", True],
    "imageToText": {"generated_text": "a picture, 6 wide and 3 high"},
    "zeroShotImageClassification": CLIP,
    "visualQuestionAnswering": {"answer": "6"},
    "documentQuestionAnswering": {"answer": "3", "start": 3, "end": 4},
    "textToImage": ["image/png", 16, 4],
    "imageToImage": ["image/png", 6, 3],
    "imageToImage({inputs})": ["image/png", 6, 3],
    "automaticSpeechRecognition": {"text": HEARD},
    "audioClassification": [{"label": HEARD}, {"label": "something else"}],
    "textToSpeech": ["audio/wav", "RIFF", "WAVE"],
    "refused: unknown model": ["ProviderApiError", 404, "no such model"],
    "refused: unclear task": ["ProviderApiError", 400, "name the task: POST /models/acme/echo"],
    "refused: no picture": ["ProviderApiError", 400, "said to be image/png"],
    "refused: too little": ["ProviderApiError", 400, "sentences must be a list of texts"],
}
OWN = {
    "sentence similarity",
    "text classification",
    "zero shot classification",
    "question answering",
}


@pytest.fixture(scope="module")
def remote() -> Iterator[str]:
    """The node behind: a process that speaks its wire."""
    command = [sys.executable, HERE / "scripted_node.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def node(remote: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    environment = {
        "REMOTE_INFERENCE_ENABLED": "true",
        "REMOTE_INFERENCE_TOKEN": "SUPERSECRET",
        "REMOTE_INFERENCE_ENDPOINT": f"{remote}/inference",
    }
    with run_node(tmp_path_factory.mktemp("node"), environment, toml=ECHO) as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A picture and a sound."""
    folder = tmp_path_factory.mktemp("files")
    picture, sound = folder / "picture.png", folder / "sound.wav"
    picture.write_bytes(png(6, 3))
    sound.write_bytes(wav(2))
    return picture, sound


@pytest.fixture(scope="module")
def python(node: RunningNode, files: tuple[Path, Path]) -> dict[str, Any]:
    """What huggingface_hub met."""
    script = HERE / "huggingface_hub_client.py"
    shown = run(python_with("huggingface_hub"), script, node.url, *files, HF_HUB_OFFLINE="0")
    return json.loads(shown.splitlines()[-1])


@pytest.fixture(scope="module")
def javascript(node: RunningNode, files: tuple[Path, Path]) -> dict[str, Any]:
    """What @huggingface/inference met."""
    script = node_with("huggingface_inference")
    return json.loads(run(node_program(), script, node.url, *files).splitlines()[-1])


@pytest.mark.parametrize("call", PYTHON)
def test_huggingface_hub(python: dict[str, Any], call: str) -> None:
    assert agrees(python[call].get("value"), PYTHON[call]), python[call]


@pytest.mark.parametrize("call", JAVASCRIPT)
def test_huggingface_inference(javascript: dict[str, Any], call: str) -> None:
    assert agrees(javascript[call].get("value"), JAVASCRIPT[call]), javascript[call]


@pytest.mark.parametrize("client", ["python", "javascript"])
def test_its_own_models_answer_both_clients(client: str, request: pytest.FixtureRequest) -> None:
    met = {spoken(name): said for name, said in request.getfixturevalue(client).items()}
    near, far = met["sentence similarity"]["value"]
    assert near > 0.7 > far
    assert met["text classification"]["value"][0]["label"] == "positive"
    assert [row["label"] for row in met["zero shot classification"]["value"]] == [
        "access",
        "billing",
    ]
    assert met["question answering"]["value"]["answer"] == "Oslo"


def test_nothing_that_a_client_met_goes_unlooked_at(
    python: dict[str, Any], javascript: dict[str, Any]
) -> None:
    assert {spoken(name) for name in python.keys() - PYTHON.keys()} <= OWN
    assert {spoken(name) for name in javascript.keys() - JAVASCRIPT.keys()} <= OWN


def test_the_table_in_the_documentation_says_what_was_met(
    python: dict[str, Any], javascript: dict[str, Any]
) -> None:
    table = (ROOT / "docs" / "clients.md").read_text()
    for met, column in ((python, 1), (javascript, 2)):
        rows = {cells[column] for cells in rows_of(table) if len(cells) > column}
        missing = {
            name for name in met if not name.startswith("refused") and f"`{name}`" not in rows
        }
        assert not missing


def spoken(name: str) -> str:
    """A call's name, as both clients would say it."""
    return re.sub(r"(?<=[a-z])([A-Z])", r" \1", name).replace("_", " ").lower()
