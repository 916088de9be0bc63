"""Pick: one candidate of a finished search, by what the user asked for."""

from results.candidate import Candidate
from results.report import FrontReport
from results.study import REFERENCE_NUMBER
from search_spaces.units import format_cost, parse_cost


def pick(report: FrontReport, choice: str) -> Candidate:
    """The candidate that `choice` names: `knee`, a trial's number, `under=600M` (best SSIM within it), `reference`.

    A limit is in the run's cost: `under=25ms`, `under=8MB`. Raises ValueError when there is none, or when the text is
    something else.
    """
    if choice == "reference" or (choice.isdecimal() and int(choice) == REFERENCE_NUMBER):
        return report.reference
    if choice.isdecimal():
        for candidate in report.searched:
            if candidate.number == int(choice):
                return candidate
        raise ValueError(f"no scored candidate has number {choice}; `lpienas front RUN` lists them")
    if choice == "knee":
        return report.knee
    if choice.startswith("under="):
        limit = parse_cost(report.cost, choice.removeprefix("under="))
        affordable = [candidate for candidate in report.front if candidate.scores.cost <= limit]
        if not affordable:
            cheapest = report.front[0]
            raise ValueError(
                f"no candidate of the front costs at most {format_cost(report.cost, limit)}; the cheapest, "
                f"{cheapest.number}, costs {format_cost(report.cost, cheapest.scores.cost)}"
            )
        return affordable[-1]
    raise ValueError(f"--pick {choice!r}: must be knee, a candidate's number, under=600M, or reference")
