"""Own family: the plain residual CNN of the examples is searched, compared with LPIENets and exported."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lpienas
from lpienas.command import main
from nas.searching import Searching, SearchSettings
from nas.task.training import Recipe
from results.dashboard import Beside
from results.files import load_any, load_network, read_json
from results.run import Run
from results.study import candidates, full_trainings, open_study
from search_spaces.family import FamilyError, OwnFamily
from search_spaces.genotype import GeneError
from search_spaces.own import OwnGenotype
from search_spaces.own_space import OwnSpace
from search_spaces.reach import ImpossibleBudget
from search_spaces.space import REFERENCE
from tests.shown_run import shown_run
from tests.small_photos import with_known_device

EXAMPLE = Path(__file__).parents[1] / "examples" / "plain.py"
PLAIN = f"{EXAMPLE}:Plain"
FIXED = ("width=4,8", "depth=1,2", "kernel=3", "activation=relu")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """Eight small clean pictures, smooth with some noise in them."""
    folder, generator = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for number in range(8):
        rows, columns = np.mgrid[0:48, 0:64] / 64
        waves = [np.sin((3 + number) * rows + (2 + channel) * columns) for channel in range(3)]
        pixels = 127 + 90 * np.stack(waves, axis=-1) + generator.normal(0, 2, (48, 64, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def options(photographs: Path, family: str | None = PLAIN, **others) -> lpienas.SearchOptions:
    given = {"trials": 4, "steps": 2, "patch": 32, "batch": 2, "confirm": 2, "full_steps": 2, "seeds": 1, "workers": 1}
    given |= {"data": photographs, "family": family, "fix": FIXED, "threads": 1}
    return lpienas.SearchOptions(**given | others)


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory) -> Run:
    """A finished search; nothing changes it."""
    folder = with_known_device(tmp_path_factory.mktemp("searched") / "plain").folder
    lpienas.search(folder, options(photographs, tensorboard=True))
    return Run(folder)


@pytest.fixture
def copied(run, tmp_path) -> Path:
    shutil.copytree(run.folder, tmp_path / "run")
    return tmp_path / "run"


def test_a_search_scores_networks_of_the_family_beside_the_reference(run):
    found = candidates(open_study(run.study).get_trials())
    assert found[0].genotype == REFERENCE
    own = [candidate for candidate in found[1:] if isinstance(candidate.genotype, OwnGenotype)]
    assert len(own) == len(found) - 1 == 3
    assert {tuple(one.genotype.flat()) for one in own} == {("width", "depth", "kernel", "activation")}
    assert {training.number for training in full_trainings(open_study(run.study))} > {0}


def test_costs_are_those_that_are_counted_by_hand(run):
    for candidate in candidates(open_study(run.study).get_trials())[1:]:
        width, depth = (candidate.genotype.flat()[gene] for gene in ("width", "depth"))
        weights = 9 * (3 * width + (depth - 1) * width**2 + width * 3)
        assert candidate.scores.macs == weights * 256 * 256
        assert candidate.scores.parameters == weights + depth * width + 3


def test_the_run_keeps_the_name_and_the_digest_of_the_source_and_no_path_of_it(run):
    kept = run.settings().family
    assert kept["name"] == "Plain"
    assert re.fullmatch("[0-9a-f]{32}", kept["source"])
    assert run.settings().score == "short"
    assert run.settings().space == {"width": [4, 8], "depth": [1, 2], "kernel": [3], "activation": ["relu"]}


def test_trials_that_were_trained_fully_have_a_note_and_a_picture_of_before_after_and_clean(run):
    study = open_study(run.study)
    for number in {training.number for training in full_trainings(study)}:
        note = Beside(study, run.artifacts).note_of(number)
        assert "| 2 | scratch | 0 |" in note
        assert "made/training-" in note
    pictures = list(run.artifacts.iterdir())
    assert len(pictures) == len(full_trainings(study))
    with Image.open(pictures[0]) as shown:
        assert shown.size == (3 * 64 + 2 * 6, 48)


def test_every_training_has_its_losses_in_the_logs_that_were_asked_for(run):
    logs = {folder.name for folder in (run.folder / "tensorboard").iterdir()}
    assert logs == {"search"} | {folder.name for folder in run.made.iterdir()}


def test_another_source_is_refused_and_so_is_none_and_so_is_a_run_of_lpienets(copied, photographs, tmp_path):
    other = tmp_path / "plain.py"
    other.write_text(EXAMPLE.read_text().replace("std=1e-3", "std=2e-3"))
    before = (copied / "study.journal").read_bytes()
    with pytest.raises(lpienas.Error, match=r"another source.*another run with --out"):
        lpienas.search(copied, options(photographs, f"{other}:Plain"))
    with pytest.raises(lpienas.Error, match=r"add --family FILE\.py:Plain"):
        lpienas.search(copied, options(photographs, None))
    with pytest.raises(lpienas.Error, match="search of LPIENets"):
        lpienas.search(shown_run(tmp_path / "night").folder, lpienas.SearchOptions(family=PLAIN))
    assert (copied / "study.journal").read_bytes() == before


def test_the_same_source_elsewhere_goes_on(copied, photographs, tmp_path):
    moved = tmp_path / "moved.py"
    shutil.copy(EXAMPLE, moved)
    lpienas.search(copied, options(photographs, f"{moved}:Plain", trials=5, confirm=0))
    found = candidates(open_study(copied / "study.journal").get_trials())
    assert len(found) == len({candidate.genotype for candidate in found}) == 5


def test_no_run_folder_has_the_code_of_a_family_run(copied, tmp_path, capsys):
    network = next(one for one in copied.glob("made/training-*/network.json") if "family" in read_json(one))
    assert main(["front", str(copied)]) == 0
    assert main(["watch", str(copied), "--once"]) == 0
    assert "Plain: width" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"--family FILE\.py:Plain"):
        load_network(network.with_suffix(""))
    assert main(["enhance", str(network), str(network), "-o", str(tmp_path / "better.png")]) == 1
    assert "exported file needs no code" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["compress", "anatomy", "sensitivity", "bench", "calibrate --out"])
def test_what_knows_the_stages_of_lpienets_alone_says_so_in_one_sentence(verb, run, capsys):
    assert main([*verb.split(), str(run.folder)]) == 1
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert "lpienas export" in said
    assert "--family FILE.py:Plain" in said


@pytest.mark.parametrize("verb", ["enhance", "evaluate", "bench", "anatomy", "export"])
def test_a_saved_network_is_not_run_by_a_verb_that_has_not_its_file_and_the_way_out_is_named(
    verb, run, photographs, tmp_path, capsys, monkeypatch
):
    network = next(one for one in run.folder.glob("made/*/network.json") if "family" in read_json(one))
    monkeypatch.chdir(tmp_path)
    more = {"enhance": [str(photographs / "0.png"), "-o", "better.png"], "bench": ["--size", "32x32"]}
    assert main([verb, str(network), *more.get(verb, ())]) == 1
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert str(network) in said
    assert "lpienas export NETWORK.json --family FILE.py:Plain --out DIR" in said
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    """A file of a network of the family that was trained fully, in a copy of its run."""
    copy = shutil.copytree(run.folder, tmp_path_factory.mktemp("exported") / "run")
    trained = next(one for one in full_trainings(open_study(run.study)) if one.number > 0)
    asked = lpienas.ExportOptions(family=PLAIN, pick=str(trained.number), to=("onnx",))
    (name,) = lpienas.load_run(copy).export(asked)
    return Path(name)


def test_its_exported_file_is_judged_like_any_other_with_the_multiply_adds_that_it_has(exported, photographs, capsys):
    assert main(["evaluate", str(exported), "--data", str(photographs), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["compared"]
    macs = lpienas.load(exported).runtime.blueprint.macs_at((256, 256))
    assert row["macs"] == macs > 0
    assert 0 < row["ssim"] < 1


@pytest.mark.long
def test_its_exported_file_is_timed_beside_the_reference(exported, capsys):
    assert main(["bench", str(exported), "--seconds", "0.01", "--size", "32x32", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["network"] for row in rows] == ["network_float.onnx", "LPIENet reference"]
    assert all(row["median"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"score": "supernet"}, "short or halving"),
        ({"cost": "memory"}, "macs, or latency in float"),
        ({"cost": "latency", "latency_in": "litert-int8"}, "latency in float"),
        ({"sampler": "guided"}, "tpe"),
        ({"fix": ("breadth=4",)}, "a gene of Plain: width"),
    ],
)
def test_what_networks_of_an_own_family_cannot_be_asked_is_refused(asked, says, photographs, tmp_path):
    with pytest.raises((lpienas.Error, GeneError), match=says):
        lpienas.search(tmp_path / "run", options(photographs, **asked))
    assert not (tmp_path / "run" / "study.journal").exists()


def test_a_budget_below_the_cheapest_network_is_refused_with_the_smallest_possible_one(tmp_path):
    space = OwnSpace.of(named(SMALL, tmp_path))
    settings = SearchSettings(trials=2, recipe=Recipe(1), budget=1000, size=(8, 8))
    searching = Searching(Run(tmp_path), space, None, settings, lambda blueprint: 1.0)
    with pytest.raises(ImpossibleBudget, match=f"smallest possible budget is {(3 * 4 * 25 + 4 * 3) * 64}"):
        searching.require_possible()


def test_it_stands_on_one_page_with_the_front_of_lpienets(run, tmp_path):
    night = shown_run(tmp_path / "night")
    page = lpienas.report([night.folder, run.folder], tmp_path / "both.html", lpienas.ReportOptions(photographs=0))
    told = told_by(page)
    assert [one["name"] for one in told] == ["night", "plain"]
    fronts = [[network for network in one["networks"] if network["kind"] in ("front", "reference")] for one in told]
    assert all(len(front) > 1 for front in fronts)
    own = [network for network in told[1]["networks"] if network["genes"].startswith("Plain: ")]
    assert len(own) == 3
    assert {len(network["stages"]) for network in own} == {0}


def test_with_its_file_a_page_has_pictures_of_it(run, tmp_path):
    given = lpienas.ReportOptions(photographs=1, family=(PLAIN,))
    told = told_by(lpienas.report(run.folder, tmp_path / "page.html", given))
    assert set(told[0]["photographs"][0]["outputs"]) > {"0"}


def test_without_its_file_a_page_has_no_pictures_of_it_and_says_why(run, tmp_path, capsys):
    assert main(["report", str(run.folder), "-o", str(tmp_path / "page.html"), "--photographs", "1"]) == 0
    assert "its code runs only where its file is named" in capsys.readouterr().err
    told = told_by(tmp_path / "page.html")
    assert set(told[0]["photographs"][0]["outputs"]) == {"0"}


def test_an_exported_network_says_in_its_runtime_what_it_says_in_torch_and_needs_no_code(run, exported):
    trained = next(one for one in full_trainings(open_study(run.study)) if one.number > 0)
    opened = lpienas.load(exported)
    assert exported.parent.parts[-2:] == ("exported", f"candidate-{trained.number}")
    network = load_any(run.made / trained.key / "network", [OwnFamily.named(PLAIN)])
    assert opened.halo == network.blueprint.radius
    image = torch.rand(1, 3, 45, 70, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(image, (16,) * 4, mode="reflect")
    with torch.inference_mode():
        expected = network(padded)[..., 16:-16, 16:-16].clamp(0, 1)
    assert torch.allclose(opened.of_tensor(image), expected, atol=1e-5)


def test_an_exported_file_that_is_there_stays(exported, capsys):
    run, pick = exported.parents[2], exported.parent.name.removeprefix("candidate-")
    assert main(["export", str(run), "--family", PLAIN, "--pick", pick, "--to", "onnx"]) == 1
    assert "--force" in capsys.readouterr().err


def told_by(page: Path) -> list[dict[str, Any]]:
    """The runs that a page tells of, in its two parts together."""
    first, rest = (
        json.loads(page.read_text().split(f'id="{part}">')[1].split("</script>")[0])["runs"]
        for part in ("story", "rest")
    )
    for run, later in zip(first, rest, strict=True):
        run["photographs"] = later["photographs"]
        for place, drawn in later["networks"].items():
            run["networks"][int(place)] |= drawn
    told: list[dict[str, Any]] = first
    return told


def named(text: str, tmp_path: Path) -> OwnFamily:
    (tmp_path / "mine.py").write_text(text)
    return OwnFamily.named(f"{tmp_path / 'mine.py'}:Mine")


SMALL = """
from torch import nn
class Mine:
    choices = {"width": (4, 8)}
    def build(self, genes):
        return nn.Sequential(nn.Conv2d(3, genes["width"], 5, padding=2), nn.Conv2d(genes["width"], 3, 1))
    def radius(self, genes): return 2
"""


GROUPED = 'nn.Conv2d(genes["width"], 4, 1, groups=genes["groups"]), nn.Conv2d(4, 3, 1)'


def test_a_family_is_asked_for_its_networks(tmp_path):
    family = named(SMALL, tmp_path)
    space = OwnSpace.of(family)
    assert (space.size, space.extreme(True).genes, space.extreme(False).genes) == (2, (("width", 8),), (("width", 4),))
    assert family.blueprint({"width": 4}).macs_at((16, 32)) == (3 * 4 * 25 + 4 * 3) * 16 * 32


def test_the_dearest_and_the_cheapest_network_are_found_where_a_gene_makes_it_cheaper(tmp_path):
    text = SMALL.replace('{"width": (4, 8)}', '{"width": (4, 8), "groups": (1, 2)}')
    text = text.replace('nn.Conv2d(genes["width"], 3, 1)', GROUPED)
    space = OwnSpace.of(named(text, tmp_path))
    assert dict(space.extreme(True).genes) == {"width": 8, "groups": 1}
    assert dict(space.extreme(False).genes) == {"width": 4, "groups": 2}


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ("return 2", "return 1", "sees further than the 1 pixels"),
        ("return 2", "return -1", "radius = -1"),
        ("padding=2", "padding=0", "must be of the same shape"),
        ("nn.Sequential(", "print(", "must be a torch.nn.Module"),
        ('genes["width"], 5', 'genes["breadth"], 5', "KeyError"),
        ("padding=2)", "padding=2), nn.AdaptiveAvgPool2d(1), nn.Upsample((40, 40))", "means over the whole image"),
    ],
)
def test_a_network_that_is_none_or_sees_further_than_it_says_is_refused(wrong, right, says, tmp_path, capsys):
    assert wrong in SMALL
    with pytest.raises(FamilyError, match=says):
        named(SMALL.replace(wrong, right), tmp_path).blueprint({"width": 4})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nothing_of_that_name", "cannot be run .ModuleNotFoundError"),
        ("Other = 1", "has no Mine"),
        ("class Mine: pass", "has no choices, no build, no radius"),
        (SMALL.replace("(4, 8)", "(4, 4)"), "distinct"),
        (SMALL.replace("(4, 8)", "(4, None)"), "number or a word"),
        (SMALL.replace("    choices", "    def __init__(self, depth): pass\n    choices"), "without any"),
    ],
)
def test_a_file_that_holds_no_family_is_refused(text, says, tmp_path):
    with pytest.raises(FamilyError, match=says):
        named(text, tmp_path)


@pytest.mark.parametrize("text", ["plain.py", "plain:Plain", "plain.py:", "nothing.py:Plain"])
def test_a_family_is_named_by_its_file_and_what_is_in_it(text):
    with pytest.raises(FamilyError, match=r"plain\.py:Plain|is not there"):
        OwnFamily.named(text)


def test_the_example_is_as_short_as_it_is_said_to_be():
    assert len(EXAMPLE.read_text().splitlines()) <= 60
