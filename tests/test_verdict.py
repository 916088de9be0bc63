"""Verdict: seldom wrong on equal networks, seldom silent on different ones, and no surer than its few trainings."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind, wilcoxon

from results.verdict import ALIKE, BETTER, ONE_TRAINING, WORSE, independent, judge, scatter_of_means

PHOTOGRAPHS = (8, 20, 45)
TRAINING_SD = (0.001, 0.002, 0.004)


def networks(seed: int, count: int, trainings: int, photographs: int, sd: float | list[float]) -> np.ndarray:
    """SSIM (networks, trainings, photographs) of networks that are equal in the long run.

    Photographs differ in difficulty by 0.05, networks in what they make of one photograph by 0.003, and trainings of
    one network by `sd`, that of all or of each, which is the same on all photographs.
    """
    drawn = np.random.default_rng(seed)
    difficulty = drawn.normal(0.8, 0.05, (1, 1, photographs))
    taste = drawn.normal(0, 0.003, (count, 1, photographs))
    return difficulty + taste + drawn.normal(0, np.broadcast_to(sd, count)[:, None, None], (count, trainings, 1))


def judged_best(made: np.ndarray) -> str:
    """The verdict on the best of all networks but the first, against the first."""
    place = 1 + int(made[1:].mean(axis=(1, 2)).argmax())
    further = [made[at] for at in range(1, len(made)) if at != place]
    return judge(made[place], made[0], further, chosen_of=len(made) - 1).word


@pytest.mark.parametrize("trainings", [2, 3])
@pytest.mark.parametrize("chosen_of", [1, 5])
def test_of_equal_networks_at_most_one_in_twenty_is_told_apart(chosen_of, trainings):
    words = [
        judged_best(networks(number, chosen_of + 1, trainings, PHOTOGRAPHS[number % 3], TRAINING_SD[number // 3 % 3]))
        for number in range(540)
    ]
    assert sum(word != ALIKE for word in words) <= 0.05 * len(words)


@pytest.mark.parametrize("further", [0, 4])
def test_a_gain_of_a_hundredth_is_found_with_three_trainings(further):
    words = []
    for number in range(120):
        made = networks(number, 2 + further, 3, PHOTOGRAPHS[number % 3], 0.002)
        words.append(judge(made[1] + 0.01, made[0], list(made[2:])).word)
    assert words.count(BETTER) >= (0.95 if further else 0.9) * len(words)
    assert words.count(WORSE) == 0


@pytest.mark.parametrize("trainings", [2, 3])
def test_networks_that_scatter_more_than_the_two_that_are_compared_say_nothing_of_them(trainings):
    """As small ones do beside large ones: 0.003 and 0.0005."""
    words: dict[float, list[str]] = {0.0: [], 0.008: []}
    for gain, said in words.items():
        for number in range(300):
            made = networks(number, 8, trainings, PHOTOGRAPHS[number % 3], [0.0005] * 2 + [0.003] * 6)
            said.append(judge(made[1] + gain, made[0], list(made[2:]), chosen_of=7).word)
    assert sum(word != ALIKE for word in words[0.0]) <= 0.05 * 300
    assert words[0.008].count(BETTER) >= (0.5 if trainings == 2 else 0.6) * 300  # 8 photographs tell none


def test_better_one_way_is_worse_the_other_way():
    one, other = networks(0, 2, 3, 20, 0.001)
    there, back = judge(one + 0.02, other), judge(other, one + 0.02)
    assert (there.word, back.word) == (BETTER, WORSE)
    assert (there.gain, there.low, there.high) == pytest.approx((-back.gain, -back.high, -back.low))


def test_the_photographs_p_value_is_that_of_wilcoxons_test_on_the_means_of_the_trainings():
    one, other = networks(1, 2, 3, 20, 0.001)
    expected = wilcoxon(one.mean(axis=0), other.mean(axis=0)).pvalue
    assert judge(one, other).p_photographs == pytest.approx(expected)
    assert judge(one, other, chosen_of=5).p_photographs == pytest.approx(1 - (1 - expected) ** 5)


def test_where_trainings_do_not_scatter_the_interval_is_that_of_the_photographs_alone():
    one, other = networks(2, 2, 3, 12, 0.0)
    found, expected = judge(one, other), ttest_1samp((one - other).mean(axis=0), 0)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_trainings == pytest.approx(expected.pvalue, rel=1e-6)


def test_where_photographs_do_not_differ_the_interval_is_that_of_the_trainings_alone():
    levels = ((0.800, 0.801, 0.804), (0.8100, 0.8115, 0.8120))
    one, other = (np.repeat(np.array(level)[:, None], 12, axis=1) for level in levels)
    expected = ttest_ind(one[:, 0], other[:, 0], equal_var=False)
    low, high = expected.confidence_interval(0.95)
    found = judge(one, other)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_trainings == pytest.approx(expected.pvalue, rel=1e-6)


def test_the_interval_adds_both_scatters_up():
    """With one scatter alone the interval would be half * sqrt(1 / 2), where both are alike."""
    drawn = np.random.default_rng(4)
    training, photograph = (drawn.normal(0, 0.002, size) for size in ((2, 4, 1), (1, 4)))
    one, other = (0.8 + shift + np.zeros((4, 4)) for shift in training)
    alone = judge(one, other)
    both = judge(one + photograph, other)
    photographs = judge(0.8 + np.zeros((4, 4)) + photograph, 0.8 + np.zeros((4, 4)))
    half = [(found.high - found.low) / 2 for found in (alone, photographs, both)]
    assert half[2] == pytest.approx(math.hypot(half[0], half[1]))


def test_the_choice_of_the_best_of_five_widens_the_interval_and_raises_both_p_values():
    one, other = networks(5, 2, 3, 20, 0.002)
    single, chosen = judge(one, other), judge(one, other, chosen_of=5)
    assert chosen.low < single.low < single.high < chosen.high
    assert chosen.p_trainings == pytest.approx(1 - (1 - single.p_trainings) ** 5)
    assert chosen.p_photographs > single.p_photographs


def test_one_training_each_gives_no_verdict_however_large_the_gain():
    one, other = networks(6, 2, 1, 20, 0.001)
    found = judge(one + 0.1, other)
    assert found.word == ONE_TRAINING
    assert (found.low, found.high, found.p_trainings) == (None, None, None)
    assert "cannot be said" in found.sentence
    assert "Train again: --least-seeds 3," in found.sentence


def test_one_training_each_is_judged_by_the_scatter_of_further_networks():
    made = networks(7, 5, 3, 20, 0.001)
    found = judge(made[0, :1] + 0.03, made[1, :1], [*made[2:]])
    assert found.word == BETTER
    assert found.trainings == (1, 1)


def test_the_scatter_of_alike_networks_is_pooled_by_hand():
    """Means of trainings apart by 2, 2, 4 thousandths: variances 2, 2, 8 (1e-6) of one degree each; pooled 4."""
    one, two, third = (np.full((2, 3), 0.8) + np.array([[0.0], [apart]]) for apart in (0.002, 0.002, 0.004))
    variance, degrees = scatter_of_means(one, two, [third])
    assert variance == pytest.approx(4e-6 * (1 / 2 + 1 / 2))
    assert degrees == pytest.approx(3)


def test_a_network_that_scatters_far_more_than_the_others_counts_with_its_own_scatter():
    quiet = [np.full((3, 4), 0.8) + np.array([[0.0], [0.001], [0.002]]) for _ in range(5)]
    erratic = np.full((3, 4), 0.8) + np.array([[0.0], [0.03], [0.06]])
    variance, degrees = scatter_of_means(quiet[0], erratic, quiet[1:])
    assert variance == pytest.approx(1e-6 / 3 + 9e-4 / 3)
    assert degrees == pytest.approx(2, rel=0.01)


def test_further_networks_that_scatter_far_more_are_left_out_of_the_scatter_by_hand():
    one, two = (np.full((3, 4), 0.8) + np.array([[0.0], [0.001], [0.002]]) for _ in range(2))
    wild = np.full((3, 4), 0.8) + np.array([[0.0], [0.03], [0.06]])
    assert scatter_of_means(one, two, [wild, one]) == scatter_of_means(one, two, [one])
    assert scatter_of_means(one, two, [wild]) == scatter_of_means(one, two, [])


def test_networks_that_agree_on_every_photograph_are_alike():
    one = networks(8, 1, 3, 20, 0.001)[0]
    found = judge(one, one)
    assert (found.word, found.gain, found.p_photographs, found.p_trainings) == (ALIKE, 0, 1, 1)


@pytest.mark.parametrize(("photographs", "chosen_of", "few"), [(5, 1, True), (6, 1, False), (7, 5, True)])
def test_photographs_too_few_to_tell_anything_apart_are_named(photographs, chosen_of, few):
    """The least p of Wilcoxon's test is 2 / 2^n: 0.0625 with five photographs, 0.031 with six."""
    drawn = np.random.default_rng(9).normal(0, 0.001, (2, 3, photographs))
    found = judge(0.9 + drawn[0], 0.5 + drawn[1], chosen_of=chosen_of)
    assert (found.word == ALIKE) == few
    assert ("so few photographs can tell no networks apart" in found.sentence) == few


def test_the_sentence_says_gain_interval_photographs_trainings_and_choice():
    made = networks(10, 3, 3, 20, 0.001)
    found = judge(made[0] + 0.02, made[1, :2], [made[2]], chosen_of=4, names=("candidate 7", "the reference"))
    assert found.sentence.startswith(f"Candidate 7 is better than the reference: {found.gain:+.4f} SSIM")
    for part in (f"{found.low:+.4f} to {found.high:+.4f}", "best of 4", "20 test photographs", "3 and 2 trainings"):
        assert part in found.sentence
    assert found.to_json()["sentence"] == found.sentence
    assert found.to_json()["word"] == "better"


def test_trainings_from_one_supernet_are_one_independent_training_and_those_from_scratch_are_each_one():
    assert independent(["scratch"] * 3) == [[0], [1], [2]]
    assert independent(["inherited weights"] * 3) == [[0, 1, 2]]
    assert independent(["inherited weights", "scratch", "inherited weights", "scratch"]) == [[0, 2], [1], [3]]
    assert independent([]) == []


@pytest.mark.parametrize(
    ("one", "other", "chosen_of", "says"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), 1, "3 photographs and the other 4: both must be judged on the same"),
        (np.ones(3), np.ones((2, 3)), 1, r"shape \(3,\): must be \(trainings, photographs\)"),
        (np.ones((2, 1)), np.ones((2, 1)), 1, "at least one training on two photographs"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), 1, "holds NaN or infinity"),
        (np.ones((2, 3)), np.ones((2, 3)), 0, "chosen_of = 0: must be at least 1"),
    ],
)
def test_matrices_that_cannot_be_compared_are_refused(one, other, chosen_of, says):
    with pytest.raises(ValueError, match=says):
        judge(one, other, chosen_of=chosen_of)
