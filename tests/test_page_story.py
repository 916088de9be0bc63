"""Page's story: what is gathered of a run is what the run holds, and says what was not measured."""

import json
from dataclasses import replace

import optuna
import pytest
from optuna.trial import create_trial

from results.candidate import Scores
from results.front import ReferencePoint, hypervolume
from results.page.beside import beside
from results.page.course import LEAST_TRIALS, course_of, importance_of
from results.page.gather import stages_of
from results.page.story import Handed, Shown, Story
from results.report import report_front
from results.study import open_study, reference_point
from search_spaces.blueprint import Blueprint
from search_spaces.space import REFERENCE
from tests.finished_search import SSIMS, finished_search
from tests.shown_run import SETTINGS, TESTED, shown_run, told


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return shown_run(tmp_path_factory.mktemp("shown") / "night")


@pytest.fixture(scope="module")
def story(run):
    return told(run)


def network(story, key) -> Shown:
    return next(one for one in story.networks if one.key == key)


def test_every_candidate_stands_in_the_story_once_with_the_reference_first(story):
    keys = [one.key for one in story.networks]
    assert keys[0] == "0"
    assert story.networks[0].kind == "reference"
    assert sorted(keys) == ["0", "1", "2", "3", "4", "float", "quantized"]


def test_what_beats_what_follows_from_validation_and_what_is_shown_is_of_the_test(story):
    assert network(story, "1").kind == "front"
    assert network(story, "1").test_ssim == pytest.approx(TESTED[1] + 0.0015)
    assert network(story, "1").ssim == pytest.approx(TESTED[1] + 0.01)
    assert network(story, "2").kind in ("dominated", "fell off")  # candidate 3 is better and cheaper
    assert sum(one.knee for one in story.networks) == 1


def test_a_candidate_that_was_not_trained_fully_has_the_score_of_the_search_alone(story):
    searched = network(story, "4")
    assert searched.kind == "searched"
    assert (searched.ssim, searched.test_ssim, searched.low) == (None, None, None)
    assert searched.search_ssim == SSIMS[4]


def test_an_interval_is_around_the_test_score_and_as_wide_as_the_verdict_on_the_reference_says(story):
    shown = network(story, "1")
    assert shown.low < shown.test_ssim < shown.high
    assert shown.low > network(story, "0").test_ssim  # 0.04 above it, with a scatter of 0.001
    assert network(story, "0").low is None


def test_networks_trained_once_have_no_interval(tmp_path):
    once = shown_run(tmp_path / "once")
    study = open_study(once.study)
    for key in [key for key in study.user_attrs if key.startswith("training") and key.endswith(" 1")]:
        study._storage.set_study_user_attr(study._study_id, key, study.user_attrs[key] | {"kind": "dropped"})
    assert {one.low for one in told(once).networks} == {None}


def test_the_compression_is_told_stage_by_stage_and_before_fine_tuning_too(story):
    assert [one["name"] for one in story.compression] == [
        "trained fully",
        "pruned, before fine-tuning",
        "pruned, fine-tuned",
        "float, as shipped",
        "int8",
    ]
    assert story.compression[1]["test_ssim"] == 0.7
    assert story.compression[-1]["bytes"] == 12345  # of the file that ships


def test_what_made_the_run_and_which_photographs_is_told(story):
    assert story.made["settings"]["seed"] == SETTINGS.seed
    assert {part: one["count"] for part, one in story.made["splits"].items()} == {
        "training": 3,
        "validation": 3,
        "test": 2,
    }
    assert story.made["commands"]
    assert story.made["versions"]["optuna"]
    assert story.cost["budget"] == 600e6


def test_a_search_without_anything_else_has_a_story_that_says_so(tmp_path):
    bare = finished_search(tmp_path / "bare", SETTINGS)
    found = told(bare, Handed())
    assert found.split == "validation"
    assert not found.compression
    assert not found.photographs
    assert not found.importance
    assert {one.test_ssim for one in found.networks} == {None}


def test_a_story_is_plain_json_without_nan(story):
    whole = Story([story], "0.1", "now").to_json()
    assert json.loads(json.dumps(whole, allow_nan=False))["runs"][0]["name"] == "night"


def test_a_story_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        Story([], "0.1", "now")


def test_a_kind_that_the_page_does_not_know_is_refused(story):
    with pytest.raises(ValueError, match="kind = 'best'"):
        replace(story.networks[0], kind="best")


def test_the_stages_that_are_drawn_share_all_multiply_adds_and_end_with_the_head():
    stages = stages_of(Blueprint.from_genotype(REFERENCE), (256, 256))
    assert sum(stage["share"] for stage in stages) == pytest.approx(1)
    assert [stage["name"] for stage in stages] == ["encoder1", "encoder2", "encoder3", "decoder1", "decoder2", "head"]
    assert [stage["level"] for stage in stages] == [1, 2, 3, 3, 2, 1]
    assert stages[0]["hidden"] == [16, 16]
    assert stages[-1]["skip"] == "encoder1"


def test_the_hypervolume_never_falls_and_ends_at_that_of_all_scores(run):
    study = open_study(run.study)
    points = course_of(study.get_trials(deepcopy=False), reference_point(study))["points"]
    volumes = [point["hypervolume"] for point in points]
    every = [candidate.scores for candidate in report_front(study).searched]
    assert len(points) == len(every)
    assert volumes == sorted(volumes)
    assert volumes[-1] == pytest.approx(hypervolume(every, reference_point(study)))


def study_of(trials: int) -> optuna.Study:
    """SSIM follows `encoder1.width` alone, the cost `encoder1.depth` alone."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    spread = {
        "encoder1.width": optuna.distributions.IntDistribution(4, 16, step=4),
        "encoder1.depth": optuna.distributions.IntDistribution(1, 3),
        "head": optuna.distributions.CategoricalDistribution(("gated", "conv3x3")),
    }
    for number in range(trials):
        genes = {"encoder1.width": 4 + 4 * (number % 4), "encoder1.depth": 1 + number // 4 % 3}
        genes |= {"head": ("gated", "conv3x3")[number // 12 % 2]}
        values = [0.5 + genes["encoder1.width"] / 100, 6.0 + genes["encoder1.depth"]]
        study.add_trial(create_trial(params=genes, distributions=spread, values=values))
    study.add_trial(create_trial(params={}, distributions={}, values=[0.6, 8.0]))  # the reference: outside the space
    return study


def test_the_gene_that_decides_is_the_most_important_one():
    found = importance_of(study_of(96))
    assert found[0]["gene"] == "encoder1.width"
    assert max(found, key=lambda one: one["cost"])["gene"] == "encoder1.depth"
    assert sum(one["ssim"] for one in found) == pytest.approx(1)


def test_few_trials_say_nothing_of_genes():
    assert importance_of(study_of(LEAST_TRIALS - 2)) == []


def test_runs_on_the_same_photographs_have_hypervolumes_up_to_one_corner(story):
    dear = replace(story.networks[1], key="9", kind="front", cost=10 * story.networks[0].cost)
    found = beside([story, replace(story, networks=[*story.networks, dear])])
    assert "compare" in found["says"]
    scored = [one for one in story.networks if one.kind in ("front", "reference")]
    corner = ReferencePoint(story.input_ssim, dear.cost)
    area = hypervolume([Scores(one.test_ssim, one.test_psnr, one.macs, 1, one.cost) for one in scored], corner)
    assert found["hypervolumes"][0] == pytest.approx(area)
    assert found["hypervolumes"][1] >= found["hypervolumes"][0]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"input_ssim": 0.7}, "different photographs"),
        ({"made": {"fingerprint": "beef"}}, "different photographs"),
        ({"split": "validation"}, "different photographs"),
        ({"cost": {"kind": "latency", "size": "256x256"}}, "different kinds"),
    ],
)
def test_runs_that_do_not_compare_are_said_not_to(other, says, story):
    found = beside([story, replace(story, **other)])
    assert says in found["says"]
    assert found["hypervolumes"] is None
