"""Propose: what the sampler sees, and the genotype that it asks for next.

The sampler reads a copy of the study in memory, which also holds what is good for the sampler but no fact: made-up
scores of candidates that were never trained. The study on disk holds facts only.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from nas.guided import Region
from nas.samplers import imputes, make_sampler
from nas.suggest import parameters_of, suggest
from results.study import BUDGET, SHOWN_CONSTRAINTS, genotype_of
from search_spaces.own import AnyGenotype


@dataclass(frozen=True, slots=True)
class Proposal:
    """One trial that was asked for."""

    trial: optuna.Trial  # of the copy in memory
    genotype: AnyGenotype

    @property
    def number(self) -> int:
        return self.trial.number


class Proposals:
    """The sampler's side of one study; `first` are the genotypes to begin with, by trial number."""

    def __init__(
        self, study: optuna.Study, region: Region, sampler: str, seed: int, first: Sequence[AnyGenotype]
    ) -> None:
        self._copy = optuna.create_study(directions=study.directions)
        self._region, self._sampler, self._seed, self._first = region, sampler, seed, first
        self._known: dict[AnyGenotype, int] = {}
        for trial in study.get_trials(deepcopy=True):
            trial.system_attrs.pop(SHOWN_CONSTRAINTS, None)  # no further constraint, only another form of the one
            genotype = genotype_of(trial)
            if genotype is not None and trial.state is not TrialState.PRUNED:
                self._known.setdefault(genotype, trial.number)
            if not trial.params and trial.state is TrialState.COMPLETE:  # outside the space: not for the sampler
                trial.state, trial.values = TrialState.FAIL, None
            if trial.state is TrialState.PRUNED and imputes(sampler):
                trial.state, trial.values = TrialState.COMPLETE, self._imputed(trial)
            self._copy.add_trial(trial)

    def __len__(self) -> int:
        return len(self._copy.get_trials(deepcopy=False))

    def ask(self) -> Proposal:
        """The next trial; the same for the same number and history, also in a search that was killed in between."""
        number = len(self)
        self._copy.sampler = make_sampler(self._seed, number, self._sampler, self._region)
        if number < len(self._first):
            genotype = self._first[number]
            if not self._region.space.holds(genotype):  # the reference may have what the space leaves out
                return Proposal(self._copy.ask(), genotype)
            self._copy.enqueue_trial(parameters_of(genotype, self._region.space))
        trial = self._copy.ask()
        return Proposal(trial, suggest(trial, self._region.space))

    def earlier(self, genotype: AnyGenotype) -> int | None:
        """Number of the trial that has this genotype already, if there is one."""
        return self._known.get(genotype)

    def frozen(self, proposal: Proposal, attributes: dict[str, object], over: float | None) -> FrozenTrial:
        """The proposal as a trial to write down; `over` is by how much it exceeds the budget, 0 or less if not."""
        for name, value in attributes.items():
            proposal.trial.set_user_attr(name, value)
        if over is not None:
            proposal.trial.set_constraint(BUDGET, over)
        return copy.deepcopy(self._copy.get_trials(deepcopy=False)[proposal.number])

    def accept(self, proposal: Proposal) -> None:
        """The proposal is being scored: its like is a duplicate from now on."""
        self._known[proposal.genotype] = proposal.number

    def reject(self, proposal: Proposal) -> None:
        """The proposal is not scored."""
        if imputes(self._sampler):
            self._copy.tell(proposal.number, self._imputed(self._copy.get_trials(deepcopy=False)[proposal.number]))
        else:
            self._copy.tell(proposal.number, state=TrialState.PRUNED)

    def tell(self, number: int, values: Sequence[float] | None) -> None:
        """What trial `number` scored; None: its training failed."""
        if values is None or not self._copy.get_trials(deepcopy=False)[number].params:
            self._copy.tell(number, state=TrialState.FAIL)
        else:
            self._copy.tell(number, list(values))

    def _imputed(self, trial: FrozenTrial) -> list[float]:
        """Scores for a trial that has none: those of its equal, else the lowest quality of earlier trials, its cost."""
        earlier = [known for known in self._copy.get_trials(deepcopy=False) if known.state is TrialState.COMPLETE]
        for known in earlier:
            if known.params == trial.params:
                return list(known.values)
        lowest = min((known.values[0] for known in earlier), default=0.0)
        return [lowest, math.log10(float(trial.user_attrs["cost"]))]
