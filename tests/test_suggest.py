"""Suggest: what is enqueued comes out, proposals are in the space, and the same history gives the same proposal."""

import json
import random
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from nas.guided import Region
from nas.samplers import AUTO, SAMPLERS, imputes, make_sampler, resolve_sampler
from nas.suggest import POPULATION, derive_seed, parameters_of, suggest
from search_spaces.genotype import GENES
from search_spaces.space import REFERENCE, Space, default_space

ROOT = Path(__file__).parents[1]
SPACE = default_space()
REGION = Region(SPACE)
PARENT = SPACE.nearest(REFERENCE)
SAMPLES = [SPACE.sample(random.Random(seed)) for seed in range(20)]

# Few choices, so that a Gaussian process answers in a moment.
NARROW = Space(
    {
        gene: values if gene in ("encoder1.width", "encoder2.width", "decoder2.depth", "head") else values[:1]
        for gene, values in SPACE.choices.items()
    }
)

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
        study.enqueue_trial(parameters_of(SPACE.sample(random.Random(number)), SPACE))
        trial = study.ask()
        suggest(trial, SPACE)
        study.tell(trial, [generator.random(), 5 + generator.random()])
    study.sampler = make_sampler(seed, length, "tpe", REGION)
    return suggest(study.ask(), SPACE)


def test_enqueued_genotypes_are_suggested_exactly_and_in_order():
    study, wishes = new_study(), [*SPACE.hand_made(), *SAMPLES]
    for wish in wishes:
        study.enqueue_trial(parameters_of(wish, SPACE))
    assert [suggest(study.ask(), SPACE) for _ in wishes] == wishes


def test_proposals_are_in_the_space():
    study = new_study()
    for number in range(30):
        study.sampler = make_sampler(0, number, "tpe", REGION)
        SPACE.require(suggest(study.ask(), SPACE))


def test_evenly_spaced_numbers_are_told_to_the_sampler_as_numbers_and_words_as_categories():
    study = new_study()
    suggest(study.ask(), SPACE)
    kinds = {gene: type(kind).__name__ for gene, kind in study.trials[0].distributions.items()}
    assert tuple(kinds) == SPACE.counting()
    for gene, kind in kinds.items():
        numbers = dict.fromkeys(("depth", "width", "levels"), "IntDistribution")
        expected = numbers | {"expansion": "FloatDistribution"}
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
        study.sampler = make_sampler(0, number, "tpe", REGION)
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


def scored(study, trial):
    """Tell `trial` scores that depend on its genotype alone."""
    genotype = suggest(trial, NARROW)
    width = genotype.stages[0].width + genotype.stages[1].width
    study.tell(trial, [width / 100, 5 + width / 50 + genotype.stages[4].depth / 10])
    return genotype


def history(name, length, storage=None):
    """The proposals of `length` trials, each by a fresh sampler on a freshly loaded study."""
    storage = storage or optuna.storages.InMemoryStorage()
    optuna.create_study(study_name="s", storage=storage, directions=["maximize", "minimize"], load_if_exists=True)
    proposals = []
    for _ in range(length):
        study = optuna.load_study(study_name="s", storage=storage)
        study.sampler = make_sampler(3, len(study.trials), name, REGION)
        proposals.append(scored(study, study.ask()))
    return proposals


def study_with(parents):
    study = new_study()
    for number, parent in enumerate(parents):
        study.enqueue_trial(parameters_of(parent, SPACE))
        study.sampler = make_sampler(0, number, "nsga2", REGION)
        trial = study.ask()
        suggest(trial, SPACE)
        study.tell(trial, [0.5, 6.0])
    return study


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_proposes_genotypes_of_the_space(name):
    study = new_study()
    for number in range(5):
        study.sampler = make_sampler(0, number, name, REGION)
        SPACE.require(suggest(study.ask(), SPACE))


@pytest.mark.parametrize(
    ("name", "length"), [("guided", 4), ("gp", 12), ("tpe", 20), ("nsga2", 2 * POPULATION + 4), ("random", 5)]
)
def test_a_search_taken_up_again_proposes_what_an_unbroken_one_would(name, length):
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage, directions=["maximize", "minimize"])
    unbroken = []
    for number in range(length):
        study.sampler = make_sampler(3, number, name, REGION)
        unbroken.append(scored(study, study.ask()))
    assert history(name, length) == unbroken


def test_a_fresh_genetic_sampler_breeds_from_the_generation_that_others_made():
    study = study_with([PARENT] * POPULATION)
    study.sampler = make_sampler(0, POPULATION, "nsga2", REGION)
    child, parent = suggest(study.ask(), SPACE).flat(), PARENT.flat()
    assert sum(child[gene] != parent[gene] for gene in GENES) <= 6  # a few mutations


def test_a_genetic_sampler_has_no_parents_before_its_first_generation_is_complete():
    study = study_with([PARENT] * (POPULATION - 1))
    study.sampler = make_sampler(0, POPULATION, "nsga2", REGION)
    child, parent = suggest(study.ask(), SPACE).flat(), PARENT.flat()
    assert sum(child[gene] != parent[gene] for gene in GENES) > 6


def test_a_gaussian_process_repeats_a_pruned_proposal_and_leaves_an_imputed_one():
    storage = optuna.storages.InMemoryStorage()
    history("gp", 11, storage)
    study, proposals = optuna.load_study(study_name="s", storage=storage), []
    for told in ("pruned", "imputed", "-"):
        study.sampler = make_sampler(3, len(study.trials), "gp", REGION)
        trial = study.ask()
        proposals.append(suggest(trial, NARROW))
        if told == "pruned":
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif told == "imputed":
            study.tell(trial, [0.0, 7.0])
    assert imputes("gp")
    assert proposals[0] == proposals[1] != proposals[2]


def test_only_a_gaussian_process_needs_scores_for_what_was_not_trained():
    assert [name for name in SAMPLERS if imputes(name)] == ["gp"]


def test_an_unknown_sampler_is_refused_by_name():
    with pytest.raises(ValueError, match="sampler = 'grid': must be one of guided, gp, tpe, nsga2, random"):
        make_sampler(0, 0, "grid", REGION)
    with pytest.raises(ValueError, match="sampler = 'grid': must be one of auto, guided, gp, tpe, nsga2, random"):
        resolve_sampler("grid", 10)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_named_sampler_is_taken_for_any_number_of_trials(name):
    assert resolve_sampler(name, 1) == resolve_sampler(name, 10_000) == name


def test_auto_goes_by_the_number_of_trials_and_names_known_samplers():
    for limit, name in AUTO:
        assert name in SAMPLERS
        assert resolve_sampler("auto", min(limit, 10**9)) == name
    first, then = AUTO[0], AUTO[1]
    assert resolve_sampler("auto", first[0] + 1) == then[1]
