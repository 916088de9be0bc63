"""ONNX: one file for any image size, float or int8."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim

from compress.quiet import quiet
from compress.runtime.about import BLUEPRINT_KEY, KEY, About, to_text
from results.files import written_whole
from search_spaces.blueprint import Blueprint
from search_spaces.sides import STRIDE

_HOLD_SIZES = {"Reshape", "Expand", "Slice"}  # operators that keep the sides of the traced image as constants


def write_onnx(
    module: nn.Module, blueprint: Blueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """`module` (a float network or its int8 graph) as ONNX: input `image`, output `enhanced`, (1, 3, H, W) float32.

    H and W are any multiples of 8, so `size` is not used. Raises ImportError when onnx or onnxscript is missing.

    It is traced at one size first, which takes a half to a third of the time of a trace with symbolic sides and gives
    the same graph, unless an operator holds a size (the shuffle of a space-to-depth stem).
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(f"ONNX export needs {error.name}: pip install 'lpienas[export]'") from error

    model = _traced(module)
    if any(node.op_type in _HOLD_SIZES for node in model.graph.node):
        model = _traced(module, {2: STRIDE * Dim("rows", min=1, max=4096), 3: STRIDE * Dim("columns", min=1, max=4096)})
    for value in (model.graph.input[0], model.graph.output[0]):
        _, _, rows, columns = value.type.tensor_type.shape.dim
        rows.dim_param, columns.dim_param = f"{STRIDE}*rows", f"{STRIDE}*columns"
    _forget_origin(model)
    onnx.helper.set_model_props(model, {BLUEPRINT_KEY: json.dumps(blueprint.to_json()), KEY: to_text(about)})
    if about is not None:
        model.doc_string = about.text()
        model.graph.input[0].doc_string, model.graph.output[0].doc_string = about.input, about.output
    with written_whole(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _traced(module: nn.Module, sides: dict[int, Any] | None = None) -> "onnx.ModelProto":  # type: ignore[name-defined]  # noqa: F821
    """`module` as ONNX, for the sides of the traced image or, where `sides` names them, for all."""
    with quiet():
        program = torch.onnx.export(
            module,
            (torch.zeros(1, 3, 4 * STRIDE, 5 * STRIDE),),
            dynamo=True,
            dynamic_shapes=(sides,),
            input_names=["image"],
            output_names=["enhanced"],
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _forget_origin(model: "onnx.ModelProto") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Drop stack traces and shapes of inner values: they hold this machine's paths and most of an int8 file."""
    del model.graph.value_info[:]
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.ClearField("doc_string")
