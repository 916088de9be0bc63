"""Propose: what the sampler sees, and the genotype that it asks for next.

The sampler reads a copy of the study in memory, which also holds what is good for the sampler but no fact: made-up
scores of candidates that were never trained. The study on disk holds facts only.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.guided import Region
from nas.samplers import imputes, make_sampler
from nas.scoring.predictor import load_beside
from nas.suggest import parameters_of, suggest
from results.front import by_merit
from results.study import BUDGET, genotype_of
from results.trials import SHOWN_CONSTRAINTS
from search_spaces.own import AnyGenotype

SEEN, _STEP = 500, 250  # trials that a sampler sees of very many, and after how many more they are chosen anew


@dataclass(frozen=True, slots=True)
class Proposal:
    """One trial that was asked for."""

    trial: optuna.Trial  # of the copy in memory
    genotype: AnyGenotype
    number: int  # of the trial in the study; the next one, until it is written down


class Proposals:
    """The sampler's side of one study; `first` are the genotypes to begin with, by trial number."""

    def __init__(
        self, study: optuna.Study, region: Region, sampler: str, seed: int, first: Sequence[AnyGenotype]
    ) -> None:
        self._copy = optuna.create_study(directions=study.directions)
        self._region, self._sampler, self._seed, self._first = region, sampler, seed, first
        self._study = study
        if sampler == "guided":
            load_beside()
        self._known: dict[AnyGenotype, int] = {}
        self._places: dict[int, int] = {}  # number of a trial in the copy, by that in the study
        self.next = 0  # number of the next trial
        trials = study.get_trials(deepcopy=False)
        whole = _whole(len(trials))
        for trial in trials[:whole]:
            self._note(trial)
        self.take_in([*(worth_seeing(trials[:whole]) if whole else []), *trials[whole:]])

    @property
    def begins(self) -> bool:
        """Whether the next trial is one of those that every search begins with."""
        return self.next < len(self._first)

    def take_in(self, trials: Sequence[FrozenTrial]) -> None:
        """Trials of the study, new ones or such as have ended, by number: what others than this search told it."""
        for trial in trials:
            self._note(trial)
            place = self._places.get(trial.number)
            if place is None:
                self._add(trial)
            elif self._copied(place).state is TrialState.RUNNING:
                self._follow(trial, place)

    def ask(self) -> Proposal:
        """The next trial; the same for the same number and history, also in a search that was killed in between."""
        number = self.next
        if number > SEEN and number == _whole(number):
            self._forget()
        self._copy.sampler = make_sampler(self._seed, number, self._sampler, self._region)
        if number < len(self._first):
            genotype = self._first[number]
            if not self._region.space.holds(genotype):  # the reference may have what the space leaves out
                return self._asked(self._copy.ask(), genotype)
            self._copy.enqueue_trial(parameters_of(genotype, self._region.space))
        trial = self._copy.ask()
        return self._asked(trial, suggest(trial, self._region.space))

    def written(self, proposal: Proposal, number: int) -> Proposal:
        """The proposal under the `number` that the study gave it, where other searches write there too."""
        if self._places.get(proposal.number) == proposal.trial.number:
            del self._places[proposal.number]
        self._place(number, proposal.trial.number)
        return replace(proposal, number=number)

    def earlier(self, genotype: AnyGenotype) -> int | None:
        """Number of the trial that has this genotype already, if there is one."""
        return self._known.get(genotype)

    def frozen(self, proposal: Proposal, attributes: dict[str, object], over: float | None) -> FrozenTrial:
        """The proposal as a trial to write down; `over` is by how much it exceeds the budget, 0 or less if not."""
        for name, value in attributes.items():
            proposal.trial.set_user_attr(name, value)
        if over is not None:
            proposal.trial.set_constraint(BUDGET, over)
        trial = copy.deepcopy(self._copied(proposal.trial.number))
        trial.number = proposal.number
        return trial

    def accept(self, proposal: Proposal) -> None:
        """The proposal is being scored: its like is a duplicate from now on."""
        self._known[proposal.genotype] = proposal.number

    def reject(self, proposal: Proposal) -> None:
        """The proposal is not scored."""
        self._reject(proposal.trial.number)

    def tell(self, number: int, values: Sequence[float] | None) -> None:
        """What trial `number` scored; None: its training failed."""
        self._tell(self._places[number], values)  # what runs is never forgotten

    def _note(self, trial: FrozenTrial) -> None:
        genotype = genotype_of(trial)
        if genotype is not None and trial.state is not TrialState.PRUNED:
            self._known.setdefault(genotype, trial.number)

    def _forget(self) -> None:
        """Leave to the sampler only what is worth seeing; as a search does that goes on from here."""
        self._copy = optuna.create_study(directions=self._study.directions)
        self._places = {}
        for trial in worth_seeing(self._study.get_trials(deepcopy=False)[: self.next]):
            self._add(trial)

    def _asked(self, trial: optuna.Trial, genotype: AnyGenotype) -> Proposal:
        number = self.next
        self._place(number, trial.number)
        return Proposal(trial, genotype, number)

    def _place(self, number: int, place: int) -> None:
        self._places[number] = place
        self.next = max(self.next, number + 1)

    def _copied(self, place: int) -> FrozenTrial:
        return self._copy._storage.get_trial(place)

    def _add(self, found: FrozenTrial) -> None:
        trial = copy.deepcopy(found)
        trial.system_attrs.pop(SHOWN_CONSTRAINTS, None)  # no further constraint, only another form of the one
        if not trial.params and trial.state is TrialState.COMPLETE:  # outside the space: not for the sampler
            trial.state, trial.values = TrialState.FAIL, None
        if trial.state is TrialState.PRUNED and imputes(self._sampler):
            trial.state, trial.values = TrialState.COMPLETE, self._imputed(trial)
        place = len(self._copy.get_trials(deepcopy=False))
        self._copy.add_trial(trial)
        self._place(found.number, place)

    def _follow(self, trial: FrozenTrial, place: int) -> None:
        """What has become of a trial that ran."""
        if trial.state is TrialState.PRUNED:
            genotype = genotype_of(trial)
            if genotype is not None and self._known.get(genotype) == trial.number:
                del self._known[genotype]
            self._reject(place)
        elif trial.state is not TrialState.RUNNING:
            self._tell(place, trial.values if trial.state is TrialState.COMPLETE else None)

    def _reject(self, place: int) -> None:
        if imputes(self._sampler):
            self._copy.tell(place, self._imputed(self._copied(place)))
        else:
            self._copy.tell(place, state=TrialState.PRUNED)

    def _tell(self, place: int, values: Sequence[float] | None) -> None:
        if values is None or not self._copied(place).params:
            self._copy.tell(place, state=TrialState.FAIL)
        else:
            self._copy.tell(place, list(values))

    def _imputed(self, trial: FrozenTrial) -> list[float]:
        """Scores for a trial that has none: those of its equal, else the lowest quality of earlier trials, its cost."""
        earlier = [known for known in self._copy.get_trials(deepcopy=False) if known.state is TrialState.COMPLETE]
        for known in earlier:
            if known.params == trial.params:
                return list(known.values)
        lowest = min((known.values[0] for known in earlier), default=0.0)
        return [lowest, math.log10(float(trial.user_attrs["cost"]))]


def worth_seeing(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """What a sampler is to see of very many trials, by number: those that run, the best, and some of all others.

    Samplers estimate where the good ones are and where the rest is: of the rest a part does, evenly taken by number.
    """
    running = [trial for trial in trials if not trial.state.is_finished()]
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    best = [complete[place] for place in by_merit([(t.values[0], 10 ** t.values[1]) for t in complete])[: SEEN // 4]]
    kept = {trial.number for trial in (*running, *best)}
    others = [trial for trial in trials if trial.state.is_finished() and trial.number not in kept]
    left = max(1, SEEN - len(kept))
    kept |= {others[place * len(others) // left].number for place in range(min(left, len(others)))}
    return [trial for trial in trials if trial.number in kept]


def _whole(count: int) -> int:
    """Of so many trials, how many are a part of which the sampler sees only what is worth seeing."""
    return 0 if count < 2 * SEEN else count // _STEP * _STEP
