"""16 bits: files and graphs whose activations have them, all or those of some layers, lose next to nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from compress.export.formats import Variant, export_network
from compress.export.litert_wide import mosaics
from compress.export.parity import check
from compress.int8.quantize import FakeQuantized, layers_of, post_training_quantize
from compress.int8.scheme import Scheme
from compress.runtime.runtimes import load
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (32, 40)


@pytest.fixture(scope="module")
def network() -> LPIENet:
    stages = (Stage(depth=1, width=4, expansion=1.0, attention="none"),) * 3
    return build(Blueprint.from_genotype(Genotype(stages, "mobilenet", "relu", "conv3x3", levels=2)), 0).eval()


def images(count: int) -> list[Tensor]:
    made = torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    return list(torch.split(made, 1))


def error(network: LPIENet, scheme: Scheme) -> float:
    graph = post_training_quantize(network, images(2), scheme=scheme)
    with torch.no_grad():
        return sum(float((graph(image) - network(image)).square().sum()) for image in images(2))


def test_with_16_bits_less_is_lost_than_with_8_and_with_some_of_each_something_in_between(network: LPIENet) -> None:
    some = frozenset(layers_of(network.blueprint)[-3:])
    narrow, mixed, wide = (error(network, one) for one in (Scheme(), Scheme(wide=some), Scheme(activations=16)))
    assert wide < mixed < narrow
    with pytest.raises(ValueError, match="layer 'tail' is not in this network"):
        error(network, Scheme(wide=frozenset({"tail"})))


def test_a_network_in_training_rounds_its_wide_layers_as_its_graph_does(network: LPIENet) -> None:
    scheme = Scheme(wide=frozenset({"encoder1.2.residuals.0", "head"}))
    fake, graph = (
        FakeQuantized(network, images(2), scheme=scheme),
        post_training_quantize(network, images(2), scheme=scheme),
    )
    with torch.no_grad():
        assert torch.allclose(fake(images(2)[0]), graph(images(2)[0]), atol=1e-4)


def test_layers_of_16_bits_stay_float_in_a_format_that_does_not_mix_them() -> None:
    asked = {"in_float": ["encoder1.0"], "wide": ["head"]}
    onnx, executorch = (Variant(format, "int8", SIZE, **asked).scheme for format in ("onnx", "executorch"))
    assert (onnx.in_float, onnx.wide) == ({"encoder1.0"}, {"head"})
    assert (executorch.in_float, executorch.wide) == ({"encoder1.0", "head"}, frozenset())


def test_an_onnx_file_with_some_layers_of_16_bits_says_what_its_graph_says(network: LPIENet, tmp_path: Path) -> None:
    import onnx

    variant = Variant("onnx", "int8", wide=["encoder1.2.residuals.0", "head"])
    module = export_network(network, variant, tmp_path / "mixed.onnx", images(2))
    assert check(load(tmp_path / "mixed.onnx"), module, images(2)).psnr_db > 55
    kinds = {one.data_type for one in onnx.load(tmp_path / "mixed.onnx").graph.initializer}
    assert {onnx.TensorProto.INT8, onnx.TensorProto.INT16} <= kinds


@pytest.fixture(scope="module")
def doubling() -> LPIENet:
    """With nearest upsampling behind 1x1 convolutions, as the networks of the published front have."""
    stages = (Stage(depth=1, width=4, expansion=1.0, attention="none"),) * 5
    genotype = Genotype(stages, "mobilenet", "relu", "conv3x3", join="add", upsampling="nearest")
    return build(Blueprint.from_genotype(genotype), 0).eval()


@pytest.mark.slow
@pytest.mark.parametrize("io", ["float", "int8"])
def test_a_litert_file_mixes_widths_as_its_graph_does(io: str, doubling: LPIENet, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    wide = ["encoder1.0", "encoder1.2.residuals.0", "decoder2.2.residuals.0", "head"]
    path, precision = tmp_path / "mixed.tflite", "int8" if io == "float" else "int8-io-int8"
    module = export_network(doubling, Variant("litert", precision, SIZE, wide=wide), path, images(2))
    runtime = load(path)
    assert check(runtime, module, images(2)).update_share == pytest.approx(1, abs=0.03)
    tensors = Interpreter(str(path)).get_tensor_details()
    kinds = {tensor["dtype"] for tensor in tensors}
    assert {np.int8, np.int16} <= kinds
    assert (np.float32 in kinds) == (io == "float")
    ends = tensors[0]["dtype"], None if runtime.ends is None else runtime.ends[1].scale
    assert ends == ((np.float32, None) if io == "float" else (np.int8, pytest.approx(1 / 255)))
    narrow = tmp_path / "narrow.tflite"
    export_network(doubling, Variant("litert", precision, SIZE), narrow, images(2))

    def apart(file: Path) -> float:
        with torch.no_grad():
            return float((load(file)(images(2)[0]) - doubling(images(2)[0]).clamp(0, 1)).square().mean())

    assert apart(path) < apart(narrow)


def test_an_onnx_file_of_mixed_widths_may_have_integer_ends(network: LPIENet, tmp_path: Path) -> None:
    variant = Variant("onnx", "int8-io-int8", wide=["encoder1.0", "head"])
    module = export_network(network, variant, tmp_path / "mixed.onnx", images(2))
    assert check(load(tmp_path / "mixed.onnx"), module, images(2)).psnr_db > 45


def test_a_layer_in_float_and_integer_ends_are_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match="--io int8: such files hold no float, and head would be float in executorch"):
        Variant("executorch", "int8-io-int8", SIZE, wide=["head"])
    with pytest.raises(ValueError, match=r"--io uint8: .* and head would be float in onnx"):
        Variant("onnx", "int8-io-uint8", in_float=["head"])


def test_other_widths_and_integer_ends_of_16_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="activations = 12: must be 8 or 16 bits"):
        Scheme(activations=12)
    with pytest.raises(ValueError, match="leave one of them out"):
        Scheme(activations=16, integer_ends=True)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_16x8_file_is_its_network_to_the_rounding_of_the_weights(
    format: str, network: LPIENet, tmp_path: Path
) -> None:
    path = tmp_path / {"onnx": "wide.onnx", "litert": "wide.tflite"}[format]
    module = export_network(network, Variant(format, "16x8", SIZE), path, images(2))
    parity = check(load(path), module, images(2))
    assert parity.psnr_db > 55
    narrow = tmp_path / f"narrow{path.suffix}"
    export_network(network, Variant(format, "int8", SIZE), narrow, images(2))

    def apart(file: Path) -> float:
        with torch.no_grad():
            return float((load(file)(images(2)[0]) - network(images(2)[0])).square().mean())

    assert apart(path) < 0.8 * apart(narrow)


@pytest.mark.slow
def test_a_16x8_litert_file_computes_in_integers_throughout(network: LPIENet, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    export_network(network, Variant("litert", "16x8", SIZE), tmp_path / "wide.tflite", images(2))
    tensors = Interpreter(str(tmp_path / "wide.tflite")).get_tensor_details()
    assert {tensor["dtype"] for tensor in tensors} <= {np.int8, np.int16, np.int32, np.int64}
    assert any(tensor["dtype"] == np.int16 for tensor in tensors)


@pytest.mark.slow
def test_white_comes_through_a_16x8_litert_file_though_no_calibration_image_is_bright(
    network: LPIENet, tmp_path: Path
) -> None:
    dark = [0.5 * image for image in images(2)]
    export_network(network, Variant("litert", "16x8", SIZE), tmp_path / "wide.tflite", dark)
    white = torch.ones(1, 3, *SIZE)
    with torch.no_grad():
        wanted = network(white).clamp(0, 1)
    assert (load(tmp_path / "wide.tflite")(white) - wanted).abs().mean() < 0.01


def test_every_image_is_in_a_mosaic_of_the_asked_size() -> None:
    patches = [torch.full((1, 3, 8, 8), value) for value in (0.1, 0.2, 0.3, 0.4, 0.5)]
    made = mosaics(patches, (16, 12))
    assert [one.shape for one in made] == [(1, 3, 16, 12)] * 2
    assert set(torch.cat(made).unique().tolist()) == {float(patch[0, 0, 0, 0]) for patch in patches}
    with pytest.raises(ValueError, match="calibration holds 0 images"):
        mosaics([], (16, 12))
