"""Anatomy: what is lost without a part, by a mean ablation that is written out here a second time."""

import json
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from nas.anatomy import COSTLY, Sample, anatomy, anatomy_line, few, places_of, verdict, worthless
from nas.scoring.full import ANATOMY, train_fully
from nas.scoring.training import Training
from nas.task.metrics import psnr, ssim
from nas.task.training import Recipe
from results.files import load_network, read_json
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.receptive import margin_of

GENOTYPE = Genotype(
    tuple(Stage(1, width, attention=attention) for width, attention in
          ((8, "both"), (12, "spatial"), (8, "channel"), (12, "none"), (4, "none"))),
    activation="relu", head="conv3x3",
)  # fmt: skip


def network_of(**changes) -> LPIENet:
    network = build(Blueprint.from_genotype(replace(GENOTYPE, **changes)), seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network


ADDS = {"join": "add", "stages": tuple(Stage(1, width) for width in (8, 12, 16, 12, 8))}


@pytest.fixture(scope="module")
def pairs(task):
    return list(task.validation)  # 64x64 pixels: no padding


@pytest.fixture(scope="module")
def found(pairs):
    return {part.name: part for part in anatomy(network_of(), "one", Sample(pairs, "three")).parts}


class Mean(nn.Module):
    """Gives the mean of what `inner` gave, per channel."""

    def __init__(self, inner: nn.Module, given: list[torch.Tensor]) -> None:
        super().__init__()
        self.inner, self.mean = inner, torch.cat([one.flatten(2) for one in given], 2).mean(2)[..., None, None]

    def forward(self, *inputs):
        return self.mean.expand_as(self.inner(*inputs))


def scores(network, pairs) -> tuple[float, float]:
    margin, outputs = margin_of(network.blueprint), []
    with torch.inference_mode():
        for _, degraded, clean in pairs:
            wide = np.pad(degraded.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), "reflect")
            outputs.append((network(torch.from_numpy(wide)).clamp(0, 1)[..., margin:-margin, margin:-margin], clean))
    return fmean(float(ssim(a, b)) for a, b in outputs), fmean(float(psnr(a, b)) for a, b in outputs)


def ablated(pairs, path: str) -> LPIENet:
    """The network with another module in the place of the one at `path`."""
    network, given = network_of(), []
    place = network.get_submodule(path)
    handle = place.register_forward_hook(lambda module, inputs, output: given.append(output.detach()))
    scores(network, pairs)
    handle.remove()
    above, _, name = path.rpartition(".")
    owner = network.get_submodule(above)
    if isinstance(owner, nn.ModuleDict):
        owner[name] = Mean(place, given)
    else:
        setattr(owner, name, Mean(place, given))
    return network


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ("encoder1", "encoder1"),
        ("encoder3", "encoder3"),
        ("decoder2", "decoder2"),
        ("head", "head"),
        ("encoder1.attention.spatial", "encoder1.2.attention.branches.spatial"),
        ("encoder3.attention.channel", "encoder3.2.attention.branches.channel"),
        ("encoder1.skip", "skips.encoder1"),
        ("encoder2.skip", "skips.encoder2"),
    ],
)
def test_what_is_lost_is_what_another_module_in_the_parts_place_loses(part, path, pairs, found):
    (whole_ssim, whole_psnr), (without_ssim, without_psnr) = (
        scores(network, pairs) for network in (network_of(), ablated(pairs, path))
    )
    assert found[part].ssim_lost == pytest.approx(whole_ssim - without_ssim, abs=2e-6)
    assert found[part].psnr_lost == pytest.approx(whole_psnr - without_psnr, abs=2e-4)
    assert abs(found[part].psnr_lost) > 1e-3  # or the comparison says nothing


def test_every_stage_branch_and_second_skip_is_there_once(found):
    stages = ["encoder1", "encoder2", "encoder3", "decoder1", "decoder2", "head"]
    assert [name for name, part in found.items() if part.kind == "stage"] == stages
    branches = {"encoder1.attention.spatial", "encoder1.attention.channel", "encoder2.attention.spatial"}
    assert {name for name, part in found.items() if part.kind == "attention"} == branches | {
        "encoder3.attention.channel"
    }
    assert {name for name, part in found.items() if part.kind == "skip"} == {"encoder1.skip", "encoder2.skip"}


def test_shares_of_stages_are_what_fvcore_loses_without_them(found):
    """Cost without a branch of attention is that of the blueprint without it, but for the convolution that joins."""
    assert sum(part.macs_share for part in found.values() if part.kind == "stage") == pytest.approx(1)
    whole = cost_of(Blueprint.from_genotype(GENOTYPE)).macs
    without = replace(GENOTYPE, stages=(*GENOTYPE.stages[:2], replace(GENOTYPE.stages[2], attention="none"),
                                        *GENOTYPE.stages[3:]))  # fmt: skip
    less = whole - cost_of(Blueprint.from_genotype(without)).macs
    join = 8 * 8 * 64 * 64
    assert found["encoder3.attention.channel"].macs_share == pytest.approx((less - join) / whole)


def test_a_stage_whose_relu_is_closed_fires_nowhere_and_is_named(pairs):
    network = network_of()
    with torch.no_grad():
        network.decoder2[0].bias[:3] = -100.0
    three_quarters = {part.name: part for part in anatomy(network, "one", Sample(pairs, "three")).parts}["decoder2"]
    assert three_quarters.firing == 0.25
    with torch.no_grad():
        network.decoder2[0].bias[:] = -100.0
    closed = anatomy(network, "one", Sample(pairs, "three"))
    parts = {part.name: part for part in closed.parts}
    assert parts["decoder2"].firing == 0
    assert parts["decoder1"].ssim_lost == 0
    assert {sentence.split()[0] for sentence in worthless(closed.to_json())} >= {"encoder2", "decoder2"}
    assert "and is worth nothing" in verdict(closed.to_json())


def test_without_a_relu_a_channel_fires_where_it_varies(pairs):
    network = network_of(opening="none")
    with torch.no_grad():
        network.encoder1[0].weight[:2] = 0.0
        network.encoder1[0].bias[:2] = torch.tensor([3.0, -3.0])
    found = {part.name: part for part in anatomy(network, "one", Sample(pairs, "three")).parts}
    assert found["encoder1"].firing == 0.75


def test_a_cheap_stage_or_a_branch_that_is_worth_nothing_is_not_named():
    part = {"name": "decoder1", "kind": "stage", "macs_share": COSTLY, "ssim_lost": 0.0}
    assert worthless({"stages": [part]}) == []
    assert worthless({"stages": [part | {"macs_share": 0.3, "kind": "attention"}]}) == []
    assert worthless({"stages": [part | {"macs_share": 0.3, "ssim_lost": 0.001}]}) == []
    assert worthless({"stages": [part | {"macs_share": 0.12}]}) == [
        "decoder1 costs 12 % of the MACs and is worth nothing (+0.0000 SSIM)"
    ]


def test_a_stage_that_other_photographs_might_need_may_be_worth_nothing():
    part = {"name": "encoder4", "kind": "stage", "macs_share": 0.052, "ssim_lost": -0.0036, "ssim_low": -0.009}
    assert worthless({"stages": [part | {"ssim_high": 0.002}]}) == [
        "encoder4 costs 5 % of the MACs and may be worth nothing (-0.0036 SSIM, 95 % interval -0.0090 to +0.0020)"
    ]
    assert worthless({"stages": [part | {"ssim_high": 0.0009}]}) == [
        "encoder4 costs 5 % of the MACs and is worth nothing (-0.0036 SSIM, 95 % interval -0.0090 to +0.0009)"
    ]


def test_the_interval_is_students_over_the_photographs(pairs, found):
    whole, without = network_of(), ablated(pairs, "skips.encoder1")
    lost = [scores(whole, [pair])[0] - scores(without, [pair])[0] for pair in pairs]
    low, high = stats.t.interval(0.95, len(lost) - 1, loc=fmean(lost), scale=stats.sem(lost))
    part = found["encoder1.skip"]
    assert (part.ssim_low, part.ssim_high) == pytest.approx((low, high), abs=5e-6)
    assert high - low > 1e-3  # or the comparison says nothing


def test_one_photograph_gives_no_interval(pairs):
    parts = anatomy(network_of(), "one", Sample(pairs[:1], "one")).parts
    assert {(part.ssim_low, part.ssim_high) for part in parts} == {(None, None)}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        ADDS,
        {"stages": GENOTYPE.stages[:1], "levels": 1},
    ],
)
def test_networks_of_all_wirings_are_looked_into_and_left_as_they_were(changes, pairs):
    network = network_of(**changes)
    before = network(pairs[0][1])
    found = anatomy(network, "one", Sample(pairs[:1], "one"))
    assert [part.name for part in found.parts] == list(places_of(network))
    assert torch.equal(network(pairs[0][1]), before)
    assert not any("forward" in module.__dict__ or module._forward_hooks for module in network.modules())


def test_json_has_the_keys_that_scripts_read(pairs):
    value = json.loads(json.dumps(anatomy(network_of(), "one", Sample(pairs, "three")).to_json(), allow_nan=False))
    assert {"network", "macs", "ssim", "psnr", "photographs", "stages"} == set(value)
    assert {"name", "macs_share", "firing", "ssim_lost", "psnr_lost"} <= set(value["stages"][0])


def test_few_photographs_are_taken_evenly_from_first_to_last():
    pairs = [(str(number), None, None) for number in range(45)]
    assert [name for name, *_ in few(pairs)][:4] == ["0", "2", "4", "6"]
    assert len(few(pairs)) == 24
    assert few(pairs)[-1] == pairs[-1]
    assert few(pairs[:1]) == pairs[:1]


def test_a_full_training_keeps_its_anatomy_and_does_not_make_it_again(task, tmp_path):
    store, training = Store(tmp_path), Training.on(task, Blueprint.from_genotype(GENOTYPE), Recipe(8), 0)
    quality, *_ = train_fully(task, lambda step, loss: None, training, store)
    folder = store.at(training.key)
    kept = read_json(folder / ANATOMY)
    assert kept["ssim"] == pytest.approx(quality.ssim, abs=1e-6)
    assert kept["stripped"]["macs"] <= kept["macs"] == cost_of(load_network(folder / "network").blueprint).macs
    assert anatomy_line(kept)
    made = (folder / ANATOMY).stat().st_mtime_ns
    train_fully(task, lambda step, loss: None, training, store)
    assert (folder / ANATOMY).stat().st_mtime_ns == made
