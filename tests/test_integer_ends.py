"""Integer ends: files that take and give a picture's levels, in which a delegate finds nothing in float."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.export.delegates import delegated
from compress.export.formats import FORMATS, Variant, export_network
from compress.export.parity import check
from compress.int8.ends import on_integers
from compress.int8.quantize import post_training_quantize
from compress.int8.scheme import Scheme
from compress.runtime.levels import LEVELS, Integers
from compress.runtime.runtimes import Runtime, load
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet
from tests.test_export import noisy, photograph, trained

SIZE = (32, 40)
KINDS = [("onnx", "int8"), ("onnx", "uint8"), ("litert", "int8"), ("litert", "uint8"), ("executorch", "int8")]
Exported = tuple[Path, nn.Module]


def pictures(count: int) -> list[Tensor]:
    """Noisy parts of a photograph, of whole levels."""
    parts = [photograph()[..., 60 * row : 60 * row + SIZE[0], 100 : 100 + SIZE[1]] for row in range(count)]
    return [(noisy(part, seed).clamp(0, 1) * 255).round() / 255 for seed, part in enumerate(parts)]


@pytest.fixture(scope="module")
def network() -> LPIENet:
    """With attention, whose mean and maximum over channels are what delegates leave out; trained for a moment."""
    stages = tuple(Stage(depth=1, width=4, expansion=1.0, attention=kind) for kind in ("both", "none", "none"))
    return trained(Genotype(stages, "mobilenet", "relu", "conv3x3", levels=2), steps=40)


@pytest.fixture(scope="module")
def exported(network: LPIENet, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Exported]:
    """Each file made once, when the first test asks for it."""
    made: dict[tuple[str, str], Exported] = {}
    folder = tmp_path_factory.mktemp("ends")

    def get(format: str, io: str) -> Exported:
        if (format, io) not in made:
            path = folder / f"{io}{FORMATS[format].suffix}"
            variant = Variant(format, f"int8-io-{io}", SIZE)
            made[format, io] = path, export_network(network, variant, path, pictures(2))
        return made[format, io]

    return get


def test_levels_are_those_of_a_picture_and_come_back() -> None:
    levels = torch.arange(256).view(1, 1, 16, 16)
    assert torch.equal(LEVELS[torch.uint8].of(levels / 255), levels.to(torch.uint8))
    assert torch.equal(LEVELS[torch.int8].of(levels / 255), (levels - 128).to(torch.int8))
    for kind in LEVELS.values():
        assert torch.allclose(kind.back(kind.of(levels / 255)), levels / 255, atol=1e-7)
        assert kind.back(kind.of(torch.tensor([-0.5, 1.5]))).tolist() == pytest.approx([0.0, 1.0])


def test_integers_of_another_scale_hold_what_they_can() -> None:
    narrow = Integers(torch.int8, 1 / 256, -128)
    assert narrow.of(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-128, 0, 127]
    assert narrow.back(torch.tensor([-128, 0, 127], dtype=torch.int8)).tolist() == [0.0, 0.5, 255 / 256]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.uint8, torch.int8])
def test_half_the_strength_of_a_file_of_integers_lies_between_the_photograph_and_its_result(kind: torch.dtype) -> None:
    def darker(levels: Tensor) -> Tensor:
        return (levels.int() - 10).clamp(torch.iinfo(kind).min).to(kind)

    runtime = Runtime("test", (8, 8), None, darker, {}, None, (LEVELS[kind],) * 2)
    photograph = torch.full((1, 3, 8, 8), 100 / 255)
    assert torch.allclose(runtime.blended(0.5)(photograph), torch.full((1, 3, 8, 8), 95 / 255), atol=1e-6)


def test_a_graph_on_integers_gives_the_levels_that_it_gives_in_float(network: LPIENet) -> None:
    graph = post_training_quantize(network, pictures(2), scheme=Scheme(integer_ends=True))
    bare, (image,) = on_integers(graph), pictures(1)
    with torch.no_grad():
        given, wanted = bare(LEVELS[torch.int8].of(image)), graph(image)
    assert given.dtype == torch.int8
    assert torch.allclose(LEVELS[torch.int8].back(given), wanted, atol=1e-6)
    assert not torch.allclose(wanted, image, atol=0.01)
    with pytest.raises(ValueError, match="with integer ends"):
        on_integers(post_training_quantize(network, pictures(1)))


@pytest.mark.slow
@pytest.mark.parametrize(("format", "io"), KINDS)
def test_a_file_with_integer_ends_enhances_as_its_network_does(
    format: str, io: str, exported: Callable[[str, str], Exported], network: LPIENet
) -> None:
    path, module = exported(format, io)
    runtime = load(path)
    assert runtime.ends is not None
    assert [(end.dtype, end.zero_point) for end in runtime.ends] == [(getattr(torch, io), -128 * (io == "int8"))] * 2
    assert check(runtime, module, pictures(3)).update_share == pytest.approx(1, abs=0.02)
    picture = pictures(3)[2]
    with torch.no_grad():
        update = network(picture) - picture
    apart = float((runtime(picture) - (picture + update).clamp(0, 1)).square().mean())
    assert apart < float(update.square().mean()) / 30  # 15 dB; half of the work would be 6


@pytest.mark.slow
@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_a_litert_file_with_integer_ends_holds_no_float_tensor(
    io: str, exported: Callable[[str, str], Exported]
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported("litert", io)[0]))
    kinds = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert kinds <= {np.int8, np.int32, np.uint8}
    ends = (interpreter.get_input_details()[0], interpreter.get_output_details()[0])
    assert [end["dtype"] for end in ends] == [getattr(np, io)] * 2
    assert [end["name"] for end in ends] == ["image", "enhanced"]


@pytest.mark.slow
def test_an_executorch_file_with_int8_ends_holds_no_float_tensor(exported: Callable[[str, str], Exported]) -> None:
    from executorch.exir._serialize._program import deserialize_pte_binary
    from executorch.exir.schema import ScalarType, Tensor

    program = deserialize_pte_binary(exported("executorch", "int8")[0].read_bytes()).program
    (forward,) = (plan for plan in program.execution_plan if plan.name == "forward")
    kinds = [value.val.scalar_type for value in forward.values if isinstance(value.val, Tensor)]
    assert len(kinds) >= 2
    assert set(kinds) == {ScalarType.CHAR}


@pytest.mark.slow
def test_litert_takes_a_file_with_int8_ends_in_one_partition(exported: Callable[[str, str], Exported]) -> None:
    found = delegated(exported("litert", "int8")[0])
    assert (found.partitions, found.outside) == (1, ())


@pytest.mark.slow
def test_executorch_takes_a_file_with_int8_ends_in_one_partition(exported: Callable[[str, str], Exported]) -> None:
    found = delegated(exported("executorch", "int8")[0])
    assert (found.partitions, found.outside) == (1, ())


@pytest.mark.slow
def test_around_uint8_ends_only_whole_numbers_are_converted_outside_of_litert_s_one_partition(
    exported: Callable[[str, str], Exported],
) -> None:
    found = delegated(exported("litert", "uint8")[0])
    assert found.partitions == 1
    assert {out.operator for out in found.outside} <= {"QUANTIZE"}


@pytest.mark.slow
def test_an_onnx_file_with_integer_ends_begins_and_ends_without_rounding(
    exported: Callable[[str, str], Exported],
) -> None:
    import onnx

    for io, kind in (("int8", onnx.TensorProto.INT8), ("uint8", onnx.TensorProto.UINT8)):
        graph = onnx.load(exported("onnx", io)[0]).graph
        assert [end.type.tensor_type.elem_type for end in (graph.input[0], graph.output[0])] == [kind, kind]
        assert {node.op_type for node in graph.node if "image" in node.input} == {"DequantizeLinear"}
        assert [node.op_type for node in graph.node if "enhanced" in node.output] == ["QuantizeLinear"]
