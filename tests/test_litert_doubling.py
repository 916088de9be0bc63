"""Doubling: LiteRT files say the same, bit for bit, without the operator that XNNPACK has not; made by the schema."""

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from compress.export.delegates import delegated
from compress.export.litert_doubling import without_resizes

HEIGHT, WIDTH, GIVEN, MADE = 4, 6, 3, 2
KINDS = {"float": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8}
_RANDOM = np.random.default_rng(0)
WEIGHTS = {"float": _RANDOM.normal(size=(MADE, 1, 1, GIVEN)), "int8": _RANDOM.integers(-127, 128, (MADE, 1, 1, GIVEN))}
BIASES = {"float": np.array([0.5, -1.0]), "int8": np.array([40, -300])}


class Made:
    """A .tflite file as it grows."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers, self.model.operatorCodes = 3, [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []

    def tensor(self, shape: tuple[int, ...], values: np.ndarray | None = None, scales: tuple[float, ...] = ()) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.type = str(len(self.graph.tensors)), list(shape), KINDS[self.kind]
        made.buffer = 0
        if values is not None:
            made.type = KINDS["float"] if values.dtype == np.float32 else schema.TensorType.INT32
            made.type = KINDS["int8"] if values.dtype == np.int8 else made.type
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            made.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scales and self.kind == "int8":
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = list(scales), [0] * len(scales)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, name: str, given: list[int], made: int, options: object = None) -> None:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        number = getattr(schema.BuiltinOperator, name)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 3
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.model.operatorCodes), given, [made]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def content(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        self.model.subgraphs = [self.graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def doubling(kind: str, between: str = "", also_shown: bool = False, aligned: bool = False) -> bytes:
    """A 1x1 convolution, an operator `between`, nearest upsampling; `also_shown`: what is doubled is an output too."""
    made, number = Made(kind), np.float32 if kind == "float" else np.int8
    image = made.tensor((1, HEIGHT, WIDTH, GIVEN), scales=(0.02,))
    weights = made.tensor((MADE, 1, 1, GIVEN), WEIGHTS[kind].astype(number), (0.01, 0.03))
    biases = BIASES[kind].astype(np.float32 if kind == "float" else np.int32)
    bias = made.tensor((MADE,), biases, (0.0002, 0.0006))
    low = made.tensor((1, HEIGHT, WIDTH, MADE), scales=(0.05,))
    convolved = schema.Conv2DOptionsT()
    convolved.strideH = convolved.strideW = convolved.dilationHFactor = convolved.dilationWFactor = 1
    made.operator("CONV_2D", [image, weights, bias], low, convolved)
    if between:
        last, low = low, made.tensor((1, HEIGHT, WIDTH, MADE), scales=(0.05,))
        pooled = schema.Pool2DOptionsT()
        pooled.strideH = pooled.strideW = pooled.filterWidth = pooled.filterHeight = 1
        made.operator(between, [last], low, pooled)
    sides = made.tensor((2,), np.array([2 * HEIGHT, 2 * WIDTH], np.int32))
    high = made.tensor((1, 2 * HEIGHT, 2 * WIDTH, MADE), scales=(0.05,))
    resized = schema.ResizeNearestNeighborOptionsT()
    resized.alignCorners, resized.halfPixelCenters = aligned, not aligned
    made.operator("RESIZE_NEAREST_NEIGHBOR", [low, sides], high, resized)
    return made.content([image], [high, low] if also_shown else [high])


def answers(content: bytes, kind: str) -> list[np.ndarray]:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    shape, random = (1, HEIGHT, WIDTH, GIVEN), np.random.default_rng(1)
    image = random.normal(size=shape).astype(np.float32) if kind == "float" else random.integers(-128, 128, shape)
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], image.astype(np.float32 if kind == "float" else np.int8)
    )
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]).copy() for output in interpreter.get_output_details()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("between", ["", "MAX_POOL_2D"])
@pytest.mark.parametrize("also_shown", [False, True])
def test_a_file_says_the_same_bit_for_bit_without_nearest_upsampling(kind: str, between: str, also_shown: bool) -> None:
    before = doubling(kind, between, also_shown)
    given, expected = answers(without_resizes(before), kind), answers(before, kind)
    assert all(np.array_equal(one, other) for one, other in zip(given, expected, strict=True))
    high = given[0][0]
    assert np.array_equal(high, high[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))
    assert len(np.unique(high)) > MADE * HEIGHT


@pytest.mark.parametrize(("kind", "between"), [("float", ""), ("int8", ""), ("int8", "MAX_POOL_2D")])
def test_xnnpack_takes_it_whole(kind: str, between: str, tmp_path: Path) -> None:
    path = tmp_path / "one.tflite"
    path.write_bytes(doubling(kind, between))
    assert [out.operator for out in delegated(path).outside] == ["RESIZE_NEAREST_NEIGHBOR"]
    path.write_bytes(without_resizes(path.read_bytes()))
    found = delegated(path)
    assert (found.partitions, found.outside) == (1, ())


def test_in_float_a_resize_stays_where_equal_inputs_would_stand_in_its_place() -> None:
    content = doubling("float", "MAX_POOL_2D")
    assert without_resizes(content) == content


def test_a_resize_with_aligned_corners_stays() -> None:
    content = doubling("int8", aligned=True)
    assert without_resizes(content) == content
