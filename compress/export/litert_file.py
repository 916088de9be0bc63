"""LiteRT (.tflite): one file a size, float or int8."""

import json
from pathlib import Path

import torch
from torch import nn

from compress.export.onnx_file import BLUEPRINT_KEY
from compress.quiet import quiet
from results.files import written_whole
from search_spaces.blueprint import Blueprint


def write_litert(module: nn.Module, blueprint: Blueprint, size: tuple[int, int] | None, path: Path) -> None:
    """`module` (a float network or its int8 graph with unfolded weights) at `size` (height, width).

    Input and output are (1, 3, height, width) float32. Raises ValueError without a size, ImportError when
    litert-torch is missing.
    """
    if size is None:
        raise ValueError("a LiteRT file has one size: give size=(height, width), multiples of 8")
    try:
        with quiet():
            import litert_torch
            from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
            from litert_torch.quantize.quant_config import QuantConfig
    except ImportError as error:
        raise ImportError(f"LiteRT export needs {error.name}: pip install litert-torch") from error

    # Nothing is quantized by this: it tells the converter to turn the graph's quantize and dequantize operators into
    # integer kernels. Without it they stay beside float kernels, slower and nearly as large as the float file.
    integer_kernels = QuantConfig(
        pt2e_quantizer=PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    )
    is_int8 = isinstance(module, torch.fx.GraphModule)
    with quiet(), written_whole(path) as temporary:
        converted = litert_torch.convert(
            module, (torch.zeros(1, 3, *size),), quant_config=integer_kernels if is_int8 else None
        )
        temporary.write_bytes(_with_metadata(converted.model_content(), BLUEPRINT_KEY, blueprint))


def _with_metadata(content: bytes, name: str, blueprint: Blueprint) -> bytes:
    """The flatbuffer `content` with the blueprint among its named metadata."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(blueprint.to_json()).encode())
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(content) + len(buffer.data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
