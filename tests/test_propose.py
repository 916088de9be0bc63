"""Propose: a search taken up at any point goes on as if nothing had happened; what was made up stays in memory."""

import math
import random

import optuna
import pytest
from optuna.trial import TrialState

from nas.guided import Region
from nas.propose import Proposals
from nas.suggest import POPULATION
from results.study import BUDGET
from results.trials import attributes_of, write_rejected, write_running
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.space import REFERENCE, Space, default_space

# Few choices, so that a Gaussian process answers in a moment and duplicates come up.
GENES = ("encoder1.width", "encoder2.width", "decoder2.depth", "head")
SPACE = Space({gene: values if gene in GENES else values[:1] for gene, values in default_space().choices.items()})
FIRST = [SPACE.sample(random.Random(0)), SPACE.sample(random.Random(1))]
LIMIT = 45e6  # MACs, which about a third of SPACE exceeds


def new_study():
    return optuna.create_study(directions=["maximize", "minimize"])


def proposals_of(study, sampler, seed=3):
    return Proposals(study, Region(SPACE), sampler, seed, FIRST)


def cost(genotype) -> int:
    return macs_of(Blueprint.from_genotype(genotype), (256, 256))


def attributes(genotype):
    return attributes_of(
        genotype, cost(genotype), parameters_of(Blueprint.from_genotype(genotype)), float(cost(genotype))
    )


def scores(genotype) -> list[float]:
    """A quality that depends on the genotype alone, and log10 of its cost."""
    width = genotype.stages[0].width + genotype.stages[1].width
    return [0.5 + width / 100 + genotype.stages[4].depth / 50, math.log10(cost(genotype))]


def propose(study, proposals, limit=LIMIT):
    """One proposal as the search makes it: rejected where it is too dear or known, else running; and its number."""
    proposal = proposals.ask()
    trial = proposals.frozen(proposal, attributes(proposal.genotype), cost(proposal.genotype) / limit - 1)
    if cost(proposal.genotype) > limit or proposals.earlier(proposal.genotype) is not None:
        write_rejected(study, trial, "too dear or known")
        proposals.reject(proposal)
        return proposal.genotype, None
    write_running(study, trial)
    proposals.accept(proposal)
    return proposal.genotype, proposal.number


def tell(study, proposals, genotype, number):
    if number is not None:
        study.tell(number, scores(genotype))
        proposals.tell(number, scores(genotype))


def made(sampler, length, again=()):
    """The proposals of a search that is taken up again before those in `again`, and after being written down."""
    study, found = new_study(), []
    proposals = proposals_of(study, sampler)
    for place in range(length):
        if place in again:
            proposals = proposals_of(study, sampler)
        genotype, number = propose(study, proposals)
        if place in again:  # killed while it was scored
            proposals = proposals_of(study, sampler)
        tell(study, proposals, genotype, number)
        found.append((genotype, number))
    return found


@pytest.mark.parametrize(
    ("sampler", "length"), [("tpe", 24), ("random", 12), ("nsga2", 2 * POPULATION + 4), ("gp", 16)]
)
def test_a_search_taken_up_again_proposes_what_an_unbroken_one_would(sampler, length):
    unbroken = made(sampler, length)
    assert made(sampler, length, range(length)) == unbroken
    assert made(sampler, length, (length // 2, length - 2)) == unbroken
    numbers = [number for _, number in unbroken if number is not None]
    assert len(numbers) < length  # some were rejected


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_a_search_taken_up_again_does_not_repeat_its_last_proposal(sampler):
    """In a space so large that chance does not."""
    study, found = new_study(), []
    for _ in range(20):
        proposals = Proposals(study, Region(default_space()), sampler, 3, [])
        genotype, number = propose(study, proposals, limit=1e12)
        tell(study, proposals, genotype, number)
        found.append(genotype)
    assert len(set(found)) == 20


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2", "gp"])
def test_no_genotype_is_accepted_twice(sampler):
    accepted = [genotype for genotype, number in made(sampler, 16, (5, 11)) if number is not None]
    assert len(set(accepted)) == len(accepted)


def test_it_begins_with_the_genotypes_that_were_given():
    study = new_study()
    proposals = proposals_of(study, "random")
    assert propose(study, proposals)[0] == FIRST[0]
    assert propose(study, proposals_of(study, "random"))[0] == FIRST[1]


def test_another_seed_gives_other_proposals():
    found = [
        propose(study := new_study(), Proposals(study, Region(default_space()), "tpe", seed, []))[0] for seed in (0, 1)
    ]
    assert found[0] != found[1]


def test_a_proposal_that_was_accepted_is_known_also_after_the_search_is_taken_up_again():
    study = new_study()
    proposals = proposals_of(study, "random")
    genotype, number = propose(study, proposals, limit=1e12)
    assert number == proposals.earlier(genotype) == proposals_of(study, "random").earlier(genotype) == 0
    assert proposals.earlier(FIRST[1]) is None


def test_a_rejected_genotype_is_not_held_for_one_that_was_scored():
    study = new_study()
    proposals = proposals_of(study, "random")
    genotype, number = propose(study, proposals, limit=1.0)
    assert number is None
    assert proposals.earlier(genotype) is proposals_of(study, "random").earlier(genotype) is None


def test_a_failed_training_is_known_and_not_proposed_again():
    study = new_study()
    proposals = proposals_of(study, "random")
    genotype, number = propose(study, proposals, limit=1e12)
    study.tell(number, state=TrialState.FAIL)
    proposals.tell(number, None)
    assert proposals.earlier(genotype) == proposals_of(study, "random").earlier(genotype) == number


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_what_is_written_down_holds_facts_only(sampler):
    """Also after the search was taken up again, which makes scores up anew."""
    study = new_study()
    proposals = proposals_of(study, sampler)
    for limit in (1e12, 1e12, 1.0):
        genotype, number = propose(study, proposals, limit)
        tell(study, proposals, genotype, number)
    for _ in range(2):
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2 + [TrialState.PRUNED]
        assert study.trials[2].values is None
        assert study.trials[2].user_attrs["cost"] == cost(genotype)
        assert study.trials[2].constraints[BUDGET] == pytest.approx(cost(genotype) - 1)
        proposals_of(study, sampler)


def test_a_gaussian_process_sees_the_lowest_quality_and_the_true_cost_of_what_was_rejected():
    study = new_study()
    proposals = proposals_of(study, "gp")
    told = [propose(study, proposals, 1e12) for _ in range(2)]
    for genotype, number in told:
        tell(study, proposals, genotype, number)
    dear, _ = propose(study, proposals, 1.0)
    lowest = min(scores(genotype)[0] for genotype, _ in told)
    for seen in (proposals, proposals_of(study, "gp")):
        trial = seen._copy.trials[2]
        assert trial.state is TrialState.COMPLETE
        assert trial.values == pytest.approx([lowest, math.log10(cost(dear))])


def test_a_gaussian_process_sees_the_scores_of_the_first_where_a_genotype_comes_again():
    study = new_study()
    proposals = Proposals(study, Region(SPACE), "gp", 3, [FIRST[0], FIRST[1], FIRST[0]])
    for _ in range(3):
        genotype, number = propose(study, proposals, 1e12)
        tell(study, proposals, genotype, number)
    assert (genotype, number) == (FIRST[0], None)
    for seen in (proposals, proposals_of(study, "gp")):
        assert seen._copy.trials[2].values == seen._copy.trials[0].values == scores(FIRST[0])


def test_other_samplers_see_that_it_was_rejected():
    study = new_study()
    proposals = proposals_of(study, "tpe")
    propose(study, proposals, 1.0)
    for seen in (proposals, proposals_of(study, "tpe")):
        assert seen._copy.trials[0].state is TrialState.PRUNED


def test_a_reference_outside_the_space_is_the_first_trial_and_no_concern_of_the_sampler():
    study = optuna.create_study(directions=["maximize", "minimize"])
    space = default_space().fixed(["head=conv3x3"])
    proposals = Proposals(study, Region(space), "tpe", 0, space.first())
    first, second = proposals.ask(), proposals.ask()
    assert (first.number, first.genotype) == (0, REFERENCE)
    assert space.holds(second.genotype)
    proposals.tell(0, [0.9, 9.0])
    assert [trial.state for trial in proposals._copy.trials] == [TrialState.FAIL, TrialState.RUNNING]
