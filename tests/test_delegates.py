"""Delegates: what stays outside of the accelerated library, read from real files, and how large activations become."""

from pathlib import Path

import pytest
import torch
from torch import nn

from compress.export.delegates import FLOAT16_LIMIT, LargestActivation, delegated, largest_activation, report_lines
from compress.export.executorch_file import write_executorch
from compress.export.formats import Variant, export_network
from compress.export.litert_file import write_litert
from compress.export.parity import check
from compress.runtime.runtimes import load
from search_spaces.blocks import ChannelMean
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (32, 40)


def network_of(activation: str) -> LPIENet:
    stages = tuple(Stage(1, 8, 1.0, attention) for attention in ("both", "none", "channel"))
    genotype = Genotype(stages, activation=activation, head="conv3x3", levels=2)
    return build(Blueprint.from_genotype(genotype), seed=0).eval()


def images(count: int) -> list[torch.Tensor]:
    return [torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(seed)) for seed in range(count)]


@pytest.mark.slow
def test_a_mean_and_a_maximum_over_channels_stay_outside_of_executorchs_partitions(tmp_path: Path) -> None:
    network = network_of("relu")
    write_executorch(network, network.blueprint, SIZE, tmp_path / "plain.pte")
    found = delegated(tmp_path / "plain.pte")
    assert {out.operator: out.count for out in found.outside} == {"aten::mean": 2, "aten::amax": 1}
    assert all("XNNPACK's partitioner" in out.reason for out in found.outside)
    assert found.delegate == "XNNPACK"
    assert found.partitions == 3  # cut at both attentions


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "activation"), [("float", "elu"), ("int8", "relu")])
def test_an_exported_executorch_file_is_one_partition(precision: str, activation: str, tmp_path: Path) -> None:
    path = tmp_path / "network.pte"
    module = export_network(network_of(activation), Variant("executorch", precision, SIZE), path, images(2))
    found = delegated(path)
    assert (found.partitions, found.outside) == (1, ())
    # What the file is compared with is the network as it was, and not the rewritten one.
    assert precision == "int8" or any(isinstance(part, ChannelMean) for part in module.modules())
    check(load(path), module, images(2))


@pytest.mark.slow
def test_elu_stays_outside_of_litert_xnnpack_until_it_is_rewritten(tmp_path: Path) -> None:
    network = network_of("elu")
    write_litert(network, network.blueprint, SIZE, tmp_path / "plain.tflite")
    plain = delegated(tmp_path / "plain.tflite")
    activations = sum(isinstance(module, nn.ELU) for module in network.modules())
    assert {out.operator: out.count for out in plain.outside} == dict.fromkeys(("GREATER_EQUAL", "SELECT"), activations)
    assert plain.partitions == activations + 1
    assert plain.documented["LiteRT GPU delegate"] == ()  # it takes means, maxima and choices too
    assert plain.traps == ()  # each comparison serves one choice

    export_network(network, Variant("litert", "float", SIZE), tmp_path / "rewritten.tflite")
    found = delegated(tmp_path / "rewritten.tflite")
    assert (found.partitions, found.outside) == (1, ())
    assert found.traps == ()


@pytest.mark.slow
def test_an_onnx_file_is_compared_with_the_documented_list_only(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    export_network(network_of("relu"), Variant("onnx", "float"), path)
    found = delegated(path)
    assert found.delegate is None
    assert found.operators is not None
    assert found.operators["Conv"] > 20
    assert found.documented == {"QNN NPU by ONNX Runtime": ()}  # all of them are on its list
    kinds = ["graphs of fixed sizes only", "quantized graphs"]  # it is of any size, and float
    assert all(kind in trap.says for kind, trap in zip(kinds, found.traps, strict=True))


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    for suffix in (".pte", ".tflite", ".onnx"):
        path = tmp_path / f"broken{suffix}"
        with pytest.raises(FileNotFoundError, match="export it first"):
            delegated(path)
        path.write_bytes(b"nothing of the kind, but long enough for a header")
        with pytest.raises(ValueError, match="damaged or not ours"):
            delegated(path)
    with pytest.raises(ValueError, match="must end in"):
        delegated(tmp_path / "photo.jpg")


def test_the_largest_activation_is_found_where_it_is() -> None:
    network = network_of("relu")
    assert largest_activation(network, images(2)).fits_float16
    with torch.no_grad():
        network.encoder2[0].bias.fill_(7e4)
        network.encoder2[2].residuals[0].spatial[3].weight.zero_()
    found = largest_activation(network, images(2))
    assert found.value > FLOAT16_LIMIT
    assert not found.fits_float16
    with torch.no_grad():
        inner = [network.encoder2(torch.max_pool2d(network.encoder1(image), 2)) for image in images(2)]
    assert found.value >= float(torch.stack(inner).abs().max())
    with pytest.raises(ValueError, match="images is empty"):
        largest_activation(network, [])


def test_an_activation_that_is_no_number_does_not_fit() -> None:
    network = network_of("relu")
    with torch.no_grad():
        network.encoder1[0].bias.fill_(float("nan"))
    assert not largest_activation(network, images(1)).fits_float16


def test_the_report_says_whether_float16_holds() -> None:
    assert "below the limit of float16, 65504" in report_lines([], {"night": LargestActivation("encoder1", 12.0)})[0]
    assert "NOT below" in report_lines([], {"night": LargestActivation("encoder1", 70000.0)})[0]
