"""Doubling in LiteRT: nearest upsampling in operators that XNNPACK takes, so that a file stays in one partition.

XNNPACK has no RESIZE_NEAREST_NEIGHBOR: each one ends a partition. Every pixel four times is what DEPTH_TO_SPACE makes
of every channel four times. Where a convolution makes them it can write each four times itself; elsewhere they are put
together from four copies, in int8 alone: older GPU delegates refuse equal inputs, and take the resize. The values are
the same, bit for bit, in float and in integers.
"""

from typing import Any

import numpy as np

from compress.export.flatbuffer import add_tensor, code_of, kind_of, packed, read

_TIMES = 4  # pixels of a doubled one


def without_resizes(content: bytes) -> bytes:
    """The .tflite file `content` without nearest upsampling to twice the sides, or itself where it has none."""
    from ai_edge_litert import schema_py_generated as schema

    model = read(content)
    (graph,) = model.subgraphs
    resizes = [one for one in graph.operators if _doubles(model, graph, one)]
    if not resizes:
        return content
    for resize in resizes:
        given, doubled = int(resize.inputs[0]), int(resize.outputs[0])
        maker = _made_by(model, graph, given)
        if maker is None and graph.tensors[given].type != schema.TensorType.INT8:
            continue
        wide = add_tensor(graph, given, _TIMES * int(graph.tensors[given].shape[-1]))
        shuffled = schema.DepthToSpaceOptionsT()
        shuffled.blockSize = 2
        instead = [_operator(model, "DEPTH_TO_SPACE", (wide, doubled), shuffled)]
        if maker is None:
            copied = schema.ConcatenationOptionsT()
            copied.axis = 3
            copies = _operator(model, "CONCATENATION", (given, wide), copied)
            copies.inputs = [given] * _TIMES
            instead.insert(0, copies)
        else:
            for constant in maker.inputs[1:]:
                _repeat(model, graph.tensors[constant])
            maker.outputs = [wide]
        place = graph.operators.index(resize)
        graph.operators[place : place + 1] = instead
    return packed(model)


def _doubles(model: Any, graph: Any, operator: Any) -> bool:
    """Whether `operator` gives every pixel four times."""
    from ai_edge_litert import schema_py_generated as schema

    if kind_of(model, operator) != schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR:
        return False
    given, made = (graph.tensors[ends[0]].shape for ends in (operator.inputs, operator.outputs))
    # With aligned corners the pixels between are not two of each.
    return not operator.builtinOptions.alignCorners and list(made[1:3]) == [2 * side for side in given[1:3]]


def _made_by(model: Any, graph: Any, tensor: int) -> Any:
    """The convolution that makes `tensor`, for one reader and of weights that no other has; None: there is none."""
    from ai_edge_litert import schema_py_generated as schema

    used = [int(one) for operator in graph.operators for one in operator.inputs]
    for operator in graph.operators:
        if tensor in operator.outputs and kind_of(model, operator) == schema.BuiltinOperator.CONV_2D:
            own = [int(one) for one in operator.inputs[1:]]
            constant = all(_values(model, graph.tensors[one]) is not None for one in own)
            alone = used.count(tensor) == 1 and tensor not in graph.outputs and all(used.count(one) == 1 for one in own)
            return operator if constant and alone and _alone_in_buffers(graph, own) else None
    return None


def _alone_in_buffers(graph: Any, tensors: list[int]) -> bool:
    buffers = [tensor.buffer for tensor in graph.tensors]
    return all(buffers.count(buffers[one]) == 1 for one in tensors)


def _values(model: Any, tensor: Any) -> Any:
    return model.buffers[tensor.buffer].data


def _repeat(model: Any, tensor: Any) -> None:
    """Weights or biases four times, one after the other, output channels being their first side."""
    buffer, quantization = model.buffers[tensor.buffer], tensor.quantization
    buffer.data = np.tile(np.asarray(buffer.data, np.uint8), _TIMES)
    tensor.shape = [_TIMES * int(tensor.shape[0]), *map(int, tensor.shape[1:])]
    tensor.shapeSignature = None
    if quantization is not None and quantization.scale is not None and len(quantization.scale) > 1:
        quantization.scale = np.tile(quantization.scale, _TIMES)
        quantization.zeroPoint = np.tile(quantization.zeroPoint, _TIMES)


def _operator(model: Any, name: str, ends: tuple[int, int], options: Any) -> Any:
    """A new operator of a kind, from one tensor to another."""
    from ai_edge_litert import schema_py_generated as schema

    made = schema.OperatorT()
    # 2: with int8 kernels
    made.opcodeIndex = code_of(model, getattr(schema.BuiltinOperator, name), version=2)
    made.inputs, made.outputs = [ends[0]], [ends[1]]
    made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    made.builtinOptions = options
    return made
