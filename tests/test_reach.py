"""Reach: the extremes are those that brute force finds, the shares are counted, an impossible budget is refused."""

import itertools
import json
import random
import statistics

import pytest

from lpienas.command import main
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.count import macs_of, parameters_of
from search_spaces.genotype import GENES, GeneError, Genotype
from search_spaces.reach import ImpossibleBudget, cheapest, dearest, draw_within, reach, require_possible
from search_spaces.space import REFERENCE, Space, default_space
from search_spaces.units import format_macs, parse_macs

SIZE = (256, 256)


def narrow(**choices) -> Space:
    """The reference alone, but for the `choices` by gene (a double underscore stands for the dot)."""
    wider = {gene.replace("__", "."): values for gene, values in choices.items()}
    return Space({gene: wider.get(gene, (value,)) for gene, value in REFERENCE.flat().items()})


SMALL_SPACES = [
    narrow(encoder1__width=(8, 16, 24), head=("gated", "conv3x3"), decoder2__attention=("none", "channel", "both")),
    narrow(encoder1__width=(24, 8), decoder2__width=(16, 4), head=("conv3x3", "gated"), activation=("elu", "relu")),
    narrow(encoder3__attention=("spatial", "channel"), encoder3__width=(4, 96), encoder3__depth=(3, 1)),
    narrow(
        encoder1__width=(10, 12), encoder1__expansion=(0.25, 0.5), head=("gated", "conv3x3")
    ),  # 10 * 0.25 is no width
]


def macs(genotype: Genotype) -> int:
    return macs_of(Blueprint.from_genotype(genotype), SIZE)


def parameters(genotype: Genotype) -> int:
    return parameters_of(Blueprint.from_genotype(genotype))


def every(space: Space) -> list[Genotype]:
    found = []
    for genes in itertools.product(*space.choices.values()):
        try:
            found.append(Genotype.from_flat(dict(zip(GENES, genes, strict=True))))
        except GeneError:
            continue
    return found


@pytest.mark.parametrize("space", SMALL_SPACES)
def test_the_extremes_are_those_of_brute_force(space):
    costs = [macs(genotype) for genotype in every(space)]
    assert macs(space.require(cheapest(space))) == min(costs)
    assert macs(space.require(dearest(space))) == max(costs)


@pytest.mark.parametrize("space", SMALL_SPACES[:-1])
def test_fewest_and_most_parameters_are_those_of_brute_force(space):
    counts = [parameters(genotype) for genotype in every(space)]
    found = reach(space, None, SIZE, samples=1, seed=0)
    for extreme, expected in ((found.fewest_parameters, min(counts)), (found.most_parameters, max(counts))):
        assert extreme.parameters == parameters(space.require(extreme.genotype)) == expected


def test_no_sample_of_the_default_space_lies_beyond_its_extremes():
    space = default_space()
    least, most = macs(cheapest(space)), macs(dearest(space))
    assert all(least <= macs(space.sample(random.Random(seed))) <= most for seed in range(300))


def test_a_space_without_any_valid_genotype_is_refused():
    with pytest.raises(ValueError, match="no combination of this space's choices is a valid genotype"):
        cheapest(narrow(encoder1__width=(10,), encoder1__expansion=(0.25,)))


def test_the_extremes_are_counted_at_the_asked_size():
    found = reach(SMALL_SPACES[0], None, (128, 192), samples=1, seed=0)
    for extreme in (found.fewest_macs, found.most_macs, found.reference):
        assert extreme.macs == cost_of(Blueprint.from_genotype(extreme.genotype), (128, 192)).macs


def test_samples_are_shared_out_by_the_budget_and_by_the_reference():
    space, samples, generator = default_space(), 200, random.Random(3)
    drawn = sorted(macs(space.sample(generator)) for _ in range(samples))
    found = reach(space, drawn[49], SIZE, samples, seed=3)
    assert found.within_budget.value == 50 / samples
    assert found.cheaper_than_reference.value == sum(cost < macs(REFERENCE) for cost in drawn) / samples
    assert found.quantiles == (drawn[9], drawn[49], drawn[99], drawn[149], drawn[189])


def test_the_interval_is_wilsons():
    space, samples = default_space(), 100
    found = reach(space, macs(REFERENCE), SIZE, samples, seed=0).within_budget
    z, p = statistics.NormalDist().inv_cdf(0.975), found.value
    middle = (p + z**2 / (2 * samples)) / (1 + z**2 / samples)
    half = z / (1 + z**2 / samples) * (p * (1 - p) / samples + z**2 / (4 * samples**2)) ** 0.5
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half))


def test_a_share_of_nothing_still_has_an_interval():
    space = default_space()
    found = reach(space, macs(cheapest(space)), SIZE, samples=50, seed=0).within_budget
    assert (found.value, found.low) == (0, 0)
    assert 0.05 < found.high < 0.1


def test_the_same_seed_draws_the_same_samples_and_another_seed_others():
    space = default_space()
    assert reach(space, None, SIZE, 40, seed=1) == reach(space, None, SIZE, 40, seed=1)
    assert reach(space, None, SIZE, 40, seed=1).quantiles != reach(space, None, SIZE, 40, seed=2).quantiles


def test_a_budget_is_possible_from_the_cheapest_network_on():
    space = default_space()
    least = macs(cheapest(space))
    require_possible(space, least, SIZE)
    require_possible(space, None, SIZE)
    with pytest.raises(ImpossibleBudget, match=f"the smallest possible budget is {least}, which is "):
        require_possible(space, least - 1, SIZE)


def test_the_budget_that_a_refusal_names_is_accepted():
    space = default_space()
    with pytest.raises(ImpossibleBudget) as refused:
        require_possible(space, 1000, (1080, 1920))
    named = str(refused.value).split("smallest possible budget is ")[1].split(",")[0]
    require_possible(space, parse_macs(named), (1080, 1920))


@pytest.mark.parametrize(("most", "widths"), [(None, 4), (400_000_000, 4), (120_000_000, 3), (75_000_000, 2)])
def test_genotypes_within_a_budget_have_every_possible_width_of_the_first_encoder_equally_often(most, widths):
    space, generator = default_space(), random.Random(0)
    drawn = [draw_within(space, generator, most, (256, 256)) for _ in range(100)]
    assert most is None or max(map(macs, drawn)) <= most
    counts = [sum(genotype.stages[0].width == width for genotype in drawn) for width in (4, 8, 12, 16)[:widths]]
    assert sum(counts) == 100
    assert min(counts) > 60 / widths
    assert len(set(drawn)) > 5
    assert all(space.holds(genotype) for genotype in drawn)


def test_a_budget_for_larger_pictures_draws_smaller_networks():
    space, generator = default_space(), random.Random(0)
    drawn = [draw_within(space, generator, 1_600_000_000, (512, 512)) for _ in range(30)]
    assert max(map(macs, drawn)) <= 400_000_000


def test_a_budget_that_nothing_fits_draws_the_cheapest():
    assert draw_within(default_space(), random.Random(0), 100, (256, 256)) == cheapest(default_space())


def test_fewer_than_one_sample_is_refused():
    with pytest.raises(ValueError, match="samples = 0: must be at least 1"):
        reach(SMALL_SPACES[0], None, SIZE, samples=0, seed=0)


def test_the_verb_prints_one_json_object(capsys):
    assert main(["space", "--budget", "600M", "--samples", "100", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = reach(default_space(), 600_000_000, SIZE, samples=100, seed=0)
    assert printed["genotypes"] == default_space().size
    assert printed["fewest_macs"]["macs"] == found.fewest_macs.macs
    assert Genotype.from_json(printed["most_macs"]["genotype"]) == dearest(default_space())
    assert printed["within_budget"]["value"] == found.within_budget.value
    assert printed["reference"]["parameters"] == 133652
    assert printed["quantiles"]["0.5"] == found.quantiles[2]


def test_the_verb_shows_the_range_the_reference_and_the_share_within_the_budget(capsys):
    assert main(["space", "--budget", "600M", "--samples", "100"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{default_space().size:,} genotypes" in shown
    assert "133,652" in shown
    assert f"within {format_macs(600_000_000)} (95% interval" in shown


def test_without_a_budget_the_verb_says_nothing_of_one(capsys):
    assert main(["space", "--samples", "10"]) == 0
    assert "within" not in capsys.readouterr().out


def test_the_verb_refuses_an_impossible_budget_with_the_nearest_possible_one(capsys):
    assert main(["space", "--budget", "1M"]) == 1
    assert f"the smallest possible budget is {macs(cheapest(default_space()))}" in capsys.readouterr().err


def test_the_verb_has_help_with_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["space", "--help"])
    assert stop.value.code == 0
    assert "example:\n  lpienas space " in capsys.readouterr().out
