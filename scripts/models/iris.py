"""Train the iris classifier and write it as ONNX: measurements in, label and probabilities out."""

import csv
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.softmax_regression import Fit, Floats, fit

PENALTY = 1e-3


def read_rows(path: Path) -> tuple[list[str], list[str], Floats, list[int]]:
    """Return the features' names, the labels, the measurements and each row's label."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = list(csv.reader(file))
    labels = sorted({row[-1] for row in rows})
    values = np.array([[float(value) for value in row[:-1]] for row in rows])
    return names[:-1], labels, values, [labels.index(row[-1]) for row in rows]


def train(values: Floats, classes: list[int]) -> Fit:
    """Fit on standardised measurements and fold the standardising into the weights."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    found = fit((values - mean) / spread, classes, penalty=PENALTY)
    weights = found.weights / spread[:, None]
    return Fit(weights, found.bias - mean @ weights)


def build(rows: Path) -> tuple[bytes, float]:
    """Return the model and its accuracy in ten-fold cross-validation."""
    names, labels, values, classes = read_rows(rows)
    found = train(values, classes)
    constants = [
        numpy_helper.from_array(found.weights.astype(np.float32), "weights"),
        numpy_helper.from_array(found.bias.astype(np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "iris",
        [tensor("features", TensorProto.FLOAT, ["rows", len(names)])],
        [
            tensor("label", TensorProto.INT64, ["rows"]),
            tensor("probabilities", TensorProto.FLOAT, ["rows", len(labels)]),
        ],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, producer_name="inferd")
    model.ir_version = 8
    helper.set_model_props(model, {"labels": json.dumps(labels), "features": json.dumps(names)})
    return model.SerializeToString(deterministic=True), _cross_validate(values, classes)


def _cross_validate(values: Floats, classes: list[int], folds: int = 10) -> float:
    order = np.random.default_rng(0).permutation(len(classes))
    right = 0.0
    for fold in range(folds):
        held = order[fold::folds]
        kept = np.setdiff1d(order, held)
        found = train(values[kept], [classes[index] for index in kept])
        right += found.accuracy(values[held], [classes[index] for index in held]) * len(held)
    return right / len(classes)
