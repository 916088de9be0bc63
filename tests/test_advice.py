"""Advice: which score a calibration recommends, and what is shown of it."""

from nas.calibrate import (
    AGAIN,
    MACS,
    PARAMETERS,
    advice,
    summary_line,
)
from results.agreement import Agreement, Interval


def one(name: str, tau: float, seconds: float, above: float = 0.1) -> Agreement:
    """A score whose tau less that of counting is at least `above`, for all that is known."""
    difference = Interval(above + 0.1, above, above + 0.2)
    return Agreement(name, tau, tau - 0.1, tau + 0.1, seconds, difference, difference)


def test_the_advice_is_the_cheapest_score_that_reaches_the_target_and_beats_counting():
    found = [one("supernet", 0.6, 1), one("short, 9 steps", 0.8, 5), one("short, 3 steps", 0.7, 2)]
    alone = [one(MACS, 0.5, 0), one(PARAMETERS, 0.4, 0), one(AGAIN, 0.99, 0)]
    assert advice([*found, *alone], 0.7).startswith("short, 3 steps: tau 0.70 for 2 processor seconds")
    assert advice([*found, *alone], 0.6).startswith("supernet: tau 0.60")
    assert advice([*found, *alone], 0.75).startswith("short, 9 steps: tau 0.80")
    assert advice([*found, *alone], 0.9) == (
        "no score reaches tau 0.90; the best is short, 9 steps with 0.80, beside MACs alone with 0.50"
    )


def test_a_score_that_is_not_above_counting_for_certain_is_not_recommended_however_high_its_tau():
    doubtful, sure = one("supernet", 0.9, 1, above=-0.01), one("short, 9 steps", 0.8, 5)
    alone = [one(MACS, 0.85, 0), one(PARAMETERS, 0.4, 0)]
    assert advice([doubtful, sure, *alone], 0.7).startswith("short, 9 steps: tau 0.80")
    refused = advice([doubtful, *alone], 0.7)
    assert refused.startswith("no score that reaches tau 0.70 is above counting for certain; the best is supernet")
    assert "beside MACs alone with 0.85" in refused


def test_a_score_above_macs_and_not_above_parameters_is_not_recommended():
    sure, doubtful = Interval(0.2, 0.1, 0.3), Interval(0.1, -0.1, 0.3)
    found = Agreement("supernet", 0.9, 0.8, 1.0, 1, sure, doubtful)
    assert advice([found, one(MACS, 0.5, 0)], 0.7).startswith("no score that reaches tau 0.70 is above counting")


def test_a_front_is_told_the_agreement_of_the_score_that_it_was_made_with_beside_counting():
    scores = [one("supernet", 0.6, 1), one("short, 3 steps", 0.3, 1), one("short, 9 steps", 0.8, 1), one(MACS, 0.5, 0)]
    result = {"agreements": [s.to_json() for s in scores], "advice": "take more steps", "networks": [{}] * 12}
    assert summary_line(result, "supernet", 1000) == (
        "calibrated: supernet against full training from scratch, Kendall tau 0.60 (0.50 to 0.70) over 12 networks, "
        "beside 0.50 of MACs alone"
    )
    assert "short, 9 steps against full training from scratch, Kendall tau 0.80" in summary_line(result, "short", 9)
    assert "short, 9 steps against full training from scratch, Kendall tau 0.80" in summary_line(result, "halving", 9)
    assert summary_line(result, "short", 400) == "calibration: take more steps"
