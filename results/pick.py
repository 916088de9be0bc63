"""Pick: one candidate of a finished search, by what the user asked for."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from results.candidate import Candidate
from results.front import knee, pareto_front
from results.study import REFERENCE_NUMBER, candidates, reference_of
from search_spaces.units import format_macs, parse_macs


def pick(trials: Sequence[FrozenTrial], choice: str) -> Candidate:
    """The candidate that `choice` names: `knee`, a trial's number, `under=600M` (best SSIM within it), `reference`.

    Raises ValueError when there is none, or when the text is something else.
    """
    scored = candidates(trials)
    if choice == "reference" or (choice.isdecimal() and int(choice) == REFERENCE_NUMBER):
        return reference_of(trials)
    if choice.isdecimal():
        for candidate in scored:
            if candidate.number == int(choice):
                return candidate
        raise ValueError(f"no scored candidate has number {choice}; `lpienas front RUN` lists them")
    if not scored:
        raise ValueError("the study holds no scored candidate yet; let the search go on")
    if choice == "knee":
        return knee(pareto_front(scored))
    if choice.startswith("under="):
        limit = parse_macs(choice.removeprefix("under="))
        affordable = [candidate for candidate in pareto_front(scored) if candidate.scores.macs <= limit]
        if not affordable:
            cheapest = min(scored, key=lambda candidate: candidate.scores.macs)
            raise ValueError(
                f"no candidate costs at most {format_macs(limit)}; the cheapest, {cheapest.number}, costs "
                f"{format_macs(cheapest.scores.macs)}"
            )
        return affordable[-1]
    raise ValueError(f"--pick {choice!r}: must be knee, a candidate's number, under=600M, or reference")
