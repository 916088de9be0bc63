"""Sheet: every scored candidate of a run as CSV, one line each, for a spreadsheet."""

import csv
import io

from results.candidate import Candidate
from results.report import FrontReport

_FIGURES = ("ssim", "psnr", "test_ssim", "test_psnr", "cost", "macs", "parameters")


def sheet(report: FrontReport) -> str:
    """CSV with a head: number, place, figures of the photographs by name, cost, and a column for each gene.

    `place` is front, dominated, reference, or search for what was not trained fully, whose figures are
    the search's own. A gene that decides nothing in a network is empty. The cost is in multiply-adds, milliseconds or
    bytes.
    """
    final = {candidate.number: candidate for candidate in (*report.front, *report.trained_and_dominated)}
    places = dict.fromkeys(final, "dominated") | {candidate.number: "front" for candidate in report.front}
    final[report.reference.number] = report.reference
    places.setdefault(report.reference.number, "reference")
    searched = {candidate.number: candidate for candidate in report.searched}
    rows = [final.get(number, searched.get(number)) for number in sorted({*final, *searched})]
    found = [row for row in rows if row is not None]
    genes = list(dict.fromkeys(gene for candidate in found for gene in candidate.genotype.flat()))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "place", *_FIGURES, *genes])
    for candidate in found:
        writer.writerow([candidate.number, places.get(candidate.number, "search"), *_row(candidate, genes)])
    return text.getvalue()


def _row(candidate: Candidate, genes: list[str]) -> list[object]:
    values, counting = candidate.genotype.flat(), frozenset(candidate.genotype.counting())
    figures = [getattr(candidate.scores, name) for name in _FIGURES]
    return [*figures, *(values[gene] if gene in counting else None for gene in genes)]
