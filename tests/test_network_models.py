"""Network models: a saved network is taken wherever a model is, and what is none is named."""

import json

import pytest
import torch
from PIL import Image

from compress.bench.files import Conditions, plan
from compress.export.ship import Bare, ship_network
from compress.export.wanted import Wanted
from compress.runtime.runtimes import load
from lpienas.command import main
from lpienas.command.export import much_lost
from nas.task.data.pairs import validation_pairs
from nas.task.data.photo import Photo
from nas.task.degrade import SensorNoise
from nas.unseen import Unseen
from results.files import load_network, network_at, save_network
from results.progress import Silent
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build


@pytest.fixture
def network(tmp_path):
    """Path without suffix of a saved network."""
    genotype = Genotype(tuple(Stage(1, 4, 1.0, "none") for _ in range(5)), activation="relu", head="conv3x3")
    save_network(tmp_path / "small", build(Blueprint.from_genotype(genotype), seed=0))
    return tmp_path / "small"


@pytest.fixture
def pairs(tmp_path):
    """A folder of one small pair."""
    for side, colour in (("noisy", (90, 80, 70)), ("clean", (100, 80, 60))):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        Image.new("RGB", (40, 32), colour).save(tmp_path / "pairs" / side / "one.png")
    return tmp_path / "pairs"


@pytest.mark.parametrize("suffix", ["", ".json", ".safetensors"])
def test_a_network_is_found_by_either_file_or_without_suffix(network, suffix):
    assert network_at(network.with_suffix(suffix)) == network
    image = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(load(network.with_suffix(suffix))(image), load_network(network).eval()(image), atol=1e-6)


def test_anatomy_evaluate_and_enhance_take_a_network(network, pairs, tmp_path, capsys):
    assert main(["anatomy", f"{network}.json", "--data", str(pairs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["name"] for part in found["stages"] if part["kind"] == "stage"][-1] == "head"
    assert "1 photographs of" in found["photographs"]
    assert main(["evaluate", str(network), "--data", str(pairs), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ssim"] == pytest.approx(found["ssim"], abs=1e-6)
    assert main(["enhance", str(network), str(pairs / "noisy" / "one.png"), "-o", str(tmp_path / "better.png")]) == 0
    assert Image.open(tmp_path / "better.png").size == (40, 32)


def test_a_bench_takes_a_network_and_makes_its_files_elsewhere(network, tmp_path):
    cases = plan([network.with_suffix(".json")], Conditions(["pytorch"], [(16, 16)], tmp_path / "made"), Silent())
    assert [(case.network, case.precision) for case in cases] == [("small", "float"), ("LPIENet reference", "float")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "small.json", "small.safetensors"]


@pytest.mark.slow
def test_export_writes_checked_float_files_of_a_network_named_after_it(network, tmp_path):
    pixels = torch.randint(256, (3, 24, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    out = tmp_path / "files"
    judged_on = Unseen(validation_pairs([Photo("one", pixels, pixels)], SensorNoise(), 0, None), None, "one")
    made = ship_network(Bare(network, out, judged_on, []), Wanted(["onnx"], [(16, 16)]), Silent())
    assert set(made) == {"small_float.onnx"}
    assert made["small_float.onnx"]["parity"]["max_difference"] < 1e-4
    assert load(out / "small_float.onnx").about["training"].startswith("Not known")


def test_an_int8_file_that_loses_much_is_told_with_what_to_do():
    files = {
        f"a_{precision}.onnx": {"precision": precision, "ssim": ssim}
        for precision, ssim in (("float", 0.90), ("float16", 0.85), ("int8", 0.87), ("16x8", 0.89))
    }
    (said,) = much_lost(files)
    assert said.startswith("a_int8.onnx loses 0.030 SSIM: calibrate it on photographs")
    assert much_lost({name: figures | {"ssim": None} for name, figures in files.items()}) == []  # none was run


def test_a_network_without_its_weights_is_told_which_file_is_missing(network, capsys):
    network.with_suffix(".safetensors").unlink()
    for verb in (["anatomy"], ["evaluate"], ["export"]):
        assert main([*verb, f"{network}.json"]) == 1
        assert f"{network}.safetensors is not there, beside small.json" in capsys.readouterr().err.replace("\n", "")


def test_another_json_is_named(network, capsys):
    network.with_suffix(".json").write_text('{"answer": 42}')
    assert main(["evaluate", str(network)]) == 1
    assert f"{network}.json is no network of lpienas: not a blueprint: unknown answer" in capsys.readouterr().err


def test_what_is_neither_run_nor_network_is_refused(tmp_path, capsys):
    assert main(["anatomy", str(tmp_path / "nothing")]) == 1
    assert "neither a run folder nor a network" in capsys.readouterr().err
    (tmp_path / "photo.png").touch()
    assert main(["evaluate", str(tmp_path / "photo.png")]) == 1
    assert "must end in one of .onnx" in capsys.readouterr().err
