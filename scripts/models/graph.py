"""Write MiniLM as an ONNX graph, straight from its weights: no torch, no exporter.

Matrices become blocks of 32 eight-bit integers with a scale each (`MatMulNBits`), the word table
one scale a row. The same weights always give the same bytes. With `quantised=False` the graph
computes in plain 32-bit floats: that is the reference the tests compare with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

BLOCK = 32
OPSET = 17
IR_VERSION = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes that a BERT's `config.json` states."""

    hidden: int
    heads: int
    layers: int
    epsilon: float

    @classmethod
    def of(cls, config: Mapping[str, object]) -> "Shape":
        """Read the sizes."""
        return cls(
            hidden=int(str(config["hidden_size"])),
            heads=int(str(config["num_attention_heads"])),
            layers=int(str(config["num_hidden_layers"])),
            epsilon=float(str(config["layer_norm_eps"])),
        )


class Graph:
    """Nodes and constants in the order they were added."""

    def __init__(self, *, quantised: bool) -> None:
        self._quantised = quantised
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Keep an array; a name given twice is kept once."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, name: str, *values: int) -> str:
        """Keep a short list of integers, such as axes."""
        return self.constant(name, np.array(values, np.int64))

    def number(self, name: str, value: float) -> str:
        """Keep one number."""
        return self.constant(name, np.array(value, np.float32))

    def add(
        self, operator: str, inputs: Sequence[str], domain: str = "", **attributes: object
    ) -> str:
        """Add a node with one output and return that output's name."""
        return self.split(operator, inputs, 1, domain, **attributes)[0]

    def split(
        self,
        operator: str,
        inputs: Sequence[str],
        count: int,
        domain: str = "",
        **attributes: object,
    ) -> list[str]:
        """Add a node with several outputs and return their names."""
        number = len(self._nodes)
        outputs = [f"t{number}_{index}" for index in range(count)]
        node = helper.make_node(operator, inputs, outputs, name=f"n{number}", domain=domain)
        node.attribute.extend(
            helper.make_attribute(name, value) for name, value in sorted(attributes.items())
        )
        self._nodes.append(node)
        return outputs

    def linear(self, x: str, name: str, weight: Floats, bias: Floats) -> str:
        """Multiply by a matrix given as (out, in), and add."""
        if self._quantised:
            rows, columns = weight.shape
            values, scales = _quantise_blocks(weight)
            product = self.add(
                "MatMulNBits",
                [x, self.constant(f"{name}.q", values), self.constant(f"{name}.s", scales)],
                domain="com.microsoft",
                K=columns,
                N=rows,
                bits=8,
                block_size=BLOCK,
                accuracy_level=4,
            )
        else:
            product = self.add("MatMul", [x, self.constant(f"{name}.w", weight.T)])
        return self.add("Add", [product, self.constant(f"{name}.b", bias)])

    def rows(self, name: str, table: Floats, ids: str) -> str:
        """Look up rows of a table."""
        if not self._quantised:
            return self.add("Gather", [self.constant(name, table), ids])
        scales = np.abs(table).max(axis=1, keepdims=True) / 127
        scales[scales == 0] = 1
        values = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
        row = self.add("Gather", [self.constant(f"{name}.q", values), ids])
        scale = self.add("Gather", [self.constant(f"{name}.s", scales.astype(np.float32)), ids])
        return self.add("Mul", [self.add("Cast", [row], to=TensorProto.FLOAT), scale])

    def model(self, outputs: Sequence[tuple[str, str, Sequence[str | int]]]) -> ModelProto:
        """Close the graph: each output is (name here, name to callers, shape)."""
        for inner, outer, _ in outputs:
            self._nodes.append(helper.make_node("Identity", [inner], [outer], name=outer))
        integers = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        floats = [
            helper.make_tensor_value_info(outer, TensorProto.FLOAT, shape)
            for _, outer, shape in outputs
        ]
        graph = helper.make_graph(
            self._nodes, "minilm", integers, floats, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="inferd")
        model.ir_version = IR_VERSION
        return model


def _quantise_blocks(weight: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Cut each row into blocks; 128 stands for zero, as MatMulNBits has it."""
    blocks = weight.reshape(weight.shape[0], -1, BLOCK)
    scales = np.abs(blocks).max(axis=2, keepdims=True) / 127
    scales[scales == 0] = 1
    values = np.clip(np.rint(blocks / scales) + 128, 0, 255).astype(np.uint8)
    return values, scales[..., 0].astype(np.float32)


def build(weights: Mapping[str, Floats], shape: Shape, *, quantised: bool = True) -> bytes:
    """Return the model: token ids and mask in, one normalised vector a text out."""
    graph = Graph(quantised=quantised)
    mask = graph.add("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    x = _embed(graph, weights, shape)
    bias = _attention_bias(graph, mask)
    for layer in range(shape.layers):
        prefix = f"encoder.layer.{layer}."
        x = _attend(graph, weights, shape, prefix, x, bias)
        x = _feed_forward(graph, weights, shape, prefix, x)
    pooled = _pool(graph, x, mask)
    model = graph.model([(pooled, "embedding", ["batch", shape.hidden])])
    return model.SerializeToString(deterministic=True)


def _embed(graph: Graph, weights: Mapping[str, Floats], shape: Shape) -> str:
    words = graph.rows("words", weights["embeddings.word_embeddings.weight"], "input_ids")
    # One segment only, so its row is added to every position once and for all.
    positions = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    length = graph.add("Shape", ["input_ids"], start=1, end=2)
    zero = graph.integers("zero", 0)
    places = graph.add("Slice", [graph.constant("positions", positions), zero, length, zero])
    total = graph.add("Add", [words, places])
    return _normalise(graph, weights, shape, "embeddings.LayerNorm", total)


def _normalise(graph: Graph, weights: Mapping[str, Floats], shape: Shape, name: str, x: str) -> str:
    scale = graph.constant(f"{name}.g", weights[f"{name}.weight"])
    shift = graph.constant(f"{name}.b", weights[f"{name}.bias"])
    return graph.add("LayerNormalization", [x, scale, shift], axis=-1, epsilon=shape.epsilon)


def _attention_bias(graph: Graph, mask: str) -> str:
    """Return 0 where there is a token and a large negative number where there is padding."""
    wide = graph.add("Unsqueeze", [mask, graph.integers("axes12", 1, 2)])
    missing = graph.add("Sub", [wide, graph.number("one", 1)])
    return graph.add("Mul", [missing, graph.number("large", 10_000)])


def _attend(
    graph: Graph, weights: Mapping[str, Floats], shape: Shape, prefix: str, x: str, bias: str
) -> str:
    inner = f"{prefix}attention.self."
    width = shape.hidden // shape.heads
    factor = np.float32(1 / np.sqrt(width))
    matrix = [weights[f"{inner}{part}.weight"] for part in ("query", "key", "value")]
    shift = [weights[f"{inner}{part}.bias"] for part in ("query", "key", "value")]
    weight = np.concatenate([matrix[0] * factor, *matrix[1:]])
    fused = graph.linear(x, f"{prefix}qkv", weight, np.concatenate([shift[0] * factor, *shift[1:]]))
    apart = graph.add("Reshape", [fused, graph.integers("apart", 0, 0, 3 * shape.heads, width)])
    headed = graph.add("Transpose", [apart], perm=[0, 2, 1, 3])
    query, key, value = graph.split(
        "Split", [headed, graph.integers("thirds", *[shape.heads] * 3)], 3, axis=1
    )
    scores = graph.add("MatMul", [query, graph.add("Transpose", [key], perm=[0, 1, 3, 2])])
    shares = graph.add("Softmax", [graph.add("Add", [scores, bias])], axis=-1)
    mixed = graph.add("Transpose", [graph.add("MatMul", [shares, value])], perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", [mixed, graph.integers("joined", 0, 0, shape.hidden)])
    output = f"{prefix}attention.output."
    out = graph.linear(
        joined,
        f"{prefix}out",
        weights[f"{output}dense.weight"],
        weights[f"{output}dense.bias"],
    )
    return _normalise(graph, weights, shape, f"{output}LayerNorm", graph.add("Add", [out, x]))


def _feed_forward(
    graph: Graph, weights: Mapping[str, Floats], shape: Shape, prefix: str, x: str
) -> str:
    up, down = f"{prefix}intermediate.dense", f"{prefix}output.dense"
    wide = graph.linear(x, f"{prefix}up", weights[f"{up}.weight"], weights[f"{up}.bias"])
    # GELU, spelt so that onnxruntime recognises and fuses it.
    scaled = graph.add("Div", [wide, graph.number("root2", float(np.sqrt(2)))])
    risen = graph.add("Add", [graph.add("Erf", [scaled]), graph.number("one", 1)])
    halved = graph.add("Mul", [graph.add("Mul", [wide, risen]), graph.number("half", 0.5)])
    out = graph.linear(halved, f"{prefix}down", weights[f"{down}.weight"], weights[f"{down}.bias"])
    total = graph.add("Add", [out, x])
    return _normalise(graph, weights, shape, f"{prefix}output.LayerNorm", total)


def _pool(graph: Graph, x: str, mask: str) -> str:
    column = graph.add("Unsqueeze", [mask, graph.integers("axis2", 2)])
    axis = graph.integers("axis1", 1)
    total = graph.add("ReduceSum", [graph.add("Mul", [x, column]), axis], keepdims=0)
    count = graph.add("ReduceSum", [column, axis], keepdims=0)
    mean = graph.add("Div", [total, count])
    return graph.add("Div", [mean, graph.add("ReduceL2", [mean], axes=[1], keepdims=1)])
