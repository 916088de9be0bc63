"""Sensitivity: each layer is int8 alone, and layers stay float where that is asked for."""

from pathlib import Path

import pytest
import torch
from torch.fx import GraphModule

from compress.export.formats import FORMATS, Variant, export_network
from compress.export.parity import check
from compress.int8.quantize import FakeQuantized, layers_of, post_training_quantize
from compress.int8.scheme import Scheme
from compress.int8.sensitivity import ALL, ALLOWED_PSNR, ALLOWED_SSIM, Sensitivity, costly_layers, sensitivity
from compress.runtime.runtimes import load
from nas.task.evaluation import Pair, evaluate
from results.progress import Silent
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.receptive import margin_of

CPU = torch.device("cpu")
STAGES = tuple(Stage(depth, 8, 1.0, kind) for depth, kind in ((2, "both"), (1, "spatial"), (1, "channel")))
BLUEPRINT = Blueprint.from_genotype(Genotype(STAGES, activation="relu", head="conv3x3", levels=2))
SENSITIVE = "encoder1.2.residuals.1"


@pytest.fixture(scope="module")
def network() -> LPIENet:
    """With a layer whose channels differ a thousandfold in range, which one scale for all of them cannot hold."""
    made = build(BLUEPRINT, seed=0).eval()
    spatial = made.get_submodule(SENSITIVE).spatial
    with torch.no_grad():
        for parameter in spatial[0].parameters():
            parameter[0] *= 1000
        spatial[1].weight[0] /= 1000
        made.head.project.weight[:, : made.head.decoder] = 0  # what is below loses nothing then
    return made


@pytest.fixture(scope="module")
def images() -> list[torch.Tensor]:
    return [torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]


def integers(graph: GraphModule) -> int:
    return sum(value.dtype == torch.int8 for value in graph.state_dict().values())


def convolutions(network: LPIENet, layer: str) -> int:
    return sum(isinstance(module, torch.nn.Conv2d) for module in network.get_submodule(layer).modules())


def test_layers_hold_every_convolution_once(network):
    layers = layers_of(BLUEPRINT)
    held = [module for layer in layers for module in network.get_submodule(layer).modules()]
    every = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert sorted(map(id, every)) == sorted(id(module) for module in held if isinstance(module, torch.nn.Conv2d))


@pytest.mark.parametrize("layer", ["encoder1.0", SENSITIVE, "encoder1.2.attention", "head"])
def test_a_layer_in_float_has_no_integer_weights_and_the_others_keep_theirs(network, images, layer):
    graph = post_training_quantize(network, images, in_float=[layer])
    every = sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())
    assert integers(graph) == every - convolutions(network, layer)


def test_with_all_layers_in_float_the_graph_is_the_network(network, images):
    graph = post_training_quantize(network, images, in_float=layers_of(BLUEPRINT))
    with torch.inference_mode():
        assert torch.equal(graph(images[0]), network(images[0]))


def test_fake_quantization_leaves_a_layer_in_float_too(network, images):
    whole, partly = FakeQuantized(network, images), FakeQuantized(network, images, [SENSITIVE])
    scales = [sum(name.endswith(".scale") for name in one.graph.state_dict()) for one in (whole, partly)]
    assert scales[1] <= scales[0] - 2 * convolutions(network, SENSITIVE)  # of its weights, and of what they give


@pytest.fixture(scope="module")
def pairs(network, images) -> list[Pair]:
    with torch.inference_mode():
        return [(str(number), image, network(image).clamp(0, 1)) for number, image in enumerate(images)]


@pytest.fixture(scope="module")
def told(network, images, pairs) -> list[Sensitivity]:
    return sensitivity(network, images, pairs, Silent())


@pytest.fixture
def known(told, monkeypatch) -> None:
    """The sensitivities are there already, so that a choice by them is all that is left to do."""
    monkeypatch.setattr("compress.int8.sensitivity.sensitivity", lambda *arguments: told)


def test_the_layer_that_cannot_be_int8_comes_first_and_float_there_mends_it(network, images, pairs, told):
    assert [one.layer for one in told[:2]] == [ALL, SENSITIVE]
    assert {one.layer for one in told[1:]} == set(layers_of(BLUEPRINT))
    losses = [one.ssim_loss for one in told[1:]]
    assert losses == sorted(losses, reverse=True)
    mended = evaluate(post_training_quantize(network, images, in_float=[SENSITIVE]), pairs, CPU)
    assert 1 - mended.ssim < told[0].ssim_loss / 4


@pytest.mark.usefixtures("known")
def test_the_costliest_layers_stay_float_where_few_of_them_bring_int8_close_enough(network, images, pairs):
    kept = costly_layers(network, images, pairs, Silent())
    assert kept[0] == SENSITIVE
    assert 1 - evaluate(post_training_quantize(network, images, in_float=kept), pairs, CPU).ssim <= ALLOWED_SSIM
    fewer = evaluate(post_training_quantize(network, images, in_float=kept[:-1]), pairs, CPU)
    assert 1 - fewer.ssim > ALLOWED_SSIM or fewer.psnr < 100 - ALLOWED_PSNR


@pytest.mark.usefixtures("known")
def test_the_costliest_layers_have_16_bits_where_that_is_asked_for_in_place_of_float(
    network, images, pairs, monkeypatch
):
    plain = post_training_quantize(network, images)
    mixed = post_training_quantize(network, images, scheme=Scheme(wide=frozenset([SENSITIVE])))
    margin = margin_of(BLUEPRINT)
    psnrs = [evaluate(network, pairs, CPU).psnr, *(evaluate(g, pairs, CPU, margin).psnr for g in (plain, mixed))]
    assert psnrs[2] > psnrs[1] + 0.3
    monkeypatch.setattr("compress.int8.sensitivity.ALLOWED_PSNR", psnrs[0] - (psnrs[1] + psnrs[2]) / 2)
    assert costly_layers(network, images, pairs, Silent(), wide=True) == [SENSITIVE]
    assert integers(mixed) == integers(plain)  # no weight is in float


@pytest.mark.usefixtures("known")
def test_where_int8_is_close_enough_or_everywhere_far_no_layer_stays_float(network, images, pairs, monkeypatch):
    monkeypatch.setattr("compress.int8.sensitivity.ALLOWED_PSNR", 1000.0)
    monkeypatch.setattr("compress.int8.sensitivity.ALLOWED_SSIM", 1.0)
    assert costly_layers(network, images, pairs, Silent()) == []
    monkeypatch.setattr("compress.int8.sensitivity.ALLOWED_SSIM", -1.0)
    assert costly_layers(network, images, pairs, Silent()) == []


def test_an_unknown_layer_is_refused_with_those_there_are(network, images):
    with pytest.raises(ValueError, match=r"layer 'encoder9' is not in this network; it has encoder1\.0, "):
        post_training_quantize(network, images, in_float=["encoder9"])


@pytest.mark.slow
@pytest.mark.parametrize("format", ["litert", "executorch"])  # ONNX: test_compress
def test_a_file_with_a_layer_in_float_says_what_its_graph_says(images, format, tmp_path: Path):
    stages = tuple(Stage(1, 8, 1.0, kind) for kind in ("both", "none", "none", "none", "none"))
    small = build(Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3")), seed=0).eval()
    path = tmp_path / f"mixed{FORMATS[format].suffix}"
    graph = export_network(small, Variant(format, "int8", (48, 64), in_float=["encoder1.2.residuals.0"]), path, images)
    check(load(path), graph, images)
