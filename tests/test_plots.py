"""Plots: a picture is written, whole, with the front, the knee and the reference on it."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from results.candidate import Candidate, Scores
from results.front import ReferencePoint, compare
from results.plots import plot_front, plot_way
from results.report import FrontReport, HeldOut
from search_spaces.space import REFERENCE

COLOURS = {"front": "#1a73e8", "knee": "#e8710a", "reference": "#d93025", "dominated": "#9aa0a6"}
CONTROL, FELL_OFF = "#188038", "#5f6368"


def candidate(number: int, ssim: float, macs: int) -> Candidate:
    return Candidate(number, REFERENCE, Scores(ssim, 30.0, macs, 1000))


FRONT = [candidate(1, 0.70, 50_000_000), candidate(2, 0.80, 100_000_000), candidate(3, 0.82, 900_000_000)]
WHOLE = candidate(0, 0.75, 1_200_000_000)


def report_of(candidates, front, fell_off=(), cost="macs", searched=()) -> FrontReport:
    return FrontReport(
        basis="one short training each",
        reference=WHOLE,
        candidates=candidates,
        front=front,
        knee=front[-1],
        fell_off=fell_off,
        hypervolume=0.5,
        reference_point=ReferencePoint(0.6, 4e9),
        trials={"COMPLETE": len(candidates)},
        comparison=compare(candidates, WHOLE),
        seed_noise=None,
        seeds={},
        searched=searched or candidates,
        cost=cost,
    )


def drawn(path, candidates, front, fell_off=(), cost="macs", control=None, others=None, searched=()) -> np.ndarray:
    plot_front(path, report_of(candidates, front, fell_off, cost, searched), (256, 256), control, others)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def pixels_near(picture: np.ndarray, colour: str) -> int:
    target = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return int((np.abs(picture - target).max(axis=-1) < 12).sum())


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    dominated = [candidate(number, 0.5, number * 10**8) for number in range(4, 12)]
    return drawn(tmp_path_factory.mktemp("plot") / "front.png", [*FRONT, WHOLE, *dominated], FRONT)


def test_the_picture_is_large_enough_to_read(picture):
    assert picture.shape == (810, 1200, 3)


@pytest.mark.parametrize("what", COLOURS)
def test_everything_that_the_legend_names_is_on_the_picture(picture, what):
    assert pixels_near(picture, COLOURS[what]) > 50


def test_most_of_the_picture_is_paper(picture):
    assert 0.7 < (picture == 255).all(axis=-1).mean() < 0.99


def test_another_network_has_its_own_star(tmp_path):
    apart = drawn(tmp_path / "front.png", [*FRONT, WHOLE], FRONT, others={"with the other head": (2e8, 0.9)})
    without = drawn(tmp_path / "front.png", [*FRONT, WHOLE], FRONT)
    assert pixels_near(apart, COLOURS["reference"]) > 1.2 * pixels_near(without, COLOURS["reference"])


def test_one_candidate_alone_can_be_drawn(tmp_path):
    assert pixels_near(drawn(tmp_path / "one.png", [WHOLE], [WHOLE]), COLOURS["reference"]) > 50


def test_an_earlier_picture_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "new" / "front.png"
    first = drawn(path, FRONT, FRONT)
    second = drawn(path, FRONT[:2], FRONT[:2])
    assert (first != second).any()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("dominated", "named"), [([], False), ([candidate(4, 0.78, 9 * 10**8)], True)])
def test_the_legend_names_dominated_candidates_where_there_are_any_beside_the_reference(
    dominated, named, tmp_path, monkeypatch
):
    labels = []
    scatter = Axes.scatter
    monkeypatch.setattr(
        Axes, "scatter", lambda self, *args, **how: labels.append(how["label"]) or scatter(self, *args, **how)
    )
    drawn(tmp_path / "front.png", [*FRONT, WHOLE, *dominated], FRONT)
    assert ("dominated" in labels) == named


def test_what_fell_off_and_the_control_are_drawn_only_where_there_are_any(picture, tmp_path):
    assert pixels_near(picture, CONTROL) == 0
    off, control = [candidate(9, 0.65, 300_000_000)], [candidate(20, 0.6, 10**8), candidate(21, 0.7, 6 * 10**8)]
    more = drawn(tmp_path / "more.png", [*FRONT, WHOLE, *off], FRONT, off, control=control)
    assert pixels_near(more, CONTROL) > 50
    assert pixels_near(more, FELL_OFF) > pixels_near(picture, FELL_OFF)


@pytest.mark.parametrize("cost", ["latency", "memory"])
def test_other_costs_are_drawn_too(cost, tmp_path):
    assert pixels_near(drawn(tmp_path / "front.png", [*FRONT, WHOLE], FRONT, cost=cost), COLOURS["front"]) > 50


def test_what_was_not_trained_fully_is_grey_at_the_search_s_own_score_and_what_was_keeps_its_final_one(
    tmp_path, monkeypatch
):
    points = {}
    scatter = Axes.scatter

    def noted(self, x, y, **how):
        points[how["label"]] = sorted(zip(x, y, strict=True))
        return scatter(self, x, y, **how)

    monkeypatch.setattr(Axes, "scatter", noted)
    dominated = candidate(4, 0.78, 9 * 10**8)
    searched = [candidate(5, 0.65, 60_000_000), candidate(6, 0.62, 70_000_000), candidate(7, 0.1, 80_000_000)]
    before = [candidate(c.number, c.scores.ssim - 0.1, c.scores.macs) for c in (*FRONT, WHOLE, dominated)]
    drawn(tmp_path / "front.png", [*FRONT, WHOLE, dominated], FRONT, searched=[*before, *searched])
    assert points["the search's score only (right), 1 too low to show"] == [(60, 0.65), (70, 0.62)]
    assert points["dominated"] == [(900, 0.78)]
    assert points["Pareto front"] == [(50, 0.70), (100, 0.80), (900, 0.82)]


def test_low_scores_of_the_search_leave_the_front_as_much_of_the_picture_as_it_has_alone(tmp_path):
    def rows_of(picture: np.ndarray) -> int:
        target = np.array([int(COLOURS["front"][at : at + 2], 16) for at in (1, 3, 5)])
        rows = np.nonzero((np.abs(picture - target).max(axis=-1) < 12).any(axis=1))[0]
        return int(rows[:650].max() - rows.min())  # above the legend

    front = [candidate(1, 0.80, 50_000_000), candidate(2, 0.82, 10**8), candidate(3, 0.83, 9 * 10**8)]
    searched = [*front, *(candidate(number, 0.61, number * 10**8) for number in range(4, 8))]
    alone = rows_of(drawn(tmp_path / "alone.png", front, front))
    beside = rows_of(drawn(tmp_path / "beside.png", front, front, searched=searched))
    assert beside > 0.9 * alone


@pytest.mark.parametrize(("tested", "split"), [(None, "validation"), (HeldOut(3, 0.3, 0.5), "test")])
def test_the_axis_says_which_photographs_ssim_is_of_and_the_points_are_of_those(tested, split, tmp_path, monkeypatch):
    labels, drawn_at = [], []
    scatter = Axes.scatter
    monkeypatch.setattr(Axes, "set_ylabel", lambda self, text: labels.append(text))
    monkeypatch.setattr(
        Axes,
        "scatter",
        lambda self, x, y, **how: drawn_at.append((how["label"], list(y))) or scatter(self, x, y, **how),
    )
    front = [replace(c, scores=replace(c.scores, test_ssim=c.scores.ssim - 0.2, test_psnr=20.0)) for c in FRONT]
    whole = replace(WHOLE, scores=replace(WHOLE.scores, test_ssim=0.5, test_psnr=20.0))
    report = replace(report_of([*front, whole], front), reference=whole, test=tested)
    plot_front(tmp_path / "front.png", report, (256, 256))
    assert labels == [f"SSIM on the {split} photographs"]
    lower = 0.2 if tested else 0.0
    assert dict(drawn_at)["Pareto front"] == pytest.approx([0.70 - lower, 0.80 - lower, 0.82 - lower])


def test_a_control_that_was_not_tested_is_not_drawn_beside_a_front_that_was(tmp_path):
    front = [replace(c, scores=replace(c.scores, test_ssim=0.6, test_psnr=20.0)) for c in FRONT]
    report = replace(report_of(front, front), comparison=None, test=HeldOut(3, 0.3, 0.5))
    with pytest.raises(ValueError, match="candidate 20 was not judged on test photographs"):
        plot_front(tmp_path / "front.png", report, (256, 256), control=[candidate(20, 0.6, 10**8)])


def test_the_way_of_a_pruning_is_drawn_from_the_whole_network_to_the_last(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Axes, "plot", lambda axes, costs, ssims, **how: drawn.extend(zip(costs, ssims, strict=True)))
    plot_way(tmp_path / "way.png", [(90e6, 0.9), (80e6, 0.89), (60e6, 0.8)], "MACs")
    assert drawn == [(90.0, 0.9), (80.0, 0.89), (60.0, 0.8)]
    assert Image.open(tmp_path / "way.png").format == "PNG"
