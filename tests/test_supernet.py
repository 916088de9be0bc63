"""Supernet: a slice is the network that it stands for, and the training can be killed, found again, and learns."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nas.scoring.supernet import (
    COUNTED_AT,
    Slices,
    Supernet,
    SupernetSettings,
    SupernetTraining,
    crops,
    score_by_supernet,
    train_supernet,
)
from nas.scoring.tuned import TUNING, score_tuned
from nas.suggest import derive_seed
from nas.task.device import Device
from nas.task.evaluation import evaluate
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Course, Recipe, shares, train
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import SINCE, STAGES
from search_spaces.lpienet import build
from search_spaces.space import Space, default_space

CPU = torch.device("cpu")
SETTINGS = SupernetSettings(Recipe(4))


def space_of(**words: tuple[str, ...]) -> Space:
    """A small space with every kind of attention; `words` are the choices of the shared genes."""
    choices = {}
    for stage in STAGES:
        choices[f"{stage}.depth"] = (1, 2)
        choices[f"{stage}.width"] = (4, 8)
        choices[f"{stage}.expansion"] = (0.5, 1.0)
        choices[f"{stage}.attention"] = ("none", "channel", "spatial", "both")
    shared = {"block": ("released",), "activation": ("elu", "relu"), "head": ("gated", "conv3x3"), "stem": ("full",)}
    return Space.from_json(choices | shared | words)


SMALL = space_of()
WIDE = space_of(block=("released", "paper", "mobilenet"), stem=("full", "space-to-depth"))


class Interrupted(Exception):
    """Stands for a kill."""


def drawn(space: Space, seed: int) -> Blueprint:
    return Blueprint.from_genotype(space.sample(random.Random(seed)))


def weights_of(supernet: Supernet) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in supernet.parameters()])


def ignore(step: int, loss: float) -> None: ...


@pytest.fixture(scope="module")
def task() -> Task:
    settings = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(settings, read_photos(settings), Device("cpu", False, "test"))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    """With weights that are all different, biases and gains too."""
    made, generator = Supernet(WIDE, seed=0), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    return made


@pytest.mark.parametrize("seed", range(24))
def test_a_slice_computes_exactly_what_the_network_built_from_its_blueprint_does(seed, supernet):
    """To the bit where the weights lie in memory alike; the two layouts have convolutions of their own."""
    blueprint = drawn(WIDE, seed)
    image = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(seed))
    alone = build(blueprint, seed=9)
    alone.load_state_dict(supernet.slice(blueprint))
    alone.to(memory_format=torch.channels_last)
    taken_out = supernet.network(blueprint)
    with torch.inference_mode():
        output = supernet(blueprint, image)
        assert torch.equal(output, alone(image))
        torch.testing.assert_close(taken_out(image), output, atol=1e-5, rtol=1e-5)
    assert not torch.equal(output, image)


def test_the_largest_slice_holds_the_first_channels_of_every_smaller_one(supernet):
    """Of the first convolution, which has as many inputs in every slice; test_elastic has the places of all others."""
    words = SINCE | {"block": "released", "activation": "elu", "head": "gated"}
    small, large = (Blueprint.from_genotype(WIDE.extreme(most, words)) for most in (False, True))
    one, other = supernet.slice(small)["encoder1.0.weight"], supernet.slice(large)["encoder1.0.weight"]
    assert (one.shape[0], other.shape[0]) == (4, 8)
    assert torch.equal(one, other[:4])


def test_networks_with_different_heads_share_their_trunk(supernet):
    genotype = WIDE.sample(random.Random(0))
    plans = [Blueprint.from_genotype(replace(genotype, head=head)) for head in ("gated", "conv3x3")]
    one, other = (supernet.slice(plan) for plan in plans)
    shared = [name for name in one if not name.startswith("head")]
    assert len(shared) > 20
    assert all(torch.equal(one[name], other[name]) for name in shared)


def test_networks_with_different_blocks_or_stems_share_nothing(supernet):
    genotype = WIDE.sample(random.Random(0))
    one, *others = [
        supernet.slice(Blueprint.from_genotype(replace(genotype, block=block, stem=stem)))["encoder2.0.weight"]
        for block, stem in (("released", "full"), ("paper", "full"), ("released", "space-to-depth"))
    ]
    assert all(not torch.equal(one, other) for other in others)


def test_a_gain_and_a_bias_learn_as_fast_as_the_weight_that_they_belong_to(supernet):
    names = {parameter: name for name, parameter in supernet.named_parameters()}
    found = {names[parameter]: share for share, parameters in shares(supernet).items() for parameter in parameters}
    weights = [name for name in found if name.endswith("/weight")]
    assert 3 * len(weights) == len(found)
    assert len({found[name] for name in weights}) > 3
    assert all(found[name] == found[f"{name}/gain"] == found[f"{name}/bias"] for name in weights)


def test_slices_of_a_new_supernet_begin_as_open_as_networks_do():
    new = Supernet(WIDE, seed=0)
    assert (new.slice(drawn(WIDE, 0))["decoder2.0.bias"] == 1).all()
    assert not new.slice(drawn(WIDE, 0))["decoder2.2.residuals.0.spatial.0.bias"].any()


def test_a_network_taken_out_has_weights_of_its_own(supernet):
    blueprint = drawn(WIDE, 0)
    before = weights_of(supernet)
    with torch.no_grad():
        for weight in supernet.network(blueprint).parameters():
            weight.zero_()
    assert torch.equal(weights_of(supernet), before)


def test_a_finished_supernet_is_found_again_and_not_trained_again(tmp_path, task):
    first = train_supernet(SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path)
    again = train_supernet(
        SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path, lambda step, loss: pytest.fail("it trained again")
    )
    assert torch.equal(weights_of(first), weights_of(again))
    assert list(tmp_path.iterdir()) == [SupernetTraining(SMALL, task, SETTINGS, 0).at(tmp_path)]


def test_whatever_the_weights_depend_on_gives_another_file(task):
    patch = replace(task, settings=replace(task.settings, patch=64))
    photos = replace(task, photos=replace(task.photos, manifest=task.photos.manifest.without({"rocket"})))
    here = Path()
    paths = {
        SupernetTraining(SMALL, task, SETTINGS, 0).at(here),
        SupernetTraining(SMALL, task, SETTINGS, 1).at(here),
        SupernetTraining(WIDE, task, SETTINGS, 0).at(here),
        SupernetTraining(SMALL, patch, SETTINGS, 0).at(here),
        SupernetTraining(SMALL, photos, SETTINGS, 0).at(here),
        SupernetTraining(SMALL, task, SupernetSettings(Recipe(5)), 0).at(here),
        SupernetTraining(SMALL, task, SupernetSettings(Recipe(4, learning_rate=1e-3)), 0).at(here),
        SupernetTraining(SMALL, task, SupernetSettings(Recipe(4), random_slices=3), 0).at(here),
        SupernetTraining(SMALL, task, SupernetSettings(Recipe(4), ceiling=10**8), 0).at(here),
    }
    assert len(paths) == 9
    assert SupernetTraining(space_of(), task, replace(SETTINGS), 0).at(here) in paths


def test_where_photographs_are_gives_no_other_file_and_what_they_show_does(task):
    first = task.photos.manifest.entries[0]
    shown = replace(first, clean=replace(first.clean, digest="of other pixels"))
    other = replace(task.photos.manifest, entries=(shown, *task.photos.manifest.entries[1:]))
    moved = replace(task, settings=replace(task.settings, data="another place"))
    changed = replace(task, photos=replace(task.photos, manifest=other))
    here = SupernetTraining(SMALL, task, SETTINGS, 0).at(Path())
    assert SupernetTraining(SMALL, moved, SETTINGS, 0).at(Path()) == here
    assert SupernetTraining(SMALL, changed, SETTINGS, 0).at(Path()) != here


@pytest.mark.parametrize("stops", [[1], [0, 2], [3]])
def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(stops, tmp_path, task, monkeypatch):
    monkeypatch.setattr("nas.task.training.CHECKPOINT_SECONDS", 0.0)
    whole = train_supernet(SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path / "whole")
    for stop in stops:
        with pytest.raises(Interrupted):
            train_supernet(SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path / "killed", interrupt_at(stop))
        assert not SupernetTraining(SMALL, task, SETTINGS, 0).at(tmp_path / "killed").exists()
    seen: list[int] = []
    resumed = train_supernet(
        SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path / "killed", lambda step, loss: seen.append(step)
    )
    assert seen == list(range(stops[-1], SETTINGS.recipe.steps))  # only what was not yet saved
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert not torch.equal(weights_of(whole), weights_of(Supernet(SMALL, 0)))
    assert len(list((tmp_path / "killed").iterdir())) == 1  # no checkpoint is left


def interrupt_at(last: int):
    def on_step(step: int, loss: float) -> None:
        if step == last:
            raise Interrupted

    return on_step


@pytest.mark.parametrize("ceiling", [120_000_000, 600_000_000])
def test_no_slice_is_above_the_ceiling_but_the_smallest(ceiling):
    draw = Slices(default_space(), SupernetSettings(Recipe(1), ceiling=ceiling), seed=0)
    for step in range(30):
        large, smallest, *others = draw(step)
        assert all(macs_of(plan, COUNTED_AT) <= ceiling for plan in (large, *others))
        assert {(len(stage.blocks), stage.attention) for stage in smallest.stages} == {(1, "none")}
        assert [stage.width for stage in smallest.stages[: len(smallest.stages) // 2 + 1]] in (
            [4, 8, 16],
            [4, 8, 16, 32],
        )


def test_under_a_ceiling_the_widest_first_encoder_is_trained_as_often_as_others():
    draw = Slices(default_space(), SupernetSettings(Recipe(1), ceiling=400_000_000), seed=0)
    widths = [slices.stages[0].width for step in range(60) for slices in draw(step)[2:]]
    assert all(widths.count(width) > 15 for width in (4, 8, 12, 16))


def test_without_a_ceiling_the_large_slice_has_all_that_there_is():
    for step in range(5):
        large = Slices(SMALL, SETTINGS, seed=0)(step)[0]
        assert {(stage.width, len(stage.blocks), stage.blocks[0].depthwise) for stage in large.stages} == {(8, 2, 8)}
        assert {stage.attention for stage in large.stages} == {"both"}


def test_a_step_has_a_large_a_small_and_as_many_random_slices_as_were_asked_for_by_seed_and_step_alone():
    settings = SupernetSettings(Recipe(1), random_slices=3)
    steps = [Slices(SMALL, settings, seed=0)(step) for step in range(6)]
    assert all(len(step) == 5 for step in steps)
    assert Slices(SMALL, settings, seed=0)(4) == steps[4]
    assert Slices(SMALL, settings, seed=1)(4) != steps[4]
    assert len({tuple(step[2:]) for step in steps}) == 6


def test_the_ceiling_of_a_search_is_its_budget_brought_to_the_size_at_which_slices_are_counted():
    assert SupernetSettings.under(Recipe(1), 100, (512, 512)).ceiling == 25
    assert SupernetSettings.under(Recipe(1), 100, COUNTED_AT).ceiling == 100
    assert SupernetSettings.under(Recipe(1), None, (512, 512)).ceiling is None


def test_training_lowers_the_loss_of_large_and_small_slices(tmp_path, task):
    degraded, clean = task.batches(99)(0)
    plans = [Blueprint.from_genotype(SMALL.extreme(large, WORDS)) for large in (True, False)]

    def losses(supernet: Supernet) -> list[float]:
        with torch.inference_mode():
            return [task.loss(supernet(plan, degraded), clean).item() for plan in plans]

    before = losses(
        train_supernet(SupernetTraining(SMALL, task, SupernetSettings(Recipe(1, learning_rate=1e-9)), 0), tmp_path)
    )
    after = losses(train_supernet(SupernetTraining(SMALL, task, SupernetSettings(Recipe(40)), 0), tmp_path))
    assert all(late < 0.97 * early for early, late in zip(before, after, strict=True))


WORDS = SINCE | {"block": "released", "activation": "relu", "head": "conv3x3"}


def test_a_score_is_the_quality_of_the_sliced_network_on_the_crops(tmp_path, task):
    supernet = train_supernet(SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path)
    path = SupernetTraining(SMALL, task, SETTINGS, 0).at(tmp_path)
    for seed in range(3):
        blueprint = drawn(SMALL, seed)
        score = score_by_supernet(task, ignore, path, SMALL, blueprint)
        network = supernet.network(blueprint).to(memory_format=torch.channels_last).eval()
        one_by_one = evaluate(network, crops(task), CPU, margin=0)
        assert (score.ssim, score.psnr) == pytest.approx((one_by_one.ssim, one_by_one.psnr), abs=1e-5)
    assert score_by_supernet(task, ignore, path, SMALL, drawn(SMALL, 0)) != score


def test_a_tuned_score_is_the_quality_of_a_slice_that_was_trained_on_patches_that_are_alike_for_all(tmp_path, task):
    supernet = train_supernet(SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path)
    path, blueprint = SupernetTraining(SMALL, task, SETTINGS, 0).at(tmp_path), drawn(SMALL, 1)
    steps = []
    score = score_tuned(task, lambda step, loss: steps.append(step), path, (SMALL, blueprint), 7)
    assert len(steps) == TUNING.steps
    network = supernet.network(blueprint).train()
    train(network, task.batches(derive_seed(7, 0, "tuning patches")), task.loss, Course(TUNING, task.device))
    assert score == evaluate(network.eval(), task.validation, CPU)
    assert score.ssim > evaluate(supernet.network(blueprint).eval(), task.validation, CPU).ssim
    kept = train_supernet(SupernetTraining(SMALL, task, SETTINGS, 0), tmp_path)
    assert torch.equal(weights_of(kept), weights_of(supernet))  # slices are copies: no candidate changes another's


def test_crops_are_different_parts_of_every_photograph_at_one_place_of_both_pictures(task):
    degraded = torch.arange(3 * 200 * 300, dtype=torch.float32).reshape(1, 3, 200, 300)
    found = crops(replace(task, validation=(("one", degraded, degraded + 0.5),)))
    assert len({name for name, *_ in found}) == len(found) == 4
    assert all(part.shape == (1, 3, 96, 96) for _, part, _ in found)
    assert all(torch.equal(part + 0.5, clean) for _, part, clean in found)
    corners = {divmod(int(part[0, 0, 0, 0]), 300) for _, part, _ in found}
    assert corners == {(2, 27), (2, 177), (102, 27), (102, 177)}  # centres at a quarter and three quarters


def test_there_are_few_crops_however_many_photographs_there_are(task):
    picture = torch.rand(1, 3, 40, 40)
    found = crops(replace(task, validation=tuple((str(number), picture, picture) for number in range(30))))
    assert len(found) == len({name.split("-")[0] for name, *_ in found}) == 12


@pytest.mark.parametrize("count", [5, 12, 45])
def test_crops_are_as_degraded_as_the_photographs_are_whatever_their_order(count, task):
    """Pictures whose error rises evenly: the crops' errors are spread as evenly, not over the first pictures alone."""
    picture = torch.full((1, 3, 40, 40), 0.2)
    errors = [0.01 * (number + 1) for number in range(count)]
    pairs = [(f"{error:.2f}", picture + error, picture) for error in errors]
    means = []
    for order in (pairs, pairs[::-1], random.Random(0).sample(pairs, count)):
        found = crops(replace(task, validation=tuple(order)))
        means.append(sum(float((degraded - clean).mean()) for _, degraded, clean in found) / len(found))
    assert means[0] == pytest.approx(means[1]) == pytest.approx(means[2])
    assert means[0] == pytest.approx(sum(errors) / count, rel=0.05)


def test_crops_of_a_small_photograph_lie_inside_it(task):
    small = torch.rand(1, 3, 20, 130)
    for _, part, _ in crops(replace(task, validation=(("one", small, small),))):
        assert part.shape[-2] >= 15
        assert part.shape[-1] >= 80


def test_a_negative_number_of_random_slices_is_refused():
    with pytest.raises(ValueError, match="random_slices = -1"):
        SupernetSettings(Recipe(1), random_slices=-1)
