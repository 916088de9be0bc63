"""Export: every format in every precision runs in its own runtime and says what its network says."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor, nn
from torch.fx import GraphModule

from compress.export.formats import FORMATS, PRECISIONS, Variant, export_network
from compress.export.parity import ParityError, check
from compress.export.rewrite import rewritten
from compress.runtime.about import About
from compress.runtime.rule import rule_of, rule_text
from compress.runtime.runtimes import Runtime, load
from compress.runtime.tiles import enhance
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

SIZE = (64, 64)
PAIRS = [
    (format, precision)
    for format, made in FORMATS.items()
    if not made.system and format != "onnx-fixed"  # of one size: test_opset.py
    for precision in made.precisions
]
ABOUT = About(
    "a test", "image: what goes in", "enhanced: what comes out", "as named", "good", "one picture", "none", "us"
)
Exported = tuple[Path, nn.Module]


def photograph() -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(astronaut())).permute(2, 0, 1).float()[None] / 255


def noisy(clean: Tensor, seed: int) -> Tensor:
    """With the 256 levels of a picture, which int8 files take as they are."""
    noise = 25 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    return ((clean + noise).clamp(0, 1) * 255).round() / 255


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
    stages = (Stage(depth=1, width=8, attention="none"),) * 3
    return {
        "conv3x3": trained(Genotype(stages, "mobilenet", "relu", "conv3x3", "space-to-depth", 2), steps=40),
        "gated": trained(Genotype(stages, "released", "relu", "gated", "space-to-depth", 2), steps=40),
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
            made[format, precision] = (
                path,
                export_network(network, Variant(format, precision, SIZE), path, calibration, ABOUT),
            )
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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, module = exported(format, precision)
    assert capfd.readouterr().out == ""  # stdout belongs to --json
    with open(2, "w", closefd=False) as stderr, monkeypatch.context() as outside_of_pytest:
        outside_of_pytest.setattr(sys, "stderr", stderr)  # which ExecuTorch writes to
        runtime = load(path)
    assert capfd.readouterr().err == ""
    inputs = [noisy(image, 9) for image in clean]
    parity = check(runtime, module, inputs)
    assert parity.images == 3
    assert runtime.size == (None if format == "onnx" else SIZE)
    assert runtime.blueprint == network.blueprint
    assert runtime.rule == rule_of(network.blueprint)
    assert runtime.about == ABOUT.to_json()
    assert isinstance(module, GraphModule) == (precision == "int8")
    with torch.no_grad():
        float_quality = psnr(torch.cat([network(image) for image in inputs]), torch.cat(clean))
    quality = psnr(torch.cat([runtime(image) for image in inputs]), torch.cat(clean))
    assert float_quality > psnr(torch.cat(inputs), torch.cat(clean)) + 2  # the network does denoise
    assert quality > float_quality - 0.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "precision", "head"),
    [
        *((*pair, "conv3x3") for pair in PAIRS if pair[1] != "float16"),
        *((format, "int8", "gated") for format, precision in PAIRS if precision == "int8"),
    ],
)
def test_file_of_a_network_on_cells_of_pixels_agrees_with_it(
    format: str, precision: str, head: str, gathering: dict[str, LPIENet], clean: list[Tensor], tmp_path: Path
) -> None:
    network, inputs = gathering[head], [noisy(image, 9) for image in clean]
    path = tmp_path / f"cells{FORMATS[format].suffix}"
    module = export_network(network, Variant(format, precision, SIZE), path, inputs)
    runtime = load(path)
    check(runtime, module, inputs)
    assert runtime.blueprint == network.blueprint
    if format == "onnx":
        check(runtime, module, [image[..., :48, :40] for image in inputs])


@pytest.mark.slow
@pytest.mark.parametrize("precision", FORMATS["onnx"].precisions)
def test_onnx_file_serves_any_size(precision: str, exported: Callable[[str, str], Exported]) -> None:
    path, module = exported("onnx", precision)
    runtime = load(path)
    image = noisy(photograph(), 1)
    check(runtime, module, [image[..., :96, :40], image[..., :24, :136]])
    assert enhance(runtime, image[..., :37, :51]).shape == (1, 3, 37, 51)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_litert_file_is_channels_last_and_its_tensors_have_short_names(
    precision: str, exported: Callable[[str, str], Exported]
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported("litert", precision)[0]))
    runner = interpreter.get_signature_runner()
    assert {name: [*given["shape"]] for name, given in runner.get_input_details().items()} == {"image": [1, *SIZE, 3]}
    assert {name: [*given["shape"]] for name, given in runner.get_output_details().items()} == {
        "enhanced": [1, *SIZE, 3]
    }
    names = [tensor["name"] for tensor in interpreter.get_tensor_details()]
    assert max(map(len, names)) <= len("enhanced")
    assert b"search_spaces" not in exported("litert", precision)[0].read_bytes()


@pytest.mark.slow
def test_float16_file_holds_every_convolution_s_weights_in_16_bits(
    exported: Callable[[str, str], Exported], network: LPIENet
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    def weights(precision: str, kind: int, type: str) -> set[float]:
        content = exported("litert", precision)[0].read_bytes()
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        held = [model.buffers[tensor.buffer].data for tensor in model.subgraphs[0].tensors if tensor.type == kind]
        return {value for data in held if data is not None for value in data.view(type).tolist()}

    written = rewritten(network, FORMATS["litert"].rewrites["float16"])  # with its means over channels as convolutions
    convolutions = [module for module in written.modules() if isinstance(module, nn.Conv2d)]
    wanted = torch.cat([module.weight.detach().half().flatten() for module in convolutions])
    assert weights("float16", schema.TensorType.FLOAT16, "float16") == set(
        wanted.tolist()
    )  # equal tensors are kept once
    assert weights("float", schema.TensorType.FLOAT16, "float16") == set()
    with torch.no_grad():
        for module, rounded in zip(convolutions, wanted.split([m.weight.numel() for m in convolutions]), strict=True):
            assert (rounded.view(module.weight.shape) - module.weight).abs().max() <= module.weight.abs().max() / 2**11


@pytest.mark.slow
def test_a_channels_first_litert_file_of_an_older_version_runs(tmp_path: Path, clean: list[Tensor]) -> None:
    import litert_torch

    convolution = nn.Conv2d(3, 3, 3, padding=1).eval()
    litert_torch.convert(convolution, (torch.zeros(1, 3, 16, 24),)).export(str(tmp_path / "old.tflite"))
    runtime = load(tmp_path / "old.tflite")
    image = clean[0][..., :16, :24]
    assert (runtime.size, runtime.blueprint, runtime.about) == ((16, 24), None, {})
    with torch.no_grad():
        assert (runtime(image) - convolution(image)).abs().max() < 1e-5


@pytest.mark.slow
def test_onnx_and_litert_files_describe_themselves_where_viewers_look(
    exported: Callable[[str, str], Exported],
) -> None:
    import onnx
    from ai_edge_litert import schema_py_generated as schema

    graph = onnx.load(exported("onnx", "float")[0]).graph
    assert (graph.input[0].doc_string, graph.output[0].doc_string) == (ABOUT.input, ABOUT.output)
    model = schema.Model.GetRootAs(exported("litert", "float16")[0].read_bytes(), 0)
    assert model.Description().decode() == ABOUT.text()


@pytest.mark.slow
def test_core_ml_file_computes_in_float16_names_its_images_and_describes_itself(
    network: LPIENet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    coremltools = pytest.importorskip("coremltools")
    path = tmp_path / "network.mlpackage"
    export_network(network, Variant("coreml", "float16", SIZE), path, about=ABOUT)
    assert capfd.readouterr().out == ""
    assert [made.name for made in tmp_path.iterdir()] == ["network.mlpackage"]
    model = coremltools.models.MLModel(str(path), skip_model_load=True)
    description = model.get_spec().description
    assert [(part.name, [*part.type.multiArrayType.shape]) for part in (*description.input, *description.output)] == [
        ("image", [1, 3, *SIZE]),
        ("enhanced", [1, 3, *SIZE]),
    ]
    assert (model.license, model.author, model.input_description["image"]) == ("none", "us", ABOUT.input)
    assert Blueprint.from_json(json.loads(model.user_defined_metadata["lpienas.blueprint"])) == network.blueprint
    assert json.loads(model.user_defined_metadata["lpienas.about"]) == ABOUT.to_json()
    assert model.user_defined_metadata["lpienas.compute_units"] == "CPU_AND_GPU"
    assert model.user_defined_metadata["lpienas.tiles"] == rule_text(rule_of(network.blueprint))
    (block,) = model.get_spec().mlProgram.functions["main"].block_specializations.values()
    outputs = [output for operation in block.operations if operation.type == "conv" for output in operation.outputs]
    assert {output.type.tensorType.dataType for output in outputs} == {coremltools.proto.MIL_pb2.DataType.FLOAT16}
    content = b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())
    assert str(Path(__file__).parent.parent).encode() not in content


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
