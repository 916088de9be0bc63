"""Evaluation: the mean over photographs, whether they come one by one or in batches of a size."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from compress.runtime.runtimes import in_pytorch
from compress.runtime.tiles import enhance
from nas.task.evaluation import Pair, evaluate, evaluate_each, in_batches
from nas.task.metrics import psnr, ssim
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build
from search_spaces.receptive import margin_of

CPU = torch.device("cpu")


@pytest.fixture
def pairs() -> list[Pair]:
    generator = torch.Generator().manual_seed(0)
    sides = [(24, 40), (16, 16), (24, 40), (16, 16), (24, 40)]
    pictures = [torch.rand((2, 1, 3, *side), generator=generator) for side in sides]
    return [(str(number), degraded, clean) for number, (degraded, clean) in enumerate(pictures)]


def darker(image: Tensor) -> Tensor:
    return image * 0.9


def test_an_evaluation_is_the_mean_over_photographs_of_any_size(pairs):
    found = evaluate(darker, pairs, CPU)
    each = [
        (ssim(darker(degraded), clean).item(), psnr(darker(degraded), clean).item()) for _, degraded, clean in pairs
    ]
    assert found.ssim == pytest.approx(sum(one for one, _ in each) / 5)
    assert found.psnr == pytest.approx(sum(other for _, other in each) / 5)


def test_every_photograph_has_its_own_score_in_the_order_of_the_pairs(pairs):
    found = evaluate_each(darker, pairs, CPU)
    assert [score.name for score in found] == ["0", "1", "2", "3", "4"]
    for score, (_, degraded, clean) in zip(found, pairs, strict=True):
        assert score.ssim == pytest.approx(ssim(darker(degraded), clean).item())
        assert score.psnr == pytest.approx(psnr(darker(degraded), clean).item())


def test_photographs_of_one_batch_share_its_name_and_are_numbered(pairs):
    found = evaluate_each(darker, in_batches(pairs), CPU)
    assert [score.name for score in found] == [f"0, 2, 4 ({n})" for n in (1, 2, 3)] + [f"1, 3 ({n})" for n in (1, 2)]


def test_batches_hold_every_photograph_once_beside_those_of_its_size(pairs):
    found = in_batches(pairs)
    assert [(name, degraded.shape[0]) for name, degraded, _ in found] == [("0, 2, 4", 3), ("1, 3", 2)]
    for name, degraded, clean in found:
        for place, number in enumerate(name.split(", ")):
            assert torch.equal(degraded[place], pairs[int(number)][1][0])
            assert torch.equal(clean[place], pairs[int(number)][2][0])


def test_photographs_in_batches_have_the_quality_that_they_have_one_by_one(pairs):
    apart, together = evaluate(darker, pairs, CPU), evaluate(darker, in_batches(pairs), CPU)
    assert (together.ssim, together.psnr) == pytest.approx((apart.ssim, apart.psnr))


def test_a_photograph_is_judged_as_if_its_reflection_went_on_in_validation_as_in_enhance(pairs):
    stages = (Stage(1, 4, 1.0, "none"),) * 5
    network = build(Blueprint.from_genotype(Genotype(stages, activation="relu", head="conv3x3")), seed=3).eval()
    far = margin_of(network.blueprint)
    by_hand = []
    for _, degraded, clean in pairs:
        wide = np.pad(degraded.numpy(), ((0, 0), (0, 0), (far, far), (far, far)), "reflect")
        with torch.no_grad():
            output = network(torch.from_numpy(wide))[..., far:-far, far:-far]
        by_hand.append(psnr(output.clamp(0, 1), clean).item())
    validated = [score.psnr for score in evaluate_each(network, pairs, CPU)]
    enhanced = [score.psnr for score in evaluate_each(partial(enhance, in_pytorch(network)), pairs, CPU)]
    zeros_outside = [score.psnr for score in evaluate_each(network, pairs, CPU, margin=0)]
    assert validated == pytest.approx(by_hand, abs=1e-5)
    assert enhanced == pytest.approx(by_hand, abs=1e-5)
    assert zeros_outside != pytest.approx(by_hand, abs=1e-4)


def test_a_perfect_photograph_counts_as_a_hundred_decibels(pairs):
    _, picture, _ = pairs[0]
    found = evaluate(lambda image: image, [("perfect", picture, picture)], CPU)
    assert found.psnr == 100
    assert math.isclose(found.ssim, 1, abs_tol=1e-6)


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(ValueError, match="no pairs"):
        evaluate(darker, [], CPU)


def test_grey_photographs_are_judged_grey_as_enhance_gives_them_and_others_of_their_batch_as_they_are():
    tint = torch.tensor([0.06, 0.0, -0.03]).view(1, 3, 1, 1)
    both = torch.tensor([[0.5, 0.5, 0.5], [0.4, 0.5, 0.6]])[..., None, None].expand(2, 3, 24, 24)
    scores = evaluate_each(lambda image: image + tint, [("both", both, both)], CPU)
    of_grey, of_coloured = (-10 * math.log10(error) for error in (0.01**2, (0.06**2 + 0.03**2) / 3))
    assert [score.psnr for score in scores] == pytest.approx([of_grey, of_coloured], abs=1e-3)
