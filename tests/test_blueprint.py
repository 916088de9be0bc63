"""Blueprint: every channel count of a network, read back from JSON exactly, and refused where it cannot be built."""

import json
import random
from dataclasses import replace

import pytest

from search_spaces.blueprint import BlockBlueprint, Blueprint
from search_spaces.cost import cost_of
from search_spaces.count import macs_of
from search_spaces.space import PAPER, REFERENCE, default_space

SAMPLES = [default_space().sample(random.Random(seed)) for seed in range(20)]
ENCODER1 = Blueprint.from_genotype(REFERENCE).stages[0]


def with_first_stage(**changes: object) -> Blueprint:
    blueprint = Blueprint.from_genotype(REFERENCE)
    return replace(blueprint, stages=(replace(ENCODER1, **changes), *blueprint.stages[1:]))


OTHERS = [replace(REFERENCE, block="mobilenet"), replace(REFERENCE, stem="space-to-depth")]


@pytest.mark.parametrize("genotype", [REFERENCE, PAPER, *SAMPLES, *OTHERS])
def test_json_text_gives_the_same_blueprint_back(genotype):
    blueprint = Blueprint.from_genotype(genotype)
    assert Blueprint.from_json(json.loads(json.dumps(blueprint.to_json()))) == blueprint


def test_json_keeps_counts_that_no_genotype_can_ask_for():
    blueprint = with_first_stage(width=7, blocks=(BlockBlueprint(3, 11), BlockBlueprint(1, 2)), attention_hidden=5)
    assert Blueprint.from_json(json.loads(json.dumps(blueprint.to_json()))) == blueprint


def test_the_counts_are_those_that_the_genotype_asks_for():
    for genotype in SAMPLES:
        for stage, plan in zip(genotype.stages, Blueprint.from_genotype(genotype).stages, strict=True):
            hidden = stage.width * stage.expansion
            assert plan.width == stage.width
            pointwise = 0 if genotype.block == "mobilenet" else hidden
            assert [(block.depthwise, block.pointwise) for block in plan.blocks] == [(hidden, pointwise)] * stage.depth
            assert plan.attention == stage.attention


@pytest.mark.parametrize(("attention", "hidden"), [("none", 0), ("spatial", 0), ("channel", 16), ("both", 16)])
def test_only_a_channel_branch_has_hidden_channels(attention, hidden):
    stages = (replace(REFERENCE.stages[0], attention=attention), *REFERENCE.stages[1:])
    assert Blueprint.from_genotype(replace(REFERENCE, stages=stages)).stages[0].attention_hidden == hidden


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, r"encoder1\.width = 0: must be a whole number of at least 1"),
        ({"width": 8.0}, r"encoder1.*whole number"),
        ({"blocks": (BlockBlueprint(4, -1),)}, r"encoder1\.blocks\.0\.pointwise = -1: "),
        ({"blocks": ()}, r"encoder1\.blocks is empty"),
        ({"attention": "all"}, r"encoder1\.attention = 'all'.*none, channel, spatial, both"),
        ({"attention": "none"}, r"encoder1\.attention_hidden = 16.*attention = 'none'"),
        ({"attention_hidden": 16.5}, r"encoder1.*16\.5"),
        ({"attention": "none", "attention_hidden": -1}, r"encoder1\.attention_hidden = -1"),
        ({"attention_hidden": 0}, r"encoder1\.attention_hidden = 0.*attention = 'both'"),
    ],
)
def test_a_stage_that_cannot_be_built_is_refused_by_name_and_value(changes, message):
    with pytest.raises(ValueError, match=message):
        with_first_stage(**changes)


@pytest.mark.parametrize("field", ["block", "activation", "head", "stem"])
def test_an_unknown_word_is_refused_by_name_and_value(field):
    with pytest.raises(ValueError, match=f"blueprint {field} = 'other': must be one of"):
        replace(Blueprint.from_genotype(REFERENCE), **{field: "other"})


def test_a_blueprint_of_four_stages_is_refused():
    blueprint = Blueprint.from_genotype(REFERENCE)
    with pytest.raises(ValueError, match="needs 5 stages, got 4"):
        replace(blueprint, stages=blueprint.stages[:4])


@pytest.mark.parametrize("field", ["stages", "block", "activation", "head"])
def test_a_field_missing_in_json_is_named(field):
    value = Blueprint.from_genotype(REFERENCE).to_json()
    del value[field]
    with pytest.raises(ValueError, match=f"not a blueprint: .*{field}"):
        Blueprint.from_json(value)


def test_json_from_before_there_was_a_stem_is_of_a_full_one():
    for genotype in (REFERENCE, PAPER):
        value = Blueprint.from_genotype(genotype).to_json()
        assert value.pop("stem") == "full"
        assert Blueprint.from_json(value) == Blueprint.from_genotype(genotype)


def test_only_a_mobilenet_block_has_no_second_pair():
    mobilenet = Blueprint.from_genotype(replace(REFERENCE, block="mobilenet"))
    assert {block for stage in mobilenet.stages for block in stage.blocks} == {
        BlockBlueprint(stage.width, 0) for stage in REFERENCE.stages
    }


@pytest.mark.parametrize("pointwise", [16, -1])
def test_a_second_pair_where_the_block_has_none_is_refused(pointwise):
    blueprint = Blueprint.from_genotype(replace(REFERENCE, block="mobilenet"))
    stage = replace(ENCODER1, blocks=(BlockBlueprint(16, pointwise),))
    with pytest.raises(ValueError, match=rf"encoder1\.blocks has pointwise = {pointwise}: .*block = 'mobilenet'"):
        replace(blueprint, stages=(stage, *blueprint.stages[1:]))


@pytest.mark.parametrize("block", ["released", "paper"])
def test_a_block_may_have_lost_its_second_pair_but_not_more(block):
    blueprint = Blueprint.from_genotype(replace(REFERENCE, block=block))
    left = replace(blueprint, stages=(replace(ENCODER1, blocks=(BlockBlueprint(16, 0),)), *blueprint.stages[1:]))
    assert Blueprint.from_json(left.to_json()) == left
    assert macs_of(left, (64, 64)) == cost_of(left, (64, 64)).macs < macs_of(blueprint, (64, 64))
    with pytest.raises(ValueError, match="at least 1"):
        replace(blueprint, stages=(replace(ENCODER1, blocks=(BlockBlueprint(16, -1),)), *blueprint.stages[1:]))


@pytest.mark.parametrize("depthwise", [0, 2.5])
def test_a_mobilenet_block_of_no_channels_is_refused(depthwise):
    blueprint = Blueprint.from_genotype(replace(REFERENCE, block="mobilenet"))
    stage = replace(ENCODER1, blocks=(BlockBlueprint(depthwise, 0),))
    with pytest.raises(ValueError, match=rf"encoder1\.blocks\.0\.depthwise = {depthwise}: "):
        replace(blueprint, stages=(stage, *blueprint.stages[1:]))


@pytest.mark.parametrize(("stem", "cell", "channels"), [("full", 1, 3), ("space-to-depth", 2, 12)])
def test_the_stem_says_how_many_pixels_are_gathered(stem, cell, channels):
    blueprint = replace(Blueprint.from_genotype(REFERENCE), stem=stem)
    assert (blueprint.cell, blueprint.stem_channels) == (cell, channels)


def test_a_field_unknown_in_a_stage_is_named():
    value = Blueprint.from_genotype(REFERENCE).to_json()
    value["stages"][0]["stride"] = 2
    with pytest.raises(ValueError, match=r"not a blueprint: .*stride"):
        Blueprint.from_json(value)


def test_a_field_unknown_in_json_is_named():
    value = Blueprint.from_genotype(REFERENCE).to_json()
    with pytest.raises(ValueError, match=r"not a blueprint: .*strides"):
        Blueprint.from_json(value | {"strides": 2})


@pytest.mark.parametrize("value", [{}, {"stages": 5}, [], "text", None])
def test_json_of_something_else_is_refused(value):
    with pytest.raises(ValueError, match="not a blueprint"):
        Blueprint.from_json(value)
