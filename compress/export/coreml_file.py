"""Core ML (.mlpackage): one folder a size, float or float16, for iPhones and Macs; only macOS can run it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compress.quiet import quiet
from compress.runtime.about import COREML_UNITS, UNITS_KEY, About, texts_of
from results.files import folder_written_whole
from search_spaces.own import AnyBlueprint


def write_coreml(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """`module`, a float network, at `size` (height, width), to be computed in float32, from iOS 16 and macOS 13 on.

    Input `image` and output `enhanced` are (1, 3, height, width) float32. Raises ValueError without a size,
    ImportError when coremltools is missing.
    """
    _save(_converted(module, size, float16=False), blueprint, path, about)


def write_coreml_float16(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """As `write_coreml`, weights and arithmetic in float16, which Apple's neural engine needs; images stay float32."""
    _save(_converted(module, size, float16=True), blueprint, path, about)


def _converted(module: nn.Module, size: tuple[int, int] | None, float16: bool) -> Any:
    """coremltools' model of `module`."""
    if size is None:
        raise ValueError("a Core ML file has one size: give size=(height, width), multiples of 8")
    try:
        with quiet():
            import coremltools
    except ImportError as error:
        raise ImportError(f"Core ML export needs {error.name}: pip install 'lpienas[coreml]'") from error

    shape = (1, 3, *size)
    with quiet():
        # By tracing: coremltools 9 does not read torch.export's max_pool2d without a stride.
        traced = torch.jit.trace(module, torch.zeros(shape), check_trace=False)  # type: ignore[no-untyped-call]
        return coremltools.convert(
            traced,
            convert_to="mlprogram",
            inputs=[coremltools.TensorType(name="image", shape=shape, dtype=np.float32)],
            outputs=[coremltools.TensorType(name="enhanced", dtype=np.float32)],
            compute_precision=coremltools.precision.FLOAT16 if float16 else coremltools.precision.FLOAT32,
            minimum_deployment_target=coremltools.target.iOS16,
            skip_model_load=True,  # which compiles it, on macOS only
        )


def _save(model: Any, blueprint: AnyBlueprint, path: Path, about: About | None) -> None:
    with quiet():
        for key, text in texts_of(blueprint, about).items():
            model.user_defined_metadata[key] = text
        model.user_defined_metadata[UNITS_KEY] = COREML_UNITS
        if about is not None:
            model.short_description, model.author, model.license = about.network, about.made_by, about.licence
            model.input_description["image"] = about.input
            model.output_description["enhanced"] = about.output
        with folder_written_whole(path) as temporary:
            model.save(str(temporary))
