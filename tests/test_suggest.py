"""Suggest: what is enqueued comes out, proposals are in the space, and the same history gives the same proposal."""

import json
import random
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from nas.suggest import derive_seed, make_sampler, parameters_of, suggest
from search_spaces.genotype import GENES
from search_spaces.space import REFERENCE, Space, default_space, hand_made

ROOT = Path(__file__).parents[1]
SPACE = default_space()
SAMPLES = [SPACE.sample(random.Random(seed)) for seed in range(20)]

ELSEWHERE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_suggest import proposal_after
print(json.dumps([proposal_after(length).flat() for length in json.loads(sys.argv[2])]))
"""


def new_study():
    return optuna.create_study(directions=["maximize", "minimize"])


def proposal_after(length, seed=7):
    """The next proposal of a fresh sampler on a study that is told the first `length` samples."""
    study = new_study()
    generator = random.Random(1)
    for number in range(length):
        study.enqueue_trial(parameters_of(SPACE.sample(random.Random(number))))
        trial = study.ask()
        suggest(trial, SPACE)
        study.tell(trial, [generator.random(), 5 + generator.random()])
    study.sampler = make_sampler(seed, length)
    return suggest(study.ask(), SPACE)


def test_enqueued_genotypes_are_suggested_exactly_and_in_order():
    study, wishes = new_study(), [REFERENCE, *hand_made(SPACE), *SAMPLES]
    for wish in wishes:
        study.enqueue_trial(parameters_of(wish))
    assert [suggest(study.ask(), SPACE) for _ in wishes] == wishes


def test_proposals_are_in_the_space():
    study = new_study()
    for number in range(30):
        study.sampler = make_sampler(0, number)
        SPACE.require(suggest(study.ask(), SPACE))


def test_evenly_spaced_numbers_are_told_to_the_sampler_as_numbers_and_words_as_categories():
    study = new_study()
    suggest(study.ask(), SPACE)
    kinds = {gene: type(kind).__name__ for gene, kind in study.trials[0].distributions.items()}
    assert tuple(kinds) == GENES
    for gene, kind in kinds.items():
        expected = {"depth": "IntDistribution", "width": "IntDistribution", "expansion": "FloatDistribution"}
        assert kind == expected.get(gene.split(".")[-1], "CategoricalDistribution")


@pytest.mark.parametrize("widths", [(8, 12, 32), (16,)])
def test_uneven_or_single_numbers_are_proposed_as_they_are(widths):
    space = Space(dict(SPACE.choices) | {"encoder1.width": widths})
    study = new_study()
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    assert {suggest(study.ask(), space).stages[0].width for _ in range(40)} == set(widths)


@pytest.mark.parametrize("length", [0, 25])
def test_the_same_history_gives_the_same_proposal(length):
    assert proposal_after(length) == proposal_after(length)


@pytest.mark.parametrize("length", [0, 25])
def test_another_seed_gives_another_proposal(length):
    assert proposal_after(length, seed=7) != proposal_after(length, seed=8)


def test_another_process_makes_the_same_proposals_from_the_same_history():
    lengths = [0, 25]  # random at the start, then from the model of the history
    arguments = [sys.executable, "-c", ELSEWHERE, str(Path(__file__).parent), json.dumps(lengths)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [proposal_after(length).flat() for length in lengths]


def test_fresh_samplers_do_not_repeat_their_first_proposal():
    study, proposals = new_study(), []
    for number in range(10):
        study.sampler = make_sampler(0, number)
        proposals.append(suggest(study.ask(), SPACE))
    assert len(set(proposals)) == 10


def test_a_derived_seed_stays_what_it_was():
    assert derive_seed(0, 0, "sampler") == 1935428675
    assert derive_seed(12, 345, "training") == 608360466


def test_derived_seeds_differ_by_seed_number_and_purpose():
    seeds = {
        derive_seed(seed, number, purpose)
        for seed in range(20)
        for number in range(50)
        for purpose in ("sampler", "training")
    }
    assert len(seeds) == 20 * 50 * 2
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_seed_and_a_number_do_not_run_together():
    assert derive_seed(1, 23, "training") != derive_seed(12, 3, "training")
