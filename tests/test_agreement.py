"""Agreement: tau by counting pairs, differences over the same resamples, and no credit for counting."""

import itertools
import json
import math
import random

import numpy as np
import pytest
from scipy.stats import kendalltau

import results.agreement
from results.agreement import BAND, Agreement, Networks, agreement, scores_json


def agreement_of(name, score, truth, macs, parameters, *rest, **more) -> Agreement:
    return agreement(name, score, Networks(truth, macs, parameters), *rest, **more)


def tau_by_pairs(one: list[float], other: list[float], counts: list[float] | None = None) -> float:
    """Kendall's tau-b by counting pairs, of about equal `counts` where they are given."""

    def sign(difference: float) -> int:
        return (difference > 0) - (difference < 0)

    rows = list(zip(one, other, counts or [1.0] * len(one), strict=True))
    pairs = [
        (sign(a - d), sign(b - e))
        for (a, b, c), (d, e, f) in itertools.combinations(rows, 2)
        if max(c, f) / min(c, f) <= BAND
    ]
    untied = [sum(pair[at] != 0 for pair in pairs) for at in (0, 1)]
    return sum(left * right for left, right in pairs) / math.sqrt(untied[0] * untied[1])


def columns(seed: int, values: int, networks: int = 12) -> list[list[float]]:
    """Score, truth, MACs, parameters at random; of `values` different values, so with ties where they are few."""
    drawn = random.Random(seed)
    return [[1.0 + drawn.randrange(values) for _ in range(networks)] for _ in range(4)]


@pytest.mark.parametrize("values", [4, 10**6])
@pytest.mark.parametrize("seed", range(5))
def test_tau_equals_counting_pairs_and_lies_in_its_interval(seed, values):
    """With and without ties."""
    score, truth, macs, parameters = columns(seed, values)
    found = agreement_of("score", score, truth, macs, parameters, 1.5)
    assert found.tau == pytest.approx(tau_by_pairs(score, truth))
    assert found.tau == pytest.approx(kendalltau(score, truth).statistic)
    assert -1 <= found.low <= found.tau <= found.high <= 1 + 1e-9
    assert found.low < found.high
    assert (found.name, found.seconds) == ("score", 1.5)


def test_the_difference_to_counting_is_taken_over_the_same_resamples_by_hand(monkeypatch):
    monkeypatch.setattr(results.agreement, "_RESAMPLES", 300)
    score, truth, macs, parameters = map(np.array, columns(1, 10**6))
    found = agreement_of("", score, truth, macs, parameters, seed=3)
    drawn = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), 300)
    places = [np.repeat(np.arange(12), counts) for counts in drawn]
    for counts, stored in ((macs, found.above_macs), (parameters, found.above_parameters)):
        by_hand = [
            kendalltau(score[at], truth[at]).statistic - kendalltau(counts[at], truth[at]).statistic for at in places
        ]
        assert stored.value == pytest.approx(kendalltau(score, truth).statistic - kendalltau(counts, truth).statistic)
        assert (stored.low, stored.high) == pytest.approx(tuple(np.percentile(by_hand, (2.5, 97.5))))


def test_a_score_that_counts_is_not_above_counting():
    _, truth, macs, parameters = columns(2, 10**6)
    found = agreement_of("", [math.log(count) for count in macs], truth, macs, parameters)
    assert (found.above_macs.value, found.above_macs.low, found.above_macs.high) == (0, 0, 0)
    assert not found.beats_counting


def test_a_perfect_score_beats_counts_that_say_nothing_and_not_counts_that_say_all():
    truth = [float(n) for n in range(30)]
    nothing = [1.0 + n * 7919 % 30 for n in range(30)]
    assert agreement_of("", truth, truth, nothing, nothing).beats_counting
    all_of_it = [1.0 + n for n in truth]
    assert not agreement_of("", truth, truth, all_of_it, nothing).beats_counting
    assert not agreement_of("", truth, truth, nothing, all_of_it).beats_counting


@pytest.mark.parametrize("seed", range(3))
def test_within_bands_only_pairs_of_about_equal_macs_count(seed):
    score, truth, _, parameters = columns(seed, 10**6)
    macs = [100.0 * 1.1**n for n in range(12)]
    found = agreement_of("", score, truth, macs, parameters)
    assert found.within_bands.value == pytest.approx(tau_by_pairs(score, truth, macs))
    assert found.pairs_within_bands == 11 + 10  # 1.1 and 1.21 times as dear, and not 1.331


def test_macs_rank_all_networks_and_none_within_a_band():
    """Truth goes with the decade and, within it, against the cost."""
    macs = [scale * (1 + step / 100) for scale in (10.0, 100.0, 1000.0) for step in range(5)]
    truth = [math.floor(math.log10(count)) - 0.001 * count / 10 ** math.floor(math.log10(count)) for count in macs]
    found = agreement_of("MACs alone", macs, truth, macs, macs)
    assert found.tau > 0.4
    assert found.within_bands.value == pytest.approx(-1)


def test_without_two_networks_of_equal_macs_there_is_no_tau_within_bands():
    score, truth, _, parameters = columns(0, 10**6)
    found = agreement_of("", score, truth, [2.0**n for n in range(12)], parameters)
    assert (found.within_bands, found.pairs_within_bands) == (None, 0)


def test_the_interval_narrows_with_the_number_of_networks_and_depends_on_the_seed_alone():
    few = columns(0, 10**6)
    many = [column * 4 for column in few]
    narrow, wide = agreement_of("", *many), agreement_of("", *few)
    assert narrow.high - narrow.low < wide.high - wide.low
    assert agreement_of("", *few) == wide
    assert agreement_of("", *few, seed=1) != wide


def test_the_same_order_agrees_wholly_and_the_opposite_one_not_at_all():
    truth = [float(n) for n in range(8)]
    same, opposite = (agreement_of("", score, truth, truth, truth) for score in ([x**3 for x in truth], truth[::-1]))
    assert (same.tau, same.low, same.high) == pytest.approx((1, 1, 1))
    assert opposite.tau == pytest.approx(-1)


def test_a_score_that_is_the_same_for_all_agrees_with_nothing_and_can_be_written_down():
    truth = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    found = agreement_of("", [0.5] * 6, truth, truth, truth)
    assert (found.tau, found.low, found.high, found.above_macs.value) == (0, 0, 0, -1)
    json.dumps(found.to_json(), allow_nan=False)


def test_of_scores_no_better_than_macs_at_most_one_in_twenty_is_called_above_them():
    """Score and MACs are the truth with as much noise each; one side of a 95 % interval is 2.5 %."""
    drawn = np.random.default_rng(0)
    above = 0
    for _ in range(200):
        truth = drawn.normal(size=40)
        score, macs = (truth + drawn.normal(0, 0.7, 40) for _ in range(2))
        above += agreement_of("", score, truth, np.exp(macs), np.exp(macs)).above_macs.low > 0
    assert above <= 10


def test_an_agreement_is_read_as_it_was_written_and_as_earlier_versions_wrote_it():
    found = agreement_of("supernet", *columns(0, 10**6), 0.5)
    assert Agreement.from_json(json.loads(json.dumps(found.to_json()))) == found
    earlier = {"score": "supernet", "tau": 0.8, "low": 0.5, "high": 0.9, "seconds": 0.2}
    assert Agreement.from_json(earlier) == Agreement("supernet", 0.8, 0.5, 0.9, 0.2)


def test_the_published_scores_have_their_keys_and_the_default_first():
    first, second = agreement_of("best", *columns(0, 10**6), 0.5), agreement_of("other", *columns(1, 10**6))
    value = json.loads(json.dumps(scores_json(12, [first, second]), allow_nan=False))
    assert value["networks"] == 12
    assert [one["name"] for one in value["scores"]] == ["best", "other"]
    expected = {"name": "best", "tau": first.tau, "low": first.low, "high": first.high, "seconds": 0.5}
    expected |= {
        "above_macs_low": first.above_macs.low,
        "within_bands": first.within_bands and first.within_bands.value,
    }
    assert expected.items() <= value["scores"][0].items()


@pytest.mark.parametrize(
    ("score", "truth", "says"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "must be alike, of at least 4 networks"),
        ([1.0] * 5, [1.0, 2.0, 3.0, 4.0], "must be alike"),
        ([1.0, 2.0, 3.0, float("nan")], [1.0, 2.0, 3.0, 4.0], "supernet holds NaN or infinity"),
    ],
)
def test_columns_that_cannot_be_compared_are_refused(score, truth, says):
    with pytest.raises(ValueError, match=says):
        agreement_of("supernet", score, truth, truth, truth)
