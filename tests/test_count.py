"""Count: the arithmetic equals fvcore's count of the built network."""

import random
from dataclasses import replace

import pytest

from search_spaces import count
from search_spaces.blueprint import BlockBlueprint, Blueprint
from search_spaces.cost import cost_of
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import SHARED
from search_spaces.space import PAPER, REFERENCE, Space, default_space

# Every word that there is, beside the choices of the default space.
WIDE = Space(dict(default_space().choices) | SHARED)
SAMPLES = [WIDE.sample(random.Random(seed)) for seed in range(60)]


@pytest.mark.parametrize("genotype", [REFERENCE, PAPER, *SAMPLES])
def test_macs_and_parameters_equal_what_fvcore_and_torch_count(genotype):
    blueprint = Blueprint.from_genotype(genotype)
    cost = cost_of(blueprint)
    assert (macs_of(blueprint, cost.size), parameters_of(blueprint)) == (cost.macs, cost.parameters)


@pytest.mark.parametrize("size", [(4, 4), (1, 7), (1080, 1920), (1081, 1919)])
def test_macs_at_another_size_are_those_of_the_padded_image(size):
    blueprint = Blueprint.from_genotype(REFERENCE)
    assert macs_of(blueprint, size) == cost_of(blueprint, size).macs


def test_a_pruned_network_is_counted_with_its_own_channels():
    whole = Blueprint.from_genotype(REFERENCE)
    first = replace(whole.stages[0], blocks=(BlockBlueprint(5, 7), BlockBlueprint(11, 3)), attention_hidden=2, width=13)
    pruned = replace(whole, stages=(first, *whole.stages[1:]))
    cost = cost_of(pruned)
    assert (macs_of(pruned, cost.size), parameters_of(pruned)) == (cost.macs, cost.parameters)


def test_a_head_that_cannot_be_counted_is_named(monkeypatch):
    monkeypatch.delitem(count.HEADS, "conv3x3")
    macs_of.cache_clear()
    with pytest.raises(ValueError, match=r"head = 'conv3x3': search_spaces/count\.py cannot count it"):
        macs_of(Blueprint.from_genotype(PAPER), (256, 256))


def test_the_samples_hold_every_word():
    drawn = [genotype.flat() for genotype in SAMPLES]
    for gene in (*SHARED, "encoder1.attention"):
        assert {genes[gene] for genes in drawn} == set(WIDE.choices[gene])
