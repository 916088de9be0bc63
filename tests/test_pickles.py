"""Pickles: a file that would run code where it is unpickled runs none, wherever a file is read, and is an error."""

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compress.bench.host import measuring_host
from compress.bench.phone_log import imported
from compress.export.delegates import delegated
from compress.int8.calibration import kept_calibration
from compress.runtime.blocks import read_blocks
from compress.runtime.runtimes import load
from lpienas.command import main
from lpienas.command.describe import genotype_in
from nas.scoring.supernet import open_supernet
from nas.task.checkpoint import before
from nas.task.data.facts import ledger, looked_at
from nas.task.data.manifest import Photographs
from nas.task.data.source import Source
from nas.task.data.tiles import Tiles
from nas.task.degrade.kernels import KernelFile
from nas.task.degrade.profile import find_profile
from nas.task.device import Device
from nas.task.perceptual import tensors_alone
from nas.task.teacher import Teacher
from nas.task.training import Course, Recipe, train
from nas.where.killed import Kills
from results.compressions import compression_of
from results.files import load_network, read_json, read_tensors, save_network
from results.record import RunSettings
from results.run import Run
from results.store import Store
from results.study import open_study
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.space import default_space

SMALL = Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, "none"),) * 5, activation="relu", head="conv3x3"))
ENDINGS = (".png", ".jpg", ".tif", ".webp", ".avif", ".bmp", ".npy", ".mat")


class Evil:
    """Makes a folder where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path) -> Path:
    return tmp_path / "was-run"


def plain(mark: Path) -> bytes:
    return pickle.dumps(Evil(mark))


def of_torch(mark: Path) -> bytes:
    """As torch.save writes it: a pickle in an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(mark)))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def of_numpy(mark: Path) -> bytes:
    """An array of objects."""
    file = io.BytesIO()
    np.save(file, np.array([Evil(mark)], dtype=object), allow_pickle=True)
    return file.getvalue()


def of_numpy_archive(mark: Path) -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.array([Evil(mark)], dtype=object))
    return file.getvalue()


FORMS = (plain, of_torch, of_numpy, of_numpy_archive)


def test_each_of_these_files_runs_its_code_where_it_is_unpickled(mark):
    pickle.loads(plain(mark))
    assert mark.exists()
    mark.rmdir()
    np.load(io.BytesIO(of_numpy(mark)), allow_pickle=True)
    assert mark.exists()


def _network(path: Path) -> object:
    save_network(path.parent / "network", build(SMALL, seed=0))
    shutil.copy(path, path.parent / "network.safetensors")
    return load_network(path.parent / "network")


def _blueprint(path: Path) -> object:
    save_network(path.parent / "network", build(SMALL, seed=0))
    shutil.copy(path, path.parent / "network.json")
    return load_network(path.parent / "network")


def _record(path: Path) -> object:
    folder = path.parent / "made" / "training-0"
    folder.mkdir(parents=True)
    shutil.copy(path, folder / "record.json")
    return Store(path.parent / "made").record("training-0")


def _settings(path: Path) -> object:
    Run(path.parent / "run").describe(RunSettings())
    shutil.copy(path, path.parent / "run" / "run.json")
    return Run(path.parent / "run").settings()


def _compression(path: Path) -> object:
    run = Run(path.parent / "run")
    run.describe(RunSettings())
    (run.folder / "compressions").mkdir()
    shutil.copy(path, run.folder / "compressions" / "small.json")
    return compression_of(run, "small")


def _genotype(path: Path) -> object:
    (path.parent / "genotype.json").write_bytes(path.read_bytes())
    return genotype_in(path.parent / "genotype.json")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "weights": ("a.safetensors", read_tensors),
    "a network's weights": ("a.safetensors", _network),
    "a network's blueprint": ("a.json", _blueprint),
    "a supernet": ("supernet.safetensors", lambda path: open_supernet(path, default_space())),
    "calibration patches": ("calibration.safetensors", kept_calibration),
    "JSON": ("spent.json", read_json),
    "settings": ("run.json", _settings),
    "a record": ("record.json", _record),
    "a study": ("study.journal", open_study),
    "an older study": ("study.db", open_study),
    "a noise profile": ("camera.json", find_profile),
    "a model, ONNX": ("a.onnx", load),
    "a model, LiteRT": ("a.tflite", load),
    "a model, ExecuTorch": ("a.pte", load),
    "a list of photographs": ("photographs.json", Photographs.read),
    "what ended its worker": ("killed.json", Kills),
    "a compression": ("record.json", _compression),
    "a genotype": ("a.json", _genotype),
    "where latencies are measured": ("host.json", lambda path: measuring_host(path.parent)),
    "blocks of SIDD": ("a.mat", read_blocks),
    "a phone's log": ("a.log", imported),
    "what accelerators leave out, LiteRT": ("a.tflite", delegated),
    "what accelerators leave out, ONNX": ("a.onnx", delegated),
    "what accelerators leave out, ExecuTorch": ("a.pte", delegated),
    "a teacher": ("a.onnx", lambda path: Teacher.of(path).restore(np.zeros(0))),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_in_the_place_of_a_file_is_an_error_and_runs_nothing(reader, form, mark, tmp_path):
    name, read = READERS[reader]
    path = tmp_path / name
    path.write_bytes(form(mark))
    with pytest.raises(Exception):  # noqa: B017, PT011 - an error of whatever kind; which, other tests say
        read(path)
    assert not mark.exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_pickle_in_the_place_of_a_photograph_is_none(ending, form, mark, tmp_path):
    path = tmp_path / f"a{ending}"
    path.write_bytes(form(mark))
    assert looked_at(path).problem
    assert not mark.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_pickle_in_the_cache_is_made_again(form, mark, tmp_path):
    from PIL import Image

    Image.new("RGB", (20, 10), "red").save(tmp_path / "a.png")
    facts, tiles = looked_at(tmp_path / "a.png"), Tiles(tmp_path / "cache")
    source = Source(tmp_path, "a.png", facts.digest, facts.height, facts.width, facts.bits)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{source.name}.tiles").write_bytes(form(mark))
    (tmp_path / "cache" / "known.npy").write_bytes(form(mark))
    assert tiles.crop(source, 0, 0, 10, 20).tolist() == [[[255, 0, 0]] * 20] * 10
    assert tiles.array("known") is None
    assert not mark.exists()


def test_a_pickle_in_the_place_of_a_checkpoint_is_dropped(mark, tmp_path):
    import torch

    path = tmp_path / "checkpoint.safetensors"
    for file, form in ((path, plain), (before(path), of_torch)):
        file.write_bytes(form(mark))
    network = torch.nn.Conv2d(3, 3, 1)
    batch = (torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))
    with pytest.warns(UserWarning, match="begins again"):
        train(
            network, lambda step: batch, torch.nn.functional.l1_loss, Course(Recipe(2), Device("cpu", False, ""), path)
        )
    assert not mark.exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", [".npy", ".npz", ".mat", ".png", ".tif"])
def test_a_pickle_in_the_place_of_kernels_is_named(ending, form, mark, tmp_path):
    path = tmp_path / f"a{ending}"
    path.write_bytes(form(mark))
    with pytest.raises(ValueError, match=rf"kernels {path}: "):
        KernelFile.of(path)
    assert not mark.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_pickle_in_the_place_of_known_digests_costs_looking_again(form, mark, tmp_path):
    from PIL import Image

    Image.new("RGB", (20, 10), "red").save(tmp_path / "a.png")
    (tmp_path / "digests.sqlite").write_bytes(form(mark))
    with ledger(tmp_path) as known:
        assert known.facts(tmp_path / "a.png").digest == looked_at(tmp_path / "a.png").digest
    assert not mark.exists()


@pytest.mark.parametrize("name", ["vgg16-397923af.pth", "lpips_weights.pt", "dists_weights.pt"])
def test_weights_that_another_library_would_unpickle_are_taken_as_tensors_alone(name, mark, tmp_path):
    """As piq asks for those of LPIPS and DISTS, by torch.hub."""
    import torch

    torch.save({"weight": torch.ones(2)}, tmp_path / f"sound-{name}")
    torch.save(Evil(mark), tmp_path / name)
    of_file = {"url": f"file:///{name}", "model_dir": str(tmp_path)}  # it is there, and not fetched
    with tensors_alone():
        assert torch.hub.load_state_dict_from_url(**of_file, file_name=f"sound-{name}")["weight"].sum() == 2
        with pytest.raises(pickle.UnpicklingError):
            torch.hub.load_state_dict_from_url(**of_file)
    assert not mark.exists()
    torch.hub.load_state_dict_from_url(**of_file)
    assert mark.exists()  # as it would be without


def test_a_pickle_in_json_is_a_text_and_stays_one(mark, tmp_path):
    run = tmp_path / "run"
    Run(run).describe(RunSettings())
    stated = json.loads((run / "run.json").read_text())
    stated["settings"]["data"] = {"py/object": "os.mkdir", "py/reduce": [{"py/function": "os.mkdir"}, [str(mark)]]}
    (run / "run.json").write_text(json.dumps(stated))
    assert main(["front", str(run)]) == 1
    assert not mark.exists()
