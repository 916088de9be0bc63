"""Export: every format, float and int8, runs in its own runtime and says what its network says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor, nn
from torch.fx import GraphModule

from compress.export.formats import FORMATS, PRECISIONS, export_network
from compress.export.parity import ParityError, check
from compress.runtimes import Runtime, load
from compress.tiles import enhance
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (64, 64)
PAIRS = [(format, precision) for format in FORMATS for precision in PRECISIONS]
Exported = tuple[Path, nn.Module]


def photograph() -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(astronaut())).permute(2, 0, 1).float()[None] / 255


def noisy(clean: Tensor, seed: int) -> Tensor:
    return clean + 25 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


def trained(genotype: Genotype, steps: int) -> LPIENet:
    """Trained for a moment: random weights have narrow ranges, behind which a wrong scale hides."""
    network = build(Blueprint.from_genotype(genotype), seed=0)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        corners = torch.randint(0, 512 - 48, (4, 2), generator=generator).tolist()
        clean = torch.cat([photograph()[..., row : row + 48, column : column + 48] for row, column in corners])
        optimizer.zero_grad()
        (network(noisy(clean, step)) - clean).abs().mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def network() -> LPIENet:
    attentions = ("both", "none", "channel", "none", "none")
    stages = tuple(Stage(depth=1, width=8, expansion=1.0, attention=attention) for attention in attentions)
    return trained(Genotype(stages, activation="elu", head="conv3x3"), steps=120)


@pytest.fixture(scope="module")
def gathering() -> dict[str, LPIENet]:
    """Networks that work on cells of 2x2 pixels, by head; one of them with the other block."""
    stages = (Stage(depth=1, width=8, attention="none"),) * 5
    return {
        "conv3x3": trained(Genotype(stages, "mobilenet", "relu", "conv3x3", "space-to-depth"), steps=40),
        "gated": trained(Genotype(stages, "released", "relu", "gated", "space-to-depth"), steps=40),
    }


@pytest.fixture(scope="module")
def clean() -> list[Tensor]:
    return [photograph()[..., row : row + 64, 100:164] for row in (0, 120, 240)]


@pytest.fixture(scope="module")
def exported(
    network: LPIENet, clean: list[Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Exported]:
    """Each file made once, when the first test asks for it."""
    made: dict[tuple[str, str], Exported] = {}
    folder = tmp_path_factory.mktemp("exported")

    def get(format: str, precision: str) -> Exported:
        if (format, precision) not in made:
            path = folder / f"{precision}{FORMATS[format].suffix}"
            calibration = [noisy(image, seed) for seed, image in enumerate(clean)]
            made[format, precision] = path, export_network(network, format, precision, path, SIZE, calibration)
        return made[format, precision]

    return get


@pytest.mark.slow
@pytest.mark.parametrize(("format", "precision"), PAIRS)
def test_file_agrees_with_its_network_and_enhances(
    format: str,
    precision: str,
    exported: Callable[[str, str], Exported],
    network: LPIENet,
    clean: list[Tensor],
    capfd: pytest.CaptureFixture[str],
) -> None:
    path, module = exported(format, precision)
    assert capfd.readouterr().out == ""  # stdout belongs to --json
    runtime = load(path)
    inputs = [noisy(image, 9) for image in clean]
    parity = check(runtime, module, inputs)
    assert parity.images == 3
    assert runtime.size == (None if format == "onnx" else SIZE)
    assert runtime.blueprint == network.blueprint
    assert isinstance(module, GraphModule) == (precision == "int8")
    with torch.no_grad():
        float_quality = psnr(torch.cat([network(image) for image in inputs]), torch.cat(clean))
    quality = psnr(torch.cat([runtime(image) for image in inputs]), torch.cat(clean))
    assert float_quality > psnr(torch.cat(inputs), torch.cat(clean)) + 2  # the network does denoise
    assert quality > float_quality - 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "precision", "head"),
    [*((*pair, "conv3x3") for pair in PAIRS), *((format, "int8", "gated") for format in FORMATS)],
)
def test_file_of_a_network_on_cells_of_pixels_agrees_with_it(
    format: str, precision: str, head: str, gathering: dict[str, LPIENet], clean: list[Tensor], tmp_path: Path
) -> None:
    network, inputs = gathering[head], [noisy(image, 9) for image in clean]
    path = tmp_path / f"cells{FORMATS[format].suffix}"
    module = export_network(network, format, precision, path, SIZE, inputs)
    runtime = load(path)
    check(runtime, module, inputs)
    assert runtime.blueprint == network.blueprint
    if format == "onnx":
        check(runtime, module, [image[..., :48, :40] for image in inputs])


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_onnx_file_serves_any_size(precision: str, exported: Callable[[str, str], Exported]) -> None:
    path, module = exported("onnx", precision)
    runtime = load(path)
    image = noisy(photograph(), 1)
    check(runtime, module, [image[..., :96, :40], image[..., :24, :136]])
    assert enhance(runtime, image[..., :37, :51]).shape == (1, 3, 37, 51)


@pytest.mark.slow
def test_int8_file_with_a_wrong_scale_fails_parity(
    exported: Callable[[str, str], Exported], network: LPIENet, clean: list[Tensor]
) -> None:
    path, module = exported("onnx", "int8")
    assert isinstance(module, GraphModule)
    dequantize = torch.ops.quantized_decomposed.dequantize_per_tensor.default
    node = [node for node in module.graph.nodes if node.target == dequantize][-1]
    right = node.args
    node.args = (right[0], right[1] * 1.5, *right[2:])
    module.recompile()
    try:
        with pytest.raises(ParityError, match=r"dB from its int8 graph \(at least"):
            check(load(path), module, clean)
    finally:
        node.args = right
        module.recompile()


@pytest.mark.slow
def test_float_file_of_other_weights_fails_parity(
    exported: Callable[[str, str], Exported], network: LPIENet, clean: list[Tensor]
) -> None:
    path, _ = exported("onnx", "float")
    other = LPIENet(network.blueprint).eval()
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        next(other.parameters())[0, 0, 0, 0] += 0.01
    with pytest.raises(ParityError, match="1e-04 allowed"):
        check(load(path), other, clean)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "precision"), PAIRS)
def test_file_holds_no_path_of_the_machine_that_made_it(
    format: str, precision: str, exported: Callable[[str, str], Exported]
) -> None:
    content = exported(format, precision)[0].read_bytes()
    assert str(Path(__file__).parent.parent).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_file_that_answers_nan_fails_parity(clean: list[Tensor], network: LPIENet) -> None:
    with pytest.raises(ParityError):
        check(Runtime("test", None, None, lambda image: image * float("nan")), network, clean)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".pte"])
@pytest.mark.parametrize("content", [b"", b"a text, long enough to look at" * 9, b"\xff" * 999])
def test_damaged_file_is_an_error_naming_it(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"damaged{suffix} cannot be opened"):
        load(path)


def test_unknown_suffix_and_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in one of .onnx, .tflite, .pte"):
        load(tmp_path / "network.mnn")
    with pytest.raises(FileNotFoundError, match="export it first"):
        load(tmp_path / "network.onnx")


@pytest.mark.parametrize(
    ("format", "precision", "name", "size", "rule"),
    [
        ("tflite", "float", "a.tflite", SIZE, "must be one of onnx, litert, executorch"),
        ("onnx", "int4", "a.onnx", SIZE, "must be one of float, int8"),
        ("litert", "float", "a.onnx", SIZE, "must end in .tflite"),
        ("executorch", "float", "a.pte", (64, 66), "multiples of 8"),
        ("litert", "float", "a.tflite", None, "has one size"),
        ("executorch", "float", "a.pte", None, "has one size"),
        ("onnx", "int8", "a.onnx", None, "calibration"),
    ],
)
def test_wrong_request_is_an_error_and_leaves_no_file(
    format: str, precision: str, name: str, size: tuple[int, int] | None, rule: str, tmp_path: Path, network: LPIENet
) -> None:
    with pytest.raises(ValueError, match=rule):
        export_network(network, format, precision, tmp_path / name, size)
    assert not list(tmp_path.iterdir())
