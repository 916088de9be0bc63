"""Traps: each is found in a file that has it, and in no file that has not; files are made by the schema."""

from collections.abc import Sequence

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

from compress.export.accelerators import DOCUMENTED, LITERT_GPU
from compress.export.delegates import Delegated, report_lines
from compress.export.traps import Trap, gpu_traps, graph_of, lines_of, npu_traps

FLOAT, INT16 = schema.TensorType.FLOAT32, schema.TensorType.INT16
Step = tuple[str, Sequence[int], Sequence[int]]  # operator, tensors in, tensors out


def tflite(shapes: Sequence[Sequence[int]], steps: Sequence[Step], outputs: Sequence[int], **more: object) -> bytes:
    """A file whose first tensor is its input; `constant` tensors have values, `types` are of tensors that differ."""
    constant, types = more.get("constant", ()), dict(more.get("types", {}))
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [0], list(outputs)
    for number, shape in enumerate(shapes):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        buffer.data = np.zeros(4, np.uint8) if number in constant else None
        tensor.name, tensor.shape, tensor.type = str(number), list(shape), types.get(number, FLOAT)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
        graph.tensors.append(tensor)
    for name, given, made in steps:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        number = getattr(schema.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        operator.opcodeIndex = len(model.operatorCodes)
        operator.inputs, operator.outputs = list(given), list(made)
        if name == "MIRROR_PAD":
            operator.builtinOptionsType = schema.BuiltinOptions.MirrorPadOptions
            operator.builtinOptions = schema.MirrorPadOptionsT()
            operator.builtinOptions.mode = more["mode"]
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def traps(content: bytes) -> dict[str, str]:
    return {trap.operator: trap.says for trap in gpu_traps(graph_of(content), LITERT_GPU)}


IMAGE = [1, 8, 8, 4]
MIRROR = schema.MirrorPadMode


@pytest.mark.parametrize(
    ("content", "operator", "says"),
    [
        (tflite([IMAGE] * 3, [("ADD", [0, 0], [1]), ("RELU", [1], [2])], [1, 2]), "ADD", "output of the file and used"),
        (tflite([IMAGE] * 2, [("SUB", [0, 0], [1])], [1]), "SUB", "two equal inputs, which stays outside"),
        (tflite([IMAGE] * 2, [("RELU_0_TO_1", [0], [1])], [1]), "RELU_0_TO_1", "round in half precision"),
        (
            tflite([IMAGE, [4, 2], IMAGE], [("MIRROR_PAD", [0, 1], [2])], [2], constant=[1], mode=MIRROR.REFLECT),
            "MIRROR_PAD",
            "by most NPUs not",
        ),
        (
            tflite([IMAGE, [4, 2], IMAGE], [("MIRROR_PAD", [0, 1], [2])], [2], constant=[1], mode=MIRROR.SYMMETRIC),
            "MIRROR_PAD",
            "repeats the edge",
        ),
        (
            tflite([IMAGE, [1, 8, 8, 2, 2, 1]], [("RESHAPE", [0], [1])], [1]),
            "RESHAPE",
            "has 6 axes (a pixel shuffle?)",
        ),
        (
            tflite([[1, 4, 4, 999], [8, 3, 3, 999], [1, 4, 4, 8]], [("CONV_2D", [0, 1], [2])], [2], constant=[1]),
            "CONV_2D",
            "sums up 8991 values",
        ),
        (tflite([[1, 64, 64, 4], [1, 1, 1, 4]], [("MEAN", [0], [1])], [1]), "MEAN", "sums up 4096 values"),
        (tflite([IMAGE] * 2, [("RELU", [0], [1])], [1], types={1: INT16}), "RELU", "holds INT16"),
        (
            tflite([IMAGE] * 4, [("GREATER", [0, 1], [2]), ("RELU", [2], [3])], [3]),
            "GREATER",
            "only where one CAST or SELECT",
        ),
    ],
)
def test_what_a_gpu_trips_over_is_named_by_its_operator(content: bytes, operator: str, says: str) -> None:
    assert says in traps(content)[operator]


@pytest.mark.parametrize(
    "content",
    [
        tflite([IMAGE] * 3, [("ADD", [0, 0], [1]), ("RELU", [1], [2])], [2]),
        tflite([IMAGE] * 4, [("ADD", [0, 1], [2]), ("RELU", [2], [3])], [3]),
        tflite([IMAGE] * 4, [("GREATER", [0, 1], [2]), ("SELECT", [2, 0, 1], [3])], [3]),
        tflite([IMAGE, [1, 16, 16, 1]], [("DEPTH_TO_SPACE", [0], [1])], [1]),
        tflite([[1, 8, 8, 64], [64, 3, 3, 64], [1, 8, 8, 64]], [("CONV_2D", [0, 1], [2])], [2], constant=[1]),
        tflite([IMAGE, [8], IMAGE], [("RELU", [0], [2])], [2], constant=[1], types={1: INT16}),
    ],
)
def test_a_graph_without_traps_has_none(content: bytes) -> None:
    assert {says for says in traps(content).values() if "older delegates" not in says} == set()


def network(sides: Sequence[object], quantized: bool, axes: int = 4) -> onnx.ModelProto:
    nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=list(range(axes)))]
    if quantized:
        nodes.append(helper.make_node("QuantizeLinear", ["t", "scale"], ["y"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(sides)) for name in "xy"]
    return helper.make_model(helper.make_graph(nodes, "a", ends[:1], ends[1:]))


def test_an_npu_takes_quantized_graphs_of_fixed_sizes_only() -> None:
    def said(model: onnx.ModelProto) -> list[str]:
        return list(lines_of(npu_traps(model, "npu")))

    any_size = network([1, 3, "h", "w"], quantized=True)
    assert said(network([1, 3, 8, 8], quantized=True)) == []
    assert said(any_size) == ["  npu: takes graphs of fixed sizes only: export it with --to onnx-fixed"]
    assert said(network([1, 3, 8, 8], quantized=False)) == [
        "  npu: takes quantized graphs: this one is float; export the int8 network"
    ]
    (shuffle,) = said(network([1, 8, 8, 2, 2, 3], quantized=True, axes=6))
    assert shuffle.startswith("  npu: 1 x Transpose has more than 5 axes")


def test_a_report_names_the_date_of_the_source_and_every_trap() -> None:
    one = Delegated("a.tflite", "XNNPACK", 1, (), {LITERT_GPU: ()}, {}, (Trap(LITERT_GPU, "SUB", 2, "has two"),))
    lines = report_lines([one], {})
    assert lines[1] == f"  {LITERT_GPU}, by its source of 2026-08-21, not run: all operators are on its list"
    assert lines[2] == f"  {LITERT_GPU}: 2 x SUB has two"


def test_every_operator_on_the_gpus_list_is_one_of_the_schema() -> None:
    (gpu,) = [one for one in DOCUMENTED if one.name == LITERT_GPU]
    assert gpu.operators <= set(vars(schema.BuiltinOperator))
    assert len(gpu.operators) == 80
