"""Compared: rows of methods on the same photographs, who is better by more than chance, and what may be quoted."""

import csv
import io

import numpy as np
import pytest
from scipy.stats import ttest_rel, wilcoxon

from results.compared import BLIND, INPUT, NETWORK, TOLD, OnPhoto, Row, as_csv, in_order
from results.paired import paired
from results.quoted import known_sets, quoted_for
from results.table import compared_table
from results.verdict import ALIKE, BETTER, WORSE

BASE = np.random.default_rng(0).uniform(0.7, 0.9, 12)


def row(name, kind=NETWORK, seconds=(1.0, 3.0, 50.0), clipped=None):
    photos = [
        OnPhoto(f"photo {n}", 0.8 + n / 100, 30.0 + n, 1.0, 0.0, n - 2.0, time, 2.0, clipped=clipped)
        for n, time in enumerate(seconds)
    ]
    return Row(name, kind, tuple(photos))


def test_a_method_that_is_better_on_nearly_every_photograph_is_better_and_the_other_worse():
    gains = np.random.default_rng(1).normal(0.01, 0.005, 12)
    found = paired(list(BASE + gains), list(BASE), ("one", "two"))
    assert (found.word, paired(list(BASE), list(BASE + gains), ("two", "one")).word) == (BETTER, WORSE)
    assert found.p == pytest.approx(wilcoxon(gains).pvalue)
    interval = ttest_rel(BASE + gains, BASE).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(interval))
    assert "one is better than two: +0.0" in found.sentence


def test_equal_methods_are_called_different_in_at_most_one_of_twenty_cases():
    random = np.random.default_rng(2)
    wrong = sum(
        paired(list(BASE + random.normal(0, 0.01, 12)), list(BASE), ("one", "two")).word != ALIKE for _ in range(400)
    )
    assert wrong <= 400 * 0.07


def test_many_comparisons_at_once_need_more_of_a_difference_each():
    gains = 0.004 + np.linspace(-0.008, 0.008, 12)
    alone, among_many = (paired(list(BASE + gains), list(BASE), ("one", "two"), count) for count in (1, 45))
    assert (alone.word, among_many.word) == (BETTER, ALIKE)
    assert among_many.p == pytest.approx(1 - (1 - alone.p) ** 45)


def test_one_photograph_compares_nothing_and_unequal_numbers_are_refused():
    assert "cannot be compared by one photograph" in paired([0.9], [0.5], ("one", "two")).sentence
    with pytest.raises(ValueError, match="one has 2 photographs and two 1"):
        paired([0.9, 0.8], [0.5], ("one", "two"))


def test_a_row_is_the_mean_of_its_photographs_and_the_median_of_their_times():
    found = row("a")
    assert (found.ssim, found.psnr) == (pytest.approx(0.81), pytest.approx(31.0))
    assert found.colour_shift == (1.0, 0.0, -1.0)
    assert found.seconds_per_megapixel == 1.5
    assert found.mean("clipped") is None
    assert found.to_json()["photographs"][2]["name"] == "photo 2"


def test_the_csv_has_a_line_for_each_method_and_photograph():
    lines = list(csv.DictReader(io.StringIO(as_csv([row("a"), row("b, or not", clipped=12.5)]))))
    assert [(one["method"], one["photograph"]) for one in lines[2:4]] == [("a", "photo 2"), ("b, or not", "photo 0")]
    assert (lines[0]["clipped"], lines[3]["clipped"], lines[3]["psnr"]) == ("", "12.5", "30.0")


def test_methods_that_are_told_something_stand_last():
    rows = [row("a", TOLD), row("b", NETWORK), row("c", INPUT), row("d", BLIND)]
    assert [one.name for one in in_order(rows)] == ["c", "d", "b", "a"]
    assert list(compared_table(rows, (), False).columns[0].cells) == ["c", "d", "b", "a"]
    with pytest.raises(ValueError, match="kind = 'best'"):
        row("a", "best")


def test_clipped_pixels_have_a_column_where_they_are_judged_apart():
    table = compared_table([row("a", clipped=12.5)], (), True)
    assert ["12.50"] in [list(column.cells) for column in table.columns]
    assert "clipped dB" not in [column.header for column in compared_table([row("a")], (), False).columns]


def test_figures_of_others_are_quoted_for_the_whole_set_that_they_are_of_and_marked():
    quoted = quoted_for("SIDD validation", [(256, 256)] * 1280)
    assert all(one.source and one.evaluator and one.to_json()["quoted"] for one in quoted)
    names = list(compared_table([row("a")], quoted, False).columns[0].cells)
    assert names == ["a", *(f"{one.name}, quoted" for one in quoted)]


@pytest.mark.parametrize("sizes", [[(256, 256)] * 1279, [(256, 256)] * 1279 + [(256, 255)], []])
def test_figures_of_others_are_refused_beside_another_set(sizes):
    with pytest.raises(ValueError, match=r"judged were \d+ of .*leave out --quoted"):
        quoted_for("SIDD validation", sizes)


def test_a_set_of_which_nothing_is_quoted_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=known_sets()[0].name):
        quoted_for("my photographs", [(256, 256)])
