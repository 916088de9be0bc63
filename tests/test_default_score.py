"""The default score: the one that ranks best at its cost where scores were measured, and a whole search by it."""

from pathlib import Path

import pytest

from lpienas import SearchOptions, search
from lpienas.run_settings import settled
from lpienas.searches import STEPS
from nas.confirm import to_train
from nas.merit import held_for
from results.files import read_json
from results.run import Run
from results.study import candidates, full_trainings, open_study
from search_spaces.space import default_space
from tests.small_photos import small_photos, with_known_device

PUBLISHED = Path(__file__).parents[1] / "results" / "published" / "scores" / "scores.json"
OF_SEARCHES = ("training of ", "supernet of ", "tuned slices ", "halving ")  # predictors saw the truth


def test_the_first_of_the_published_scores_is_what_a_search_decides_by():
    score = settled(SearchOptions(), None).score
    assert score == "short"
    assert read_json(PUBLISHED)["scores"][0]["name"] == f"training of {STEPS[score]} steps, smoothed"


def test_no_score_of_up_to_twice_its_cost_ranks_better():
    scores = read_json(PUBLISHED)["scores"]
    dearest = 2 * scores[0]["seconds"]
    rivals = [one for one in scores if one["name"].startswith(OF_SEARCHES) and one["seconds"] <= dearest]
    assert len(rivals) > 4
    assert scores[0]["tau"] == max(one["tau"] for one in rivals)


@pytest.mark.slow
def test_a_search_that_is_told_nothing_trains_each_candidate_and_then_some_of_every_cost(tmp_path):
    folder = tmp_path / "run"
    with_known_device(folder)
    small = {"trials": 7, "budget": "150M", "fix": ("depth=1",), "confirm": 4, "full_steps": 30, "seeds": 1}
    photos = small_photos(tmp_path / "photos", 12, 80, 112)
    search(folder, SearchOptions(data=photos, noise="white", steps=40, patch=32, batch=2, workers=1, **small))
    run = Run(folder)
    study = open_study(run.study)
    assert run.settings().score == "short"
    assert not run.supernet.exists()
    scored = candidates(study.trials)
    made = {record["figures"]["ssim"] for record in map(read_json, (folder / "made").glob("*/record.json"))}
    assert {candidate.scores.ssim for candidate in scored} <= made
    by_hand = {candidate.number for candidate in scored if candidate.genotype in default_space().hand_made()}
    others = [candidate for candidate in scored if candidate.number]
    expected = to_train(held_for(study, others), 4, run.read_summary()["input"]["ssim"], by_hand)
    trained = {training.number for training in full_trainings(study)}
    assert trained == {0, *(candidate.number for candidate in expected)}
