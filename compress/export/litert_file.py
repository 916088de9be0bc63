"""LiteRT (.tflite): one file a size, float, float16 or int8, channels-last as phones want it.

A graph by a scheme with integer ends becomes a file with int8 ends by itself: the converter has no float operator left
to put there.
"""

import sys
from contextlib import redirect_stdout
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from compress.export.flatbuffer import code_of, packed, read
from compress.export.litert_doubling import without_resizes
from compress.quiet import quiet
from compress.runtime.about import About, texts_of
from results.files import written_whole
from search_spaces.own import AnyBlueprint


def write_litert(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """`module` (a float network or its int8 graph with unfolded weights) at `size` (height, width).

    Input `image` and output `enhanced` are (1, height, width, 3) float32. Raises ValueError without a size,
    ImportError when litert-torch is missing.
    """
    content = described(without_resizes(to_litert(module, size)), blueprint, about)
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def write_litert_uint8_ends(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """As `write_litert`, of an int8 graph by a scheme with integer ends, with uint8 ends.

    LiteRT has no uint8 kernels for weights per channel, so each end is a QUANTIZE from integers to integers.
    """
    content = described(with_uint8_ends(without_resizes(to_litert(module, size))), blueprint, about)
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def write_litert_float16(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """As `write_litert`, of a float network; its convolutions' weights are kept as float16, which halves them.

    A DEQUANTIZE operator behind each is LiteRT's own way: XNNPACK unpacks them once, when the file is opened, and a
    GPU delegate takes them as they are.
    """
    converted = without_resizes(to_litert(module, size))
    try:
        with quiet():
            from ai_edge_quantizer import qtyping
            from ai_edge_quantizer.algorithm_manager import AlgorithmName
            from ai_edge_quantizer.quantizer import Quantizer
            from ai_edge_quantizer.recipe_manager import RecipeManager
    except ImportError as error:
        raise ImportError(f"float16 LiteRT export needs {error.name}: pip install 'lpienas[export]'") from error

    recipe = RecipeManager()
    recipe.add_quantization_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
        algorithm_key=AlgorithmName.FLOAT_CASTING,
    )
    with quiet(), redirect_stdout(sys.stderr):
        cast = Quantizer(converted, recipe.get_quantization_recipe()).quantize().quantized_model
    content = described(bytes(cast), blueprint, about)
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def to_litert(module: nn.Module, size: tuple[int, int] | None) -> bytes:
    if size is None:
        raise ValueError("a LiteRT file has one size: give size=(height, width), multiples of 8")
    try:
        with quiet():
            import litert_torch
            from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
            from litert_torch.quantize.quant_config import QuantConfig
    except ImportError as error:
        raise ImportError(f"LiteRT export needs {error.name}: pip install 'lpienas[export]'") from error

    # Nothing is quantized by this: it tells the converter to turn the graph's quantize and dequantize operators into
    # integer kernels. Without it they stay beside float kernels, slower and nearly as large as the float file.
    integer_kernels = QuantConfig(
        pt2e_quantizer=PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    )
    is_int8 = isinstance(module, torch.fx.GraphModule)
    channels_last = litert_torch.to_channel_last_io(module, args=[0], outputs=[0])
    channels_last.training = False  # not by eval(), which an int8 graph refuses
    with quiet():
        converted = litert_torch.convert(
            channels_last, (torch.zeros(1, *size, 3),), quant_config=integer_kernels if is_int8 else None
        )
        content: bytes = converted.model_content()
    return content


def described(content: bytes, blueprint: AnyBlueprint, about: About | None) -> bytes:
    """The flatbuffer `content` with what it is among its named metadata, and with short names of its tensors.

    A name is the path of a torch module, repeated for all that was fused: two thirds of a small network's file.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = read(content)
    model.description = "LPIENet" if about is None else about.text()
    for key, text in texts_of(blueprint, about).items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = list(text.encode())
        entry.name, entry.buffer = key, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [*(model.metadata or []), entry]
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    for number, tensor in enumerate(graph.tensors):
        tensor.name = str(number)  # distinct: some delegates' compilers look tensors up by name
    for name, (index,), (end,) in (
        ("image", graph.inputs, signature.inputs),
        ("enhanced", graph.outputs, signature.outputs),
    ):
        graph.tensors[index].name = end.name = name
    return packed(model)


def with_uint8_ends(content: bytes) -> bytes:
    """The flatbuffer `content`, whose ends are int8, with an operator at each that makes them uint8."""
    from ai_edge_litert import schema_py_generated as schema

    model = read(content)
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    quantize = code_of(model, schema.BuiltinOperator.QUANTIZE)
    operators, outside = [], []
    for ends, maps in ((graph.inputs, signature.inputs), (graph.outputs, signature.outputs)):
        inner = int(ends[0])
        outer = deepcopy(graph.tensors[inner])
        outer.type, outer.buffer = schema.TensorType.UINT8, 0
        outer.quantization.zeroPoint = [zero_point + 128 for zero_point in outer.quantization.zeroPoint]
        graph.tensors.append(outer)
        maps[0].tensorIndex = len(graph.tensors) - 1
        outside.append(len(graph.tensors) - 1)
        operator = schema.OperatorT()
        operator.opcodeIndex = quantize
        operator.inputs, operator.outputs = [outside[-1]], [inner]
        operators.append(operator)
    first, last = operators
    last.inputs, last.outputs = last.outputs, last.inputs
    graph.inputs, graph.outputs = [outside[0]], [outside[1]]
    graph.operators = [first, *graph.operators, last]
    return packed(model)
