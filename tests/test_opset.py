"""Opset: ONNX files of one size, and in the operators of older converters, say what the file itself says."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor

from compress.export.formats import Variant, export_network
from compress.export.onnx_file import OPSETS, at_opset, opset_of
from compress.export.wanted import Wanted
from compress.runtime.about import About
from compress.runtime.runtimes import load
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (64, 72)
ABOUT = About("a test", "what goes in", "what comes out", "as named", "good", "one picture", "none", "us")


@pytest.fixture(scope="module")
def network() -> LPIENet:
    """With means and maxima over channels, whose operators changed between opsets, and cells of pixels."""
    stages = tuple(Stage(1, 4, 1.0, attention) for attention in ("both", "none", "channel"))
    genotype = Genotype(stages, activation="elu", head="conv3x3", stem="space-to-depth", levels=2)
    return build(Blueprint.from_genotype(genotype), seed=0).eval()


@pytest.fixture(scope="module", params=["float", "int8"])
def fixed(request: pytest.FixtureRequest, network: LPIENet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fixed") / f"{request.param}.onnx"
    export_network(network, Variant("onnx-fixed", request.param, SIZE), path, [image()], ABOUT)
    return path


def image() -> Tensor:
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
def test_a_file_of_one_size_takes_and_gives_that_and_nothing_in_it_is_left_open(fixed: Path) -> None:
    assert load(fixed).size == SIZE
    graph = onnx.shape_inference.infer_shapes(onnx.load(str(fixed))).graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        assert all(side.HasField("dim_value") for side in value.type.tensor_type.shape.dim), value.name
    assert "Shape" not in {node.op_type for node in graph.node}


@pytest.mark.slow
@pytest.mark.parametrize("opset", [OPSETS.start, 18])
def test_a_file_in_an_older_opset_gives_the_same_and_still_describes_itself(
    fixed: Path, opset: int, tmp_path: Path
) -> None:
    older = tmp_path / "older.onnx"
    older.write_bytes(fixed.read_bytes())
    at_opset(older, opset)
    assert (opset_of(fixed), opset_of(older)) == (20, opset)
    before, after = load(fixed), load(older)
    assert torch.equal(after(image()), before(image()))
    assert not torch.equal(after(image()), image())
    assert (after.size, after.blueprint, after.about, after.rule) == (
        before.size, before.blueprint, ABOUT.to_json(), before.rule)  # fmt: skip
    assert after.rule is not None
    assert older.stat().st_size < fixed.stat().st_size + 500  # no shapes of inner values


def test_an_opset_that_files_are_not_written_in_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--opset 16: must be 17 to 20"):
        Wanted(("onnx",), [(64, 64)], opset=16)
    with pytest.raises(ValueError, match="opset = 21: must be 17 to 20"):
        at_opset(tmp_path / "never.onnx", 21)


@pytest.mark.slow
def test_an_operator_that_an_older_opset_has_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gelu.onnx"
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 8]) for name in "xy"]
    node = onnx.helper.make_node("Gelu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "a", sides[:1], sides[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)]), str(path))
    with pytest.raises(ValueError, match=r"gelu.onnx has no form in opset 17.*ask for a higher --opset"):
        at_opset(path, 17)
