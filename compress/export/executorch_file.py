"""ExecuTorch (.pte): one file a size, float or int8, with float or integer ends, for the XNNPACK delegate."""

from pathlib import Path

import torch
from torch import nn
from torch.fx import GraphModule

from compress.export.executorch_doubling import has_resizes, without_resizes
from compress.int8.ends import on_integers
from compress.quiet import quiet
from compress.runtime.about import METHODS, About, texts_of
from results.files import written_whole
from search_spaces.own import AnyBlueprint


def write_executorch(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """`module` (a float network or its int8 graph with folded weights) at `size` (height, width).

    Input and output are (1, 3, height, width) float32, contiguous. Raises ValueError without a size, ImportError when
    executorch is missing.
    """
    _write(module, _image(size, torch.float32), blueprint, path, about)


def write_executorch_int8_ends(
    module: nn.Module, blueprint: AnyBlueprint, size: tuple[int, int] | None, path: Path, about: About | None = None
) -> None:
    """As `write_executorch`, of an int8 graph by a scheme with integer ends: image and output are int8."""
    assert isinstance(module, GraphModule)
    _write(on_integers(module), _image(size, torch.int8), blueprint, path, about)


def _image(size: tuple[int, int] | None, ends: torch.dtype) -> torch.Tensor:
    if size is None:
        raise ValueError("an ExecuTorch file has one size: give size=(height, width), multiples of 8")
    return torch.zeros(1, 3, *size, dtype=ends)


def _write(module: nn.Module, image: torch.Tensor, blueprint: AnyBlueprint, path: Path, about: About | None) -> None:
    try:
        with quiet():
            from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
            from executorch.backends.xnnpack.partition.config.generic_node_configs import EluConfig
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower
    except ImportError as error:
        raise ImportError(f"ExecuTorch export needs {error.name}: pip install 'lpienas[export]'") from error

    constants = {METHODS[key]: _bytes(text) for key, text in texts_of(blueprint, about).items()}
    with quiet(), written_whole(path) as temporary:
        # The example must be contiguous: the file keeps its order of dimensions, and XNNPACK fails on any other.
        program = torch.export.export(module, (image,))
        if has_resizes(program.graph):
            graph = program.module(check_guards=False)
            assert isinstance(graph, GraphModule)
            program = torch.export.export(without_resizes(graph), (image,))
        # ELU: the delegate has it, in float and int8, but 1.5.1 leaves it out of the list it partitions by.
        partitioner = XnnpackPartitioner(configs=[*ALL_PARTITIONER_CONFIGS, EluConfig])
        lowered = to_edge_transform_and_lower(program, partitioner=[partitioner], constant_methods=constants)
        temporary.write_bytes(lowered.to_executorch().buffer)


def _bytes(text: str) -> torch.Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)
