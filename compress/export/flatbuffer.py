"""Flatbuffer: a .tflite file as objects that can be changed, by LiteRT's own schema."""

from copy import deepcopy
from typing import Any


def read(content: bytes) -> Any:
    """The schema's model; raises what the schema's code raises for a damaged one."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def packed(model: Any) -> bytes:
    """What `read` takes."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def kind_of(model: Any, operator: Any) -> int:
    """A value of the schema's BuiltinOperator."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def code_of(model: Any, kind: int, version: int = 1) -> int:
    """The place of a kind of operator (a value of BuiltinOperator) in the model's list, made where it is not there."""
    from ai_edge_litert import schema_py_generated as schema

    for place, known in enumerate(model.operatorCodes):
        if max(known.builtinCode, known.deprecatedBuiltinCode) == kind and known.version >= version:
            return place
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, min(kind, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def add_tensor(graph: Any, like: int, channels: int) -> int:
    """The place of a new tensor that differs from the one at place `like` in its last side, and has no values."""
    tensor = deepcopy(graph.tensors[like])
    tensor.shape = [*map(int, tensor.shape[:-1]), channels]
    tensor.shapeSignature, tensor.buffer, tensor.name = None, 0, f"added_{len(graph.tensors)}"
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
