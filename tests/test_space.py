"""Space: what a search may choose, counted by hand, and the genotypes that it starts from."""

import itertools
import random
from dataclasses import replace

import pytest

from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import GENES, GeneError, Genotype, Stage
from search_spaces.space import PAPER, PRESETS, REFERENCE, Space, default_space, scaled


def narrow(**choices: tuple[object, ...]) -> Space:
    """The reference alone, but for the `choices` by gene (a double underscore stands for the dot)."""
    wider = {gene.replace("__", "."): values for gene, values in choices.items()}
    return Space({gene: wider.get(gene, (value,)) for gene, value in REFERENCE.flat().items()})


def test_the_reference_is_the_released_network():
    assert [stage.width for stage in REFERENCE.stages] == [16, 32, 64, 32, 16]
    assert {(stage.depth, stage.expansion, stage.attention) for stage in REFERENCE.stages} == {(2, 1.0, "both")}
    assert (REFERENCE.block, REFERENCE.activation, REFERENCE.head) == ("released", "elu", "gated")
    assert REFERENCE.stem == "full"


def test_the_paper_preset_differs_in_what_the_figure_shows_and_in_nothing_else():
    assert (PAPER.block, PAPER.activation, PAPER.head) == ("paper", "relu", "conv3x3")
    assert PAPER.stages == REFERENCE.stages


def test_both_presets_have_a_name():
    assert PRESETS == {"reference": REFERENCE, "paper": PAPER}


def test_size_is_the_number_of_genotypes_counted_one_by_one():
    space = narrow(encoder1__width=(8, 12, 16), decoder1__attention=("none", "both"), head=("gated", "conv3x3"))
    every = {
        Genotype.from_flat(dict(zip(GENES, genes, strict=True))) for genes in itertools.product(*space.choices.values())
    }
    assert space.size == len(every) == 12


def test_size_of_the_default_space_is_the_product_of_its_choices():
    depth, expansion, attention = 3, 3, 4
    three = 4 * 4 * 4 * (depth * expansion * attention) ** 5  # widths of the encoders, and five stages
    four = 4 * 4 * 4 * 3 * (depth * expansion * attention) ** 7
    assert default_space().size == three + four
    assert default_space().fixed(["block=released,mobilenet"]).size == 2 * (three + four)


def test_every_sample_is_in_the_space():
    space = default_space()
    for seed in range(200):
        space.require(space.sample(random.Random(seed)))


def test_a_sample_depends_on_the_generator_alone():
    space = default_space()
    assert space.sample(random.Random(5)) == space.sample(random.Random(5))
    assert space.sample(random.Random(5)) != space.sample(random.Random(6))


def test_samples_reach_every_choice_of_every_gene():
    space, generator = default_space(), random.Random(0)
    drawn = [space.sample(generator) for _ in range(300)]
    for gene in space.counting():
        assert {one.flat()[gene] for one in drawn if gene in one.counting()} == set(space.choices[gene])


def test_size_counts_choices_that_decide_nothing_once():
    space = narrow(levels=(3, 4), encoder4__width=(16, 32), block=("released", "plain"), kernel=(3, 5))
    every = {
        Genotype.from_flat(dict(zip(GENES, genes, strict=True))) for genes in itertools.product(*space.choices.values())
    }
    assert space.size == len(every) == (1 + 2) * (2 + 1)


def test_genes_that_count_are_those_of_the_stages_that_may_be_there():
    counting = default_space().counting()
    assert "encoder3.width" in counting
    assert "encoder4.width" in counting
    assert "encoder4.width" not in default_space().fixed(["levels=3"]).counting()
    assert "decoder3.width" not in counting  # added to encoder1
    assert "decoder3.depth" in counting


def test_a_space_of_before_there_were_levels_is_read_as_one_of_three():
    old = {gene: list(values) for gene, values in default_space().choices.items()}
    for gene in list(old):
        if gene.startswith(("encoder4", "decoder0")) or gene in ("levels", "opening", "join", "upsampling", "kernel"):
            del old[gene]
    space = Space.from_json(old)
    assert (space.choices["levels"], space.choices["kernel"], space.choices["join"]) == ((3,), (3,), ("concat",))
    assert "encoder4.depth" not in space.counting()


def test_choices_that_leave_a_combination_without_a_network_are_refused():
    with pytest.raises(ValueError, match="choices of gene activation must hold relu, which these need: block=plain"):
        default_space().fixed(["block=plain", "activation=gate"])


def test_a_genotype_outside_is_refused_by_gene_value_and_choices():
    outside = replace(REFERENCE, stages=(Stage(width=18), *REFERENCE.stages[1:]))
    with pytest.raises(GeneError, match=r"encoder1\.width = 18: must be one of 4, 8, 12, 16 in this space"):
        default_space().require(outside)


def test_nearest_leaves_a_genotype_of_the_space_alone():
    space = default_space()
    for seed in range(50):
        genotype = space.sample(random.Random(seed))
        assert space.nearest(genotype) == genotype


def test_nearest_moves_every_number_to_the_closest_choice():
    far = replace(REFERENCE, stages=(Stage(depth=8, width=100, expansion=4.0), Stage(width=4), *REFERENCE.stages[2:]))
    near = default_space().nearest(far)
    assert near.stages[0] == Stage(depth=3, width=16, expansion=3.0)
    assert near.stages[1] == Stage(width=8)
    assert near.stages[2] == REFERENCE.stages[2]
    assert [stage.width for stage in near.stages[3:]] == [8, 16]  # of the encoders whose skips are added


def test_nearest_moves_a_word_that_is_no_choice_to_the_first_one():
    near = default_space().nearest(PAPER)
    assert (near.block, near.opening, near.join, near.upsampling) == ("mobilenet", "none", "add", "nearest")
    assert (near.activation, near.head) == (PAPER.activation, PAPER.head)


def test_a_space_can_be_left_fewer_choices():
    space = default_space().fixed(["head=conv3x3", "attention=none,spatial", "encoder1.depth=2"])
    assert space.choices["head"] == ("conv3x3",)
    assert space.choices["decoder2.attention"] == ("none", "spatial")
    assert (space.choices["encoder1.depth"], space.choices["encoder2.depth"]) == ((2,), (1, 2, 3))
    assert not space.holds(REFERENCE)
    assert space.holds(space.nearest(REFERENCE))


def test_a_space_can_be_given_words_that_the_default_one_leaves_out():
    space = default_space().fixed(["head=gated,conv3x3", "stem=space-to-depth"])
    assert space.choices["head"] == ("gated", "conv3x3")
    assert space.choices["stem"] == ("space-to-depth",)
    assert space.sample(random.Random(0)).stem == "space-to-depth"


def test_equal_spaces_are_one_key():
    assert len({default_space(), default_space(), default_space().fixed(["head=gated"])}) == 2


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ("colour=red", "gene colour = 'red': must be a known gene"),
        ("head=round", "must be one of gated, conv3x3"),
        ("encoder1.width=5", "must be one of 4, 8, 12, 16"),
    ],
)
def test_a_wish_that_means_nothing_is_refused_with_what_there_is(wish, says):
    with pytest.raises(GeneError, match=says):
        default_space().fixed([wish])


def test_genotypes_of_any_size_are_small_as_often_as_large():
    space, generator = default_space(), random.Random(0)
    macs = sorted(macs_of(Blueprint.from_genotype(space.sample_of_any_size(generator)), (256, 256)) for _ in range(200))
    assert macs[20] < 130e6  # a tenth of them; of uniform samples none in a hundred
    assert macs[-20] > 1000e6


@pytest.mark.parametrize(
    ("factor", "widths"),
    [(1, [16, 32, 64, 32, 16]), (0.5, [8, 16, 32, 16, 8]), (0.75, [12, 24, 48, 24, 12]), (0.1, [4, 4, 8, 4, 4])],
)
def test_scaled_multiplies_widths_and_keeps_multiples_of_four(factor, widths):
    assert [stage.width for stage in scaled(REFERENCE, factor).stages] == widths


def test_scaled_changes_widths_only():
    smaller = scaled(PAPER, 0.5)
    widened = tuple(replace(stage, width=2 * stage.width) for stage in smaller.stages)
    assert replace(smaller, stages=widened) == PAPER


def test_what_is_tried_first_begins_with_the_reference():
    assert default_space().first()[0] == REFERENCE


def test_hand_made_genotypes_are_distinct_and_in_the_space_without_the_reference():
    space = default_space()
    made = space.hand_made()
    assert len(set(made)) == len(made) >= 4
    for genotype in made:
        space.require(genotype)
    assert space.first() == [REFERENCE, *made]


def test_genes_in_another_order_are_refused():
    with pytest.raises(ValueError, match="in this order"):
        Space(dict(reversed(default_space().choices.items())))


@pytest.mark.parametrize("values", [(), (8, 8)])
def test_choices_that_are_empty_or_repeated_are_refused(values):
    with pytest.raises(ValueError, match=r"encoder1\.width must be distinct and at least one"):
        narrow(encoder1__width=values)
