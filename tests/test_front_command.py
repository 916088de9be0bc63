"""Front, the command: limits to choose by, one line a candidate for a spreadsheet, pictures, and each photograph."""

import csv
import io
import json
from dataclasses import replace

import pytest

from lpienas.command import main
from results.narrowed import Limits, advised, narrowed
from results.report import report_front
from results.study import open_study
from results.text_plot import text_plot
from tests.shown_run import TESTED, shown_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = shown_run(tmp_path_factory.mktemp("shown") / "run")
    made.calibration.unlink()  # its run.json does not say what was calibrated
    return made


@pytest.fixture(scope="module")
def report(run):
    return report_front(open_study(run.study))


def said(run, capsys, *words):
    assert main(["front", str(run.folder), *words]) == 0
    return capsys.readouterr().out


def shown(run, capsys, *words):
    return json.loads(said(run, capsys, *words, "--json"))


def test_a_cost_keeps_what_is_cheaper_and_advises_the_best_of_it(run, report, capsys):
    limit = report.front[-1].scores.macs - 1
    kept = [candidate.number for candidate in report.front[:-1]]
    assert [one["number"] for one in shown(run, capsys, "--under", f"{limit / 1e6}M")["front"]] == kept
    text = said(run, capsys, "--under", f"{limit / 1e6}M")
    best = max(report.front[:-1], key=lambda one: one.scores.test_ssim).number
    assert f"candidate {best}; `lpienas compress {run.folder} --pick {best}`" in text


def test_the_reference_is_called_so_and_is_no_candidate(run, report, capsys):
    told = said(run, capsys)
    assert f"candidate {report.reference.number}" not in told
    assert "fell off the front: the reference, SSIM" in told


def test_an_ssim_keeps_what_reaches_it_on_the_test_photographs_and_advises_the_cheapest(run, report, capsys):
    least = sorted(one.scores.test_ssim for one in report.front)[1]
    left = shown(run, capsys, "--above", str(least))["front"]
    assert [one["number"] for one in left] == [c.number for c in report.front if c.scores.test_ssim >= least]
    assert f"candidate {left[0]['number']}; `lpienas compress" in said(run, capsys, "--above", str(least))


def test_what_is_dominated_keeps_to_the_limits_too_and_the_reference_stays(report):
    limits = Limits(cost=report.front[0].scores.cost)
    left = narrowed(report, limits)
    assert all(candidate.scores.cost <= limits.cost for candidate in (*left.front, *left.trained_and_dominated))
    assert left.reference == report.reference


def test_limits_that_leave_nothing_say_how_far_the_front_reaches(run, report, capsys):
    assert main(["front", str(run.folder), "--above", "0.999"]) == 1
    assert f"the best, {report.front[-1].number}, has SSIM" in capsys.readouterr().err
    with pytest.raises(ValueError, match=f"the cheapest, {report.front[0].number}, takes"):
        narrowed(report, Limits(cost=1.0))


def test_both_limits_together_advise_the_cheapest_that_is_good_enough(report):
    assert advised(report, Limits(1e12, 0.1), report.front) == report.front[0]
    assert advised(report, Limits(1e12), report.front[:1]) == report.front[0]


def test_a_limit_in_the_wrong_unit_is_refused_with_what_to_write(run, capsys):
    assert main(["front", str(run.folder), "--under", "25ms"]) == 1
    assert "25ms" in capsys.readouterr().err


def test_the_sheet_has_a_line_for_each_candidate_with_its_genes(run, report, capsys, tmp_path):
    said(run, capsys, "--csv", str(tmp_path / "a.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert [int(row["number"]) for row in rows] == sorted({c.number for c in (*report.searched, report.reference)})
    places = {int(row["number"]): row["place"] for row in rows}
    assert [n for n, place in places.items() if place == "front"] == sorted(c.number for c in report.front)
    by_number = {candidate.number: candidate for candidate in (*report.searched, report.reference)}
    for row in rows:
        genotype = by_number[int(row["number"])].genotype
        genes = {gene: str(value) for gene, value in genotype.flat().items() if gene in genotype.counting()}
        assert {gene: row[gene] for gene in genes} == genes
        if int(row["number"]) in TESTED:
            assert float(row["test_ssim"]) == pytest.approx(TESTED[int(row["number"])], abs=0.004)
        else:
            assert (row["place"], row["test_ssim"]) == ("search", "")


def test_a_sheet_or_picture_that_is_there_is_kept_without_force(run, capsys, tmp_path):
    for option, name in (("--csv", "a.csv"), ("--plot", "a.svg")):
        (tmp_path / name).write_text("mine")
        assert main(["front", str(run.folder), option, str(tmp_path / name)]) == 1
        assert "--force" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "mine"
        assert main(["front", str(run.folder), option, str(tmp_path / name), "--force"]) == 0
        assert (tmp_path / name).read_text() != "mine"


def test_a_picture_is_what_its_name_says(run, capsys, tmp_path):
    for name, begin in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
        said(run, capsys, "--plot", str(tmp_path / name))
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert main(["front", str(run.folder), "--plot", str(tmp_path / "a.gif")]) == 1
    assert ".png or .svg" in capsys.readouterr().err
    assert not (tmp_path / "a.gif").exists()


def test_each_photograph_is_shown_the_worst_first(run, capsys):
    text = said(run, capsys, "--photographs")
    lines = [line.split() for line in text.splitlines() if line.strip().startswith("photo") and "0." in line]
    means = [sum(float(word) for word in line[1::2]) / len(line[1::2]) for line in lines]
    assert len(lines) == 8
    assert means == pytest.approx(sorted(means))
    trainings = shown(run, capsys, "--photographs")["trainings"]
    assert {(one["number"], one["seed"]) for one in trainings} == {(n, seed) for n in TESTED for seed in (0, 1)}
    assert all(len(one["test"]) == 8 for one in trainings)


def test_the_plot_in_text_marks_each_network_dearer_ones_further_right_and_better_ones_higher(report):
    drawn = text_plot(report).splitlines()
    found = {mark: [(row, line.index(mark)) for row, line in enumerate(drawn[:-2]) if mark in line] for mark in "●◆*"}
    assert [len(places) for places in found.values()] == [len(report.front) - 1, 1, 1]
    (_, front), (high, knee), (low, star) = (places[0] for places in found.values())
    assert front < knee < star
    assert high < low
    assert max(len(line) for line in drawn) <= 80


def test_a_front_of_one_network_is_drawn_too(report):
    assert "◆" in text_plot(replace(report, front=[report.knee], candidates=[report.knee], comparison=None))
