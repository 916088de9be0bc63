import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import lpienas
from lpienas.command import main
from nas.searching import space_of
from nas.suggest import parameters_of, suggest
from results.candidate import Scores
from results.files import write_json
from results.front import ReferencePoint
from results.photo_score import PhotoScore
from results.run import Run
from results.study import Trained, fix_reference_point, open_study, record_test_input, record_training
from results.trials import attributes_of, tell_scores
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.count import parameters_of as count_parameters
from search_spaces.space import PAPER, REFERENCE, default_space, scaled
from tests.small_photos import with_known_device

ROOT = Path(__file__).parent.parent
VERBS = (
    "describe", "space", "search", "calibrate", "front", "compress", "export", "enhance", "samples",
    "noise", "evaluate", "bench",
)  # fmt: skip
LATER = {  # as runs were that state none of these
    "noise": "white",
    "noise_profile": None,
    "synthetic": 0.0,
    "task": "denoise",
    "loss": [],
    "judged": 64,
    "least_judged": 1,
    "recipe": "default",
}
SETTINGS = {
    "data": None,
    "score": "short",
    "cost": "macs",
    "latency_in": "onnx-float",
    "fix": [],
    "budget": None,
    "size": [256, 256],
    "sampler": "tpe",
    "seed": 0,
    "steps": 9,
    "patch": 64,
    "batch": 8,
    "splits": ["training", "validation", "test"],
}


def state(run: Run, *without: str) -> None:
    """Settings of a version that did not know those of today."""
    settings = {name: value for name, value in SETTINGS.items() if name not in without}
    write_json(run.folder / "run.json", {"settings": settings, "commands": []})


@pytest.fixture
def finished(tmp_path) -> Path:
    """A run folder whose study holds four networks and the reference, with made-up scores."""
    run = with_known_device(tmp_path / "run")
    state(run)
    space, study = default_space(), open_study(run.study, create=True)
    fix_reference_point(study, ReferencePoint(0.5, 4_000_000_000))
    light = replace(REFERENCE, activation="relu", head="conv3x3")
    smaller = [space.nearest(scaled(light, factor)) for factor in (1, 0.5, 0.75, 0.25)]
    for number, genotype in enumerate([REFERENCE, *smaller]):
        if number:  # the reference is not of the space
            study.enqueue_trial(parameters_of(genotype, space))
        trial = study.ask()
        assert number == 0 or suggest(trial, space) == genotype
        blueprint = Blueprint.from_genotype(genotype)
        macs, parameters = macs_of(blueprint, (256, 256)), count_parameters(blueprint)
        for name, value in attributes_of(genotype, macs, parameters, float(macs)).items():
            trial.set_user_attr(name, value)
        tell_scores(study, number, Scores((0.7, 0.8, 0.78, 0.6, 0.75)[number], 30.0, macs, parameters))
    return run.folder


def scored_reference(run: Run) -> None:
    """A study in `run` with the reference alone."""
    study = open_study(run.study, create=True)
    fix_reference_point(study, ReferencePoint(0.5, 4_000_000_000))
    trial = study.ask()
    for name, value in attributes_of(REFERENCE, 10, 10, 10.0).items():
        trial.set_user_attr(name, value)
    tell_scores(study, 0, Scores(0.7, 30.0, 10, 10))


def printed(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  lpienas {verb} " in capsys.readouterr().out


def test_describe_prints_the_released_network_as_one_json_object(capsys):
    assert main(["describe", "--preset", "reference", "--json"]) == 0
    described = printed(capsys)
    assert described["parameters"] == 133652
    assert described["macs"] == 1198063616
    assert described["size"] == [256, 256]
    assert described["genotype"] == REFERENCE.to_json()


def test_describe_counts_at_the_asked_size(capsys):
    main(["describe", "--size", "128x512", "--json"])
    assert printed(capsys)["macs"] == 1198063616  # as many pixels as 256x256


def test_describe_takes_a_genotype_from_a_file(tmp_path, capsys):
    (tmp_path / "paper.json").write_text(json.dumps(PAPER.to_json()))
    main(["describe", "--genotype", str(tmp_path / "paper.json"), "--json"])
    assert printed(capsys)["genotype"] == PAPER.to_json()


def test_a_wrong_gene_in_a_file_is_an_error_that_names_it(tmp_path, capsys):
    (tmp_path / "wrong.json").write_text(json.dumps(PAPER.to_json() | {"head": "round"}))
    assert main(["describe", "--genotype", str(tmp_path / "wrong.json")]) == 1
    assert "gene head = 'round': must be one of gated, conv3x3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["space", "--budget", "lots"], "write multiply-adds like 600M"),
        (["search", "--out", "x", "--score", "guess"], "invalid choice: 'guess'"),
        (["search", "--out", "x", "--confirm", "-1"], "at least 1"),
        (["search", "--out", "x", "--trials", "0"], "at least 1"),
        (["describe", "--size", "256"], "write HEIGHTxWIDTH"),
    ],
)
def test_a_wrong_argument_ends_with_2_and_says_what_to_write(arguments, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["front", "compress", "export"])
def test_a_folder_that_is_no_run_is_an_error_that_says_how_to_start_one(verb, tmp_path, capsys):
    assert main([verb, str(tmp_path)]) == 1
    assert "lpienas search --out" in capsys.readouterr().err


def test_front_prints_its_keys_as_json_cheapest_candidate_first(finished, capsys):
    assert main(["front", str(finished), "--json"]) == 0
    front = printed(capsys)
    assert {"reference", "front", "knee", "hypervolume", "reference_point", "trials"} <= set(front)
    assert [candidate["number"] for candidate in front["front"]] == [4, 2, 1]
    keys = {"number", "ssim", "psnr", "test_ssim", "test_psnr", "macs", "parameters", "cost", "genotype"}
    assert set(front["front"][0]) == keys
    assert (front["split"], front["test"], front["front"][0]["test_ssim"]) == ("validation", None, None)
    assert front["knee"] == 2
    assert front["trials"] == {"COMPLETE": 5}
    assert front["reference"]["number"] == 0


def test_a_run_as_a_value_says_what_the_verb_says(finished, capsys):
    run = lpienas.load_run(finished)
    assert main(["front", str(finished), "--json"]) == 0
    said = printed(capsys)
    assert [candidate.to_json() for candidate in run.front] == said["front"]
    assert (run.knee.number, run.front.says) == (said["knee"], said["verdict"])
    assert [(row["number"], row["role"]) for row in run.table()] == [
        (4, "front"),
        (2, "knee"),
        (3, ""),
        (1, "front"),
        (0, "reference"),
    ]
    shown = run.front._repr_html_()
    assert (shown.count("<tr>"), "<td>knee</td>" in shown) == (1 + 4, True)


def test_front_shows_a_table_a_plot_and_a_verdict(finished, tmp_path, capsys):
    assert main(["front", str(finished), "--plot", str(tmp_path / "front.png")]) == 0
    shown = capsys.readouterr().out
    assert "The front beats the reference" in shown
    assert "hypervolume" in shown
    with Image.open(tmp_path / "front.png") as plot:
        assert plot.width > 600


def test_unusable_photographs_are_listed_before_anything_is_trained(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "broken.png").write_text("no picture")
    Image.new("RGB", (20, 20)).save(tmp_path / "data" / "small.png")
    assert main(["search", "--out", str(tmp_path / "run"), "--data", str(tmp_path / "data")]) == 1
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "small.png" in said
    assert not (tmp_path / "run" / "study.journal").exists()
    assert not (tmp_path / "run" / "run.json").exists()


def test_continuing_with_another_seed_is_refused(finished, capsys):
    assert main(["search", "--out", str(finished), "--seed", "7", "--trials", "5"]) == 1
    assert "seed was 0, now 7" in capsys.readouterr().err


def test_a_finished_search_continues_without_work_and_keeps_its_settings(finished, capsys):
    command = ["search", "--out", str(finished), "--trials", "5", "--workers", "1", "--confirm", "0", "--json"]
    assert main(command) == 0
    assert printed(capsys)["trials"] == {"COMPLETE": 5}
    stated = json.loads((finished / "run.json").read_text())["settings"]
    assert {name: stated[name] for name in SETTINGS} == SETTINGS
    assert stated["space"] == default_space().to_json()
    assert {name: stated[name] for name in LATER} == LATER


@pytest.mark.parametrize(("words", "was"), [(("--noise", "camera"), "white"), (("--synthetic", "0.5"), "0.0")])
def test_a_run_from_before_camera_noise_is_not_continued_with_it(words, was, finished, capsys):
    assert main(["search", "--out", str(finished), "--trials", "5", *words]) == 1
    assert f"{words[0][2:]} was {was}, now {words[1]}" in capsys.readouterr().err
    assert Run(finished).settings().noise == "white"


def test_a_run_from_before_there_were_tasks_is_not_continued_with_another(finished, capsys):
    assert main(["search", "--out", str(finished), "--trials", "5", "--task", "deblur", "--noise", "camera"]) == 1
    assert "task was denoise, now deblur" in capsys.readouterr().err
    assert Run(finished).settings().task == "denoise"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--noise", "white", "--noise-profile", "pixel"), "add --noise camera or blend"),
        (("--noise-profile", "no-such-phone"), "darmstadt"),
        (("--noise", "blend", "--blend", "1.5"), "blend = 1.5"),
        (("--synthetic", "0.5"), "bring pairs"),
    ],
)
def test_noise_that_cannot_be_is_refused_before_the_run_folder_states_it(words, says, tmp_path, capsys):
    assert main(["search", "--out", str(tmp_path / "run"), *words]) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_new_run_states_its_noise_with_all_figures_of_the_profile(tmp_path, monkeypatch):
    class Begun(Exception):
        """Stands for the work, which is not done here."""

    def begin(*_):
        raise Begun

    monkeypatch.setattr("nas.search.search", begin)
    for name, words in {"one": (), "two": ("--noise", "camera", "--noise-profile", "pixel")}.items():
        with_known_device(tmp_path / name)
        with pytest.raises(Begun):
            main(["search", "--out", str(tmp_path / name), "--workers", "1", *words])
    one, two = (Run(tmp_path / name).settings() for name in ("one", "two"))
    assert (one.noise, one.blend, one.noise_profile["name"]) == ("blend", 0.5, "wide")
    assert two.noise == "camera"
    assert two.noise_profile["shot"] == [0.000228, 0.001764]


def test_a_run_is_continued_in_the_space_that_it_was_begun_in_and_refuses_another(finished, monkeypatch, capsys):
    command = ["search", "--out", str(finished), "--trials", "5", "--workers", "1", "--confirm", "0", "--json"]
    assert main(command) == 0
    begun_in = default_space()
    monkeypatch.setattr("nas.searching.default_space", lambda: begun_in.fixed(["block=paper"]))  # of a later version
    assert main(command) == 0
    assert space_of(Run(finished).settings()) == begun_in
    assert main([*command, "--fix", "block=mobilenet"]) == 1
    assert "(fix was [], now ['block=mobilenet']): use them" in capsys.readouterr().err


@pytest.mark.parametrize(("cost", "budget", "says"), [("macs", "lots", "like 600M"), ("latency", "8MB", "like 25ms")])
def test_a_budget_in_another_unit_than_the_cost_is_refused(cost, budget, says, tmp_path, capsys):
    assert main(["search", "--out", str(tmp_path / "run"), "--cost", cost, "--budget", budget]) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_space_prints_the_shares_within_a_budget_as_one_json_object(capsys):
    assert main(["space", "--budget", "600M", "--samples", "50", "--json"]) == 0
    space = printed(capsys)
    assert space["genotypes"] == default_space().size
    assert space["reference"]["macs"] == 1198063616
    assert space["budget"] == 600_000_000
    assert 0 <= space["within_budget"]["low"] <= space["within_budget"]["value"] <= space["within_budget"]["high"] <= 1


def test_space_names_the_smallest_possible_budget_where_none_fits(capsys):
    assert main(["space", "--budget", "1M"]) == 1
    assert "the smallest possible budget is" in capsys.readouterr().err


def test_front_says_what_fell_off_after_full_training_and_how_far_the_scores_agree(finished, capsys):
    study = open_study(finished / "study.journal")
    record_test_input(study, 0.4)
    for number, ssim in ((0, 0.7), (1, 0.8), (2, 0.72), (4, 0.75)):  # 2 is no longer better than the cheaper 4
        test = tuple(PhotoScore(name, ssim - lower, 29.0) for name, lower in (("a", 0.1), ("b", 0.3)))
        record_training(study, Trained(number, "full", 40, 0, "scratch", ssim, 30.0, test))
    agreement = {"score": "short, 9 steps", "tau": 0.71, "low": 0.5, "high": 0.9, "seconds": 1.0}
    calibration = {"agreements": [agreement], "advice": "-", "networks": [{}] * 12}
    (finished / "calibration.json").write_text(json.dumps(calibration))
    assert main(["front", str(finished)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "fell off the front: candidate 2, SSIM 0.5200 after full training" in shown
    assert (
        "short, 9 steps against full training from scratch, Kendall tau 0.71 (0.50 to 0.90) over 12 networks" in shown
    )
    assert "Scores: full training of 40 steps" in shown
    assert "on 2 test photographs, which chose nothing, at most 384x384 pixels around the centre of each" in shown
    assert {"0.5000", "0.5500", "0.6000"} <= set(shown.split())  # of the reference and the front, on the test
    assert not {"0.7000", "0.7500", "0.8000"} & set(shown.split())  # on the validation
    assert main(["front", str(finished), "--json"]) == 0
    front = printed(capsys)
    assert [candidate["number"] for candidate in front["fell_off"]] == [2]
    assert [(one["ssim"], round(one["test_ssim"], 9)) for one in front["front"]] == [(0.75, 0.55), (0.8, 0.6)]
    assert front["split"] == "test"
    assert front["test"]["photographs"] == 2
    assert front["calibration"] == calibration


@pytest.mark.parametrize(
    "command", [["search", "--trials", "5", "--out"], ["compress"], ["export"], ["sensitivity"], ["evaluate"]]
)
def test_a_run_of_a_version_that_kept_no_test_photographs_is_shown_and_not_gone_on_with(command, model, capsys):
    older = Run(model)
    state(older, "splits")
    scored_reference(older)
    record = (model / "run.json").read_text()
    assert main([*command, str(model)]) == 1
    assert "made by a version that kept no test photographs" in capsys.readouterr().err
    assert (model / "run.json").read_text() == record
    assert main(["front", str(model)]) == 0


def test_exporting_before_compressing_says_which_verb_is_missing(finished, capsys):
    assert main(["export", str(finished)]) == 1
    assert "lpienas compress" in capsys.readouterr().err
