"""Genotype: a value that can be written in two ways, read back from both, and never holds a forbidden gene."""

import json
import random
from dataclasses import replace

import pytest

from search_spaces.genotype import GENES, GeneError, Genotype, Stage
from search_spaces.space import PAPER, REFERENCE, default_space

SAMPLES = [default_space().sample(random.Random(seed)) for seed in range(50)]
OTHER = replace(REFERENCE, block="mobilenet", stem="space-to-depth")  # choices that the default space leaves out


def with_gene(gene: str, value: object) -> dict[str, object]:
    return REFERENCE.flat() | {gene: value}


def test_the_samples_differ():
    assert len(set(SAMPLES)) == len(SAMPLES)


@pytest.mark.parametrize("genotype", [REFERENCE, PAPER, OTHER, *SAMPLES[:10]])
def test_json_text_gives_the_same_genotype_back(genotype):
    assert Genotype.from_json(json.loads(json.dumps(genotype.to_json()))) == genotype


def test_the_flat_encoding_gives_the_same_genotype_back():
    for genotype in [*SAMPLES, OTHER]:
        assert Genotype.from_flat(genotype.flat()) == genotype


def test_the_flat_encoding_has_the_same_genes_in_the_same_order_for_every_genotype():
    stages = ("encoder1", "encoder2", "encoder3", "encoder4", "decoder0", "decoder1", "decoder2", "decoder3")
    expected = [f"{stage}.{gene}" for stage in stages for gene in ("depth", "width", "expansion", "attention")]
    expected += ["block", "activation", "head", "stem", "levels", "opening", "join", "upsampling", "kernel"]
    assert list(GENES) == expected
    for genotype in SAMPLES:
        assert list(genotype.flat()) == expected


def test_json_is_nested_by_stage():
    genotype = replace(REFERENCE, stages=(Stage(1, 8, 2.0, "none"), *REFERENCE.stages[1:]))
    value = genotype.to_json()
    assert value["encoder1"] == {"depth": 1, "width": 8, "expansion": 2.0, "attention": "none"}
    assert value["head"] == "gated"


@pytest.mark.parametrize(
    ("gene", "value", "rule"),
    [
        ("encoder1.depth", 0, "whole number from 1 to 8"),
        ("encoder1.depth", 9, "whole number from 1 to 8"),
        ("decoder1.depth", 1.5, "whole number from 1 to 8"),
        ("decoder1.depth", True, "whole number from 1 to 8"),
        ("encoder2.width", 3, "whole number from 4 to 512"),
        ("encoder2.width", 513, "whole number from 4 to 512"),
        ("encoder2.width", "16", "whole number from 4 to 512"),
        ("encoder3.expansion", 0.2, "from 0.25 to 8"),
        ("encoder3.expansion", 9.0, "from 0.25 to 8"),
        ("encoder3.expansion", float("nan"), "from 0.25 to 8"),
        ("encoder3.expansion", "1", "from 0.25 to 8"),
        ("encoder1.expansion", 1.3, "width * expansion is whole"),
        ("decoder2.attention", "all", "none, channel, spatial, both"),
        ("block", "new", "released, paper, mobilenet, plain"),
        ("activation", "gelu", "elu, relu, gate"),
        ("head", None, "gated, conv3x3"),
        ("stem", "half", "full, space-to-depth"),
        ("encoder5.width", 16, "one of the known genes"),
        ("levels", 5, "1, 2, 3, 4"),
        ("levels", True, "1, 2, 3, 4"),
        ("opening", "elu", "relu, leaky, none"),
        ("join", "multiply", "concat, add"),
        ("upsampling", "cubic", "bilinear, nearest"),
        ("kernel", 7, "3, 5"),
    ],
)
def test_an_error_names_gene_value_and_rule(gene, value, rule):
    with pytest.raises(GeneError) as caught:
        Genotype.from_flat(with_gene(gene, value))
    for part in (f"gene {gene} ", repr(value), rule):
        assert part in str(caught.value)


@pytest.mark.parametrize("gene", GENES)
def test_a_missing_gene_is_named(gene):
    genes = REFERENCE.flat()
    del genes[gene]
    with pytest.raises(GeneError, match=f"gene {gene} .*present"):
        Genotype.from_flat(genes)


def test_json_from_before_there_was_a_stem_is_of_a_full_one():
    value = PAPER.to_json()
    assert value.pop("stem") == "full"
    assert Genotype.from_json(value) == PAPER


def test_a_gene_missing_in_json_is_named_with_its_stage():
    value = REFERENCE.to_json()
    del value["encoder3"]["width"]
    with pytest.raises(GeneError, match=r"encoder3\.width"):
        Genotype.from_json(value)


def test_a_gene_unknown_in_json_is_named_with_its_stage():
    value = REFERENCE.to_json()
    value["encoder3"]["stride"] = 2
    with pytest.raises(GeneError, match=r"encoder3\.stride = 2"):
        Genotype.from_json(value)


def test_a_stage_that_is_no_object_in_json_is_refused():
    with pytest.raises(GeneError, match="encoder1"):
        Genotype.from_json(REFERENCE.to_json() | {"encoder1": 16})


@pytest.mark.parametrize("value", [[], "text", 5, None])
def test_json_that_is_no_object_is_refused(value):
    with pytest.raises(GeneError):
        Genotype.from_json(value)


def test_four_stages_are_refused():
    with pytest.raises(GeneError, match="gene stages = 4: must be 5 stages"):
        Genotype(REFERENCE.stages[:4])


def test_hidden_channels_are_width_times_expansion():
    assert Stage(width=12, expansion=1.5).hidden == 18


def test_equal_genes_make_equal_genotypes_that_hash_alike():
    again = Genotype.from_flat(REFERENCE.flat())
    assert {again: "found"}[REFERENCE] == "found"


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        (1, ["encoder1"]),
        (2, ["encoder1", "encoder2", "decoder2"]),
        (3, ["encoder1", "encoder2", "encoder3", "decoder1", "decoder2"]),
        (4, ["encoder1", "encoder2", "encoder3", "encoder4", "decoder0", "decoder1", "decoder2"]),
    ],
)
def test_each_level_below_the_first_brings_an_encoder_and_a_decoder(levels, names):
    genotype = Genotype.from_flat(REFERENCE.flat() | {"levels": levels})
    assert list(genotype.names) == names
    assert len(genotype.stages) == len(names)
    assert Genotype.from_json(json.loads(json.dumps(genotype.to_json()))) == genotype


def test_a_network_that_adds_has_a_decoder_at_the_first_level_and_none_at_the_lowest():
    genotype = Genotype.from_flat(REFERENCE.flat() | {"join": "add"})
    assert list(genotype.names) == ["encoder1", "encoder2", "encoder3", "decoder2", "decoder3"]
    assert [stage.width for stage in genotype.stages] == [16, 32, 64, 32, 16]
    assert Genotype.from_json(json.loads(json.dumps(genotype.to_json()))) == genotype


def test_a_decoder_that_adds_is_as_wide_as_the_encoder_beside_it():
    flat = REFERENCE.flat() | {"join": "add", "decoder3.width": 24}
    genotype = Genotype.from_flat(flat)
    assert genotype == Genotype.from_flat(flat | {"decoder3.width": 4})
    assert "decoder3.width" not in genotype.counting()
    with pytest.raises(GeneError, match=r"decoder3\.width = 24: must be 16, as of the encoder"):
        replace(genotype, stages=(*genotype.stages[:4], replace(genotype.stages[4], width=24)))


def test_genes_of_stages_that_are_not_there_make_no_other_genotype():
    flat = REFERENCE.flat()
    assert Genotype.from_flat(flat | {"encoder4.width": 32, "decoder0.depth": 1}) == REFERENCE
    assert "encoder4.width" not in REFERENCE.counting()
    assert "encoder4.width" in Genotype.from_flat(flat | {"levels": 4}).counting()


def test_a_stage_that_the_levels_leave_out_is_refused_in_json():
    with pytest.raises(GeneError, match=r"encoder4\.depth = 1: must be absent: a network of 3 levels that concat"):
        Genotype.from_json(REFERENCE.to_json() | {"encoder4": {"depth": 1}})


def test_a_plain_block_has_neither_a_depthwise_kernel_nor_a_gate():
    plain = Genotype.from_flat(REFERENCE.flat() | {"block": "plain", "kernel": 5, "activation": "gate"})
    assert (plain.kernel, plain.activation) == (3, "relu")
    with pytest.raises(GeneError, match="kernel = 5"):
        replace(plain, kernel=5)
    with pytest.raises(GeneError, match="activation = 'gate'"):
        replace(plain, activation="gate")


def test_a_space_to_depth_stem_leaves_three_levels():
    assert Genotype.from_flat(REFERENCE.flat() | {"stem": "space-to-depth", "levels": 4}).levels == 3


def test_json_from_before_there_were_levels_is_of_three():
    value = REFERENCE.to_json()
    for gene in ("levels", "opening", "join", "upsampling", "kernel"):
        del value[gene]
    assert Genotype.from_json(value) == REFERENCE
