"""Guided: costs are drawn evenly, the best that is predicted is taken, and nothing is proposed twice."""

import math
import random

import optuna
import pytest

import nas.guided
import nas.scoring.predictor
from nas.guided import SPREAD, GuidedSampler, Region
from nas.propose import Proposals
from nas.scoring.predictor import FEWEST, features
from results.trials import attributes_of
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.space import Space, default_space

SPACE = default_space().fixed(["head=conv3x3", "block=mobilenet", "activation=relu", "join=add"])
BUDGET = 4e8
NARROW = Space({gene: values if gene == "encoder1.width" else values[:1] for gene, values in SPACE.choices.items()})


def cost_of(genotype):
    return macs_of(Blueprint.from_genotype(genotype), (256, 256))


def worth(genotype, cost):
    """A made-up truth: multiply-adds are good, each stage with attention is bad, and so are many blocks."""
    attentive, blocks = (sum(f(stage) for stage in genotype.stages) for f in (is_attentive, lambda stage: stage.depth))
    return 0.8 + 0.01 * math.log(cost / 4e7) - 0.006 * attentive - 0.01 * math.log(blocks)


def is_attentive(stage):
    return stage.attention != "none"


def attention_is_good(genotype, cost):
    return worth(genotype, cost) + 0.02 * sum(map(is_attentive, genotype.stages))


def searched(sampler, trials, seed=0, space=SPACE, cost=cost_of, truth=worth):
    """(genotype, cost, score) of each network in order, and the proposals that were over the budget or known."""
    study = optuna.create_study(directions=["maximize", "minimize"])
    proposals, luck = Proposals(study, Region(space, BUDGET), sampler, seed, []), random.Random(seed)
    found, rejected = [], 0
    while len(found) < trials:
        proposal = proposals.ask()
        price = cost(proposal.genotype)
        attributes = attributes_of(proposal.genotype, cost_of(proposal.genotype), 1, price)
        proposals.frozen(proposal, attributes, price / BUDGET - 1)
        if price > BUDGET or proposals.earlier(proposal.genotype) is not None:
            proposals.reject(proposal)
            rejected += 1
            continue
        proposals.accept(proposal)
        score = truth(proposal.genotype, price)
        proposals.tell(proposal.number, [score + luck.gauss(0, 0.003), math.log10(price)])
        found.append((proposal.genotype, price, score))
    return found, rejected


def best_below(found, limit):
    return max((score for _, price, score in found if price <= limit), default=0.0)


@pytest.fixture(scope="module")
def guided():
    return searched("guided", 30)


def test_costs_are_spread_evenly_over_the_decade_below_the_budget(guided):
    decades = [math.log10(BUDGET / price) for _, price, _ in guided[0]]
    thirds = [sum(lower <= 3 * decade / math.log10(SPREAD) < lower + 1 for decade in decades) for lower in range(3)]
    assert all(5 <= count <= 15 for count in thirds)


def test_no_proposal_is_over_a_budget_of_multiply_adds_or_comes_twice(guided):
    assert guided[1] == 0


def test_what_it_finds_is_better_than_what_chance_finds_at_every_cost(guided):
    by_chance = searched("random", 30)[0]
    for limit in (1e8, 2e8, 4e8):
        assert best_below(guided[0], limit) > best_below(by_chance, limit) + 0.003


def attentive_of(found):
    return sum(sum(map(is_attentive, genotype.stages)) / len(genotype.stages) for genotype, _, _ in found) / len(found)


def test_what_is_good_is_proposed_more_often_once_it_is_known_and_what_is_bad_no_more(guided):
    praised = searched("guided", 30, truth=attention_is_good)[0]
    assert attentive_of(guided[0][15:]) < 0.1
    assert attentive_of(praised[15:]) > attentive_of(praised[:FEWEST]) + 0.1
    assert attentive_of(praised[15:]) > attentive_of(guided[0][15:]) + 0.3


def test_most_proposals_are_like_hand_made_networks(guided):
    """Also where, as here, a score praises others: chance alone has three in four of them so."""
    known = [genotype for genotype in SPACE.first() if SPACE.holds(genotype)]
    praised = searched("guided", 30, truth=attention_is_good)[0]
    for found in (guided[0], praised):
        like = sum(any(differs_in(one, other) <= 3 for other in known) for one, _, _ in found)
        assert 15 <= like <= 28


def differs_in(one, other):
    """In how many genes that count in both."""
    ours, theirs = one.flat(), other.flat()
    return sum(ours[gene] != theirs[gene] for gene in set(one.counting()) & set(other.counting()))


def test_a_cost_that_is_measured_is_learned_from_what_was_measured():
    def milliseconds(genotype):  # attention takes time that multiply-adds do not show
        return cost_of(genotype) * (1 + 2 * (genotype.stages[0].attention == "spatial"))

    found, rejected = searched("guided", 24, cost=milliseconds)
    late = [math.log10(BUDGET / price) for _, price, _ in found[12:]]
    assert rejected < 8
    assert sum(0 <= decade <= 1.1 for decade in late) >= 10


def test_a_space_that_is_scored_whole_is_proposed_from_again():
    study = optuna.create_study(directions=["maximize", "minimize"])
    proposals = Proposals(study, Region(NARROW), "guided", 0, [])
    for _ in range(NARROW.size + 2):
        proposal = proposals.ask()
        attributes = attributes_of(proposal.genotype, 1, 1, 1)
        proposals.frozen(proposal, attributes, None)
        if proposals.earlier(proposal.genotype) is None:
            proposals.accept(proposal)
            proposals.tell(proposal.number, [0.5, 6.0])
        else:
            proposals.reject(proposal)
    assert proposals.next == NARROW.size + 2


def test_a_network_outside_the_space_is_learned_from_and_never_a_parent():
    study = optuna.create_study(directions=["maximize", "minimize"])
    proposals = Proposals(study, Region(SPACE, BUDGET), "guided", 0, default_space().first())
    for number in range(FEWEST + 4):
        proposal = proposals.ask()
        price = cost_of(proposal.genotype)
        proposals.frozen(proposal, attributes_of(proposal.genotype, price, 1, price), None)
        proposals.accept(proposal)
        proposals.tell(proposal.number, [0.9 if number == 0 else 0.5 + number / 100, math.log10(price)])
        if number >= len(default_space().first()):
            SPACE.require(proposal.genotype)


def test_the_seed_decides_what_is_proposed():
    names = [GuidedSampler(Region(SPACE, BUDGET), seed)._choose([], frozenset()) for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def test_the_shape_of_a_predictor_is_looked_for_ever_more_seldom(monkeypatch):
    looked = []
    whole = nas.guided.fit

    def fit(rows, scores, shape=None):
        looked.append(len(scores)) if shape is None else None
        return whole(rows, scores, shape)

    monkeypatch.setattr(nas.guided, "fit", fit)
    monkeypatch.setattr(nas.scoring.predictor, "fit", fit)
    luck = random.Random(1)
    rows = features([SPACE.sample(luck) for _ in range(80)])
    scores = [0.7 + luck.gauss(0, 0.01) for _ in range(80)]
    sampler = GuidedSampler(Region(SPACE, BUDGET), 0)
    for count in (47, 48, *range(56, 80)):
        sampler._settled = count
        sampler._fitted(rows[:count], scores[:count])
    assert looked == [47, 48, 55, 63, 73]
