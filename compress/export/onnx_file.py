"""ONNX: one file for any image size or one a size, float or int8, and the same graph at an older opset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import Dim
from torch.fx import GraphModule

from compress.export.onnx_ends import drop_float_ends, make_unsigned
from compress.quiet import quiet
from compress.runtime.about import About, texts_of
from results.files import written_whole
from search_spaces.own import AnyBlueprint
from search_spaces.sides import STRIDE

WIDE_OPSET = 21  # the first that rounds to 16 bits
OPSETS = range(17, 21)  # that files can be written in; 20 is what the exporter writes, 17 what older converters read
_EXAMPLE = (4 * STRIDE, 5 * STRIDE)  # height, width of the image that a file for any size is traced with
_HOLD_SIZES = {"Reshape", "Expand", "Slice"}  # operators that keep the sides of the traced image as constants


@dataclass(frozen=True, slots=True)
class OnnxWriter:
    """Writes a module (a float network or its int8 graph) as ONNX: input `image`, output `enhanced`, (1, 3, H, W).

    H and W are any multiples of 8, and `size` is not used; a writer of files of `one_size`, as NPUs and many converters
    want them, needs it. With integer ends the module must be an int8 graph by a scheme that has them. Raises
    ImportError when onnx or onnxscript is missing, and ValueError without a size or for a graph with float ends.

    A file for any size is traced at one size first, which takes a half to a third of the time of a trace with symbolic
    sides and gives the same graph, unless an operator holds a size (the shuffle of a space-to-depth stem). A graph with
    activations of 16 bits is written in WIDE_OPSET.
    """

    one_size: bool = False
    ends: str = "float"  # of image and output: float, int8, or uint8, which all activations then are: none is converted

    def __call__(
        self,
        module: nn.Module,
        blueprint: AnyBlueprint,
        size: tuple[int, int] | None,
        path: Path,
        about: About | None = None,
    ) -> None:
        if self.one_size and size is None:
            raise ValueError("an ONNX file of one size needs it: give size=(height, width), multiples of 8")
        _require_onnx()
        opset = WIDE_OPSET if _is_wide(module) else None  # None: the exporter's own
        model = _traced(module, size, opset) if self.one_size and size else _of_any_size(module, opset)
        if self.ends == "uint8":
            make_unsigned(model)
        if self.ends != "float":
            drop_float_ends(model)
        _finish(model, blueprint, path, about)


write_onnx, write_onnx_fixed = OnnxWriter(), OnnxWriter(one_size=True)


def at_opset(path: Path, opset: int) -> None:
    """Write the ONNX file `path` again with the operators of `opset`, one of OPSETS; ONNX's own converter does it.

    Raises ValueError for another opset, and for a graph that has no such form.
    """
    import onnx

    if opset not in OPSETS:
        raise ValueError(f"opset = {opset}: must be {OPSETS.start} to {OPSETS.stop - 1}")
    model = onnx.load(str(path))
    for node in model.graph.node:
        # Of a reduction without axes, which ours have not; the converter carries it to where it is unknown.
        for attribute in [one for one in node.attribute if one.name == "noop_with_empty_axes"]:
            node.attribute.remove(attribute)
    try:
        converted = onnx.version_converter.convert_version(model, opset)
        onnx.checker.check_model(converted, full_check=True)
    except (RuntimeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{path.name} has no form in opset {opset}: {error}; ask for a higher --opset") from error
    props = {entry.key: entry.value for entry in model.metadata_props}
    documented = [part.doc_string for part in (model.graph.input[0], model.graph.output[0])]
    _forget_origin(converted)
    onnx.helper.set_model_props(converted, props)
    converted.doc_string = model.doc_string
    converted.graph.input[0].doc_string, converted.graph.output[0].doc_string = documented
    with written_whole(path) as temporary:
        temporary.write_bytes(converted.SerializeToString(deterministic=True))


def opset_of(path: Path) -> int:
    """The opset of the ONNX file `path`."""
    import onnx

    model = onnx.load(str(path))
    return int(next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx")))


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(f"ONNX export needs {error.name}: pip install 'lpienas[export]'") from error


def _finish(
    model: "onnx.ModelProto",  # type: ignore[name-defined]  # noqa: F821
    blueprint: AnyBlueprint,
    path: Path,
    about: About | None,
) -> None:
    """Describe `model` and write it."""
    import onnx

    _forget_origin(model)
    onnx.helper.set_model_props(model, texts_of(blueprint, about))
    if about is not None:
        model.doc_string = about.text()
        model.graph.input[0].doc_string, model.graph.output[0].doc_string = about.input, about.output
    with written_whole(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _is_wide(module: nn.Module) -> bool:
    """Whether `module` rounds any tensor to 16 bits."""
    return isinstance(module, GraphModule) and any(torch.int16 in node.args for node in module.graph.nodes)


def _of_any_size(module: nn.Module, opset: int | None) -> "onnx.ModelProto":  # type: ignore[name-defined]  # noqa: F821
    model = _traced(module, _EXAMPLE, opset)
    if any(node.op_type in _HOLD_SIZES for node in model.graph.node):
        sides = {2: STRIDE * Dim("rows", min=1, max=4096), 3: STRIDE * Dim("columns", min=1, max=4096)}
        model = _traced(module, _EXAMPLE, opset, sides)
    for value in (model.graph.input[0], model.graph.output[0]):
        _, _, rows, columns = value.type.tensor_type.shape.dim
        rows.dim_param, columns.dim_param = f"{STRIDE}*rows", f"{STRIDE}*columns"
    return model


def _traced(
    module: nn.Module, size: tuple[int, int], opset: int | None, sides: dict[int, Any] | None = None
) -> "onnx.ModelProto":  # type: ignore[name-defined]  # noqa: F821
    """`module` as ONNX, for images of `size` or, where `sides` names them, of all."""
    with quiet():
        program = torch.onnx.export(
            module,
            (torch.zeros(1, 3, *size),),
            dynamo=True,
            dynamic_shapes=(sides,),
            input_names=["image"],
            output_names=["enhanced"],
            verbose=False,
            opset_version=opset,
        )
    assert program is not None
    return program.model_proto


def _forget_origin(model: "onnx.ModelProto") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Drop stack traces and shapes of inner values: they hold this machine's paths and most of an int8 file."""
    del model.graph.value_info[:]
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.ClearField("doc_string")
