"""Search: ask for a genotype, reject or score it, tell the study; any kill loses at most ten seconds of training."""

from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.trial import TrialState

from nas.guided import Region
from nas.logs import Log, scores
from nas.propose import Proposals
from nas.said import best_so_far, candidate_line
from nas.samplers import resolve_sampler
from nas.scoring.halving import promotable
from nas.scoring.short import score_by_training
from nas.scoring.supernet import have_supernet, score_by_supernet, supernet_digest
from nas.scoring.training import Training
from nas.searching import Searching
from nas.task.evaluation import Quality
from nas.task.training import Failed
from nas.where.here import Here
from nas.where.protocol import Workers
from results.candidate import Candidate, Scores
from results.front import ReferencePoint
from results.progress import Watcher
from results.standing import ask
from results.store import Store
from results.study import (
    REFERENCE_NUMBER,
    Trained,
    attributes_of,
    candidate_of,
    candidates,
    fix_reference_point,
    fix_supernet,
    genotype_of,
    in_flight,
    name_metrics,
    open_study,
    record_test_input,
    record_training,
    tell_failed,
    tell_scores,
    trainings,
    write_rejected,
    write_running,
)
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.own import AnyGenotype, require_lpienet
from search_spaces.own_space import OwnSpace
from search_spaces.units import format_cost

REJECTED_IN_A_ROW = 100  # proposals without a single new affordable genotype, after which the search gives up


class SearchStopped(RuntimeError):
    """The search found nothing to score; the message says why and what to change."""


def search(searching: Searching, workers: Workers, watcher: Watcher) -> None:
    """Score genotypes of the space until the study of the run holds `settings.trials` scored ones.

    Continues whatever study is there; the trials that a killed process left behind are taken up first, each from its
    checkpoint. Ends with fewer, and says so, when a hundred proposals in a row hold nothing new, as in a space that is
    scored whole. Raises ImpossibleBudget when no network fits, SearchStopped when not one affordable one is found.
    """
    run, task, settings = searching.run, searching.task, searching.settings
    searching.require_possible()
    study = open_study(run.study, create=True)
    name_metrics(study, settings.cost)
    corner = searching.cost_of(searching.dearest)
    fix_reference_point(study, ReferencePoint(task.input.ssim, corner))
    record_test_input(study, task.test_input.ssim)
    ask(study, trials=settings.trials)
    supernet = None
    if settings.score == "supernet":
        supernet = have_supernet(searching.supernet, run.supernet, watcher)
        fix_supernet(study, supernet.name, supernet_digest(supernet))
    _Search(searching, study, supernet, workers, watcher).go_on()


@dataclass(frozen=True, slots=True)
class _Scoring:
    """One candidate that is being scored."""

    number: int
    genotype: AnyGenotype
    rung: int  # place in settings.rungs


class _Search:
    """One search while it runs; all of its state can be rebuilt from the study."""

    def __init__(
        self, searching: Searching, study: optuna.Study, supernet: Path | None, workers: Workers, watcher: Watcher
    ) -> None:
        self.searching, self.study, self.supernet = searching, study, supernet
        self.space, self.settings, self.cost_of = searching.space, searching.settings, searching.cost_of
        self.store, self.workers, self.watcher = Store(searching.run.made, searching.logs), workers, watcher
        space, settings = self.space, self.settings
        sampler = resolve_sampler(settings.sampler, settings.trials, isinstance(space, OwnSpace))
        region = Region(space, settings.budget)
        self.proposals = Proposals(study, region, sampler, settings.seed, space.first()[: settings.trials])
        trials = study.get_trials(deepcopy=False)
        self.left_behind = in_flight(trials)
        self.found = candidates(trials)  # with the scores of the first rung
        self.known = {trial.number: candidate_of(trial) for trial in trials if trial.state is TrialState.COMPLETE}
        self.ended = sum(trial.state in (TrialState.COMPLETE, TrialState.FAIL) for trial in trials)
        self.higher = trainings(study, "rung")
        self.scoring: dict[Future[Quality], _Scoring] = {}
        self.exhausted = False  # nothing new is proposed any more
        # Progress is counted in training steps of the first rung, or in candidates where nothing is trained.
        self.unit = 1 if supernet else settings.rungs[0]
        self.begun = self.ended * self.unit
        self.log: Log = lambda number, figures: None

    def go_on(self) -> None:
        """Score until nothing is left to start and nothing runs."""
        with scores(self.searching.logs, "search") as self.log:
            self._go_on()

    def _go_on(self) -> None:
        self.watcher.begin("search", self.settings.trials * self.unit)
        if isinstance(self.workers, Here):
            self.workers.on_step = lambda step, loss: self._show()
        while True:
            while len(self.scoring) < self.workers.count and (scoring := self._next()) is not None:
                self.scoring[self._submit(scoring)] = scoring
            if not self.scoring:
                break
            for future in wait(self.scoring, timeout=0.5, return_when=FIRST_COMPLETED).done:
                self._finish(self.scoring.pop(future), future)
            self._show()

    def _show(self) -> None:
        done = self.begun + (self.ended - self.begun if self.supernet else self.workers.steps())
        whole = self.settings.trials * self.unit
        left = self.ended < self.settings.trials and not self.exhausted
        self.watcher.at(min(done, whole - 1) if left else whole, best_so_far(self.found, self.settings.cost))

    def _next(self) -> "_Scoring | None":
        """What to score next: what a killed process left behind, else a promotion, else a new proposal."""
        if self.left_behind:
            trial = self.left_behind.pop(0)
            genotype = genotype_of(trial)
            assert genotype is not None  # they are written down together
            return _Scoring(trial.number, genotype, 0)
        return self._promotion() or self._proposal()

    def _promotion(self) -> "_Scoring | None":
        """A candidate whose rank in its rung earns it the next one, from the highest rung that has any."""
        rungs = self.settings.rungs
        running = {(scoring.number, scoring.rung) for scoring in self.scoring.values()}
        for rung in reversed(range(len(rungs) - 1)):
            here = self._rung(rung)
            above = {training.number for training in self._rung(rung + 1)}
            costs = {number: candidate.scores.cost for number, candidate in self.known.items()}
            yardstick = [training.number for training in here if training.number == REFERENCE_NUMBER]
            others = [training for training in here if training.number != REFERENCE_NUMBER]
            for number in (*yardstick, *promotable(others, costs)):  # the yardstick goes all the way
                if number not in above and (number, rung + 1) not in running:
                    return _Scoring(number, self.known[number].genotype, rung + 1)
        return None

    def _rung(self, rung: int) -> list[Trained]:
        """What was trained to a rung, by number: ties go to the first, so a resumed search promotes the same."""
        steps = self.settings.rungs[rung]
        if rung:
            return sorted((t for t in self.higher if t.steps == steps), key=lambda training: training.number)
        return [
            Trained(number, "rung", steps, 0, "scratch", candidate.scores.ssim, candidate.scores.psnr)
            for number, candidate in sorted(self.known.items())
        ]

    def _proposal(self) -> "_Scoring | None":
        """A new genotype, written down as running; None when enough are scored or being scored, or none is left."""
        settings = self.settings
        begun = sum(scoring.rung == 0 for scoring in self.scoring.values())
        if self.exhausted or self.ended + begun >= settings.trials:
            return None
        for _ in range(REJECTED_IN_A_ROW):
            proposal = self.proposals.ask()
            blueprint = self.searching.blueprint_of(proposal.genotype)
            macs, cost = macs_of(blueprint, settings.size), self.cost_of(blueprint)
            attributes = attributes_of(proposal.genotype, macs, parameters_of(blueprint), cost)
            over = None if settings.budget is None else cost / settings.budget - 1
            trial = self.proposals.frozen(proposal, attributes, over)
            reason = self._rejection(proposal.number, proposal.genotype, cost)
            if reason is None:
                write_running(self.study, trial)
                self.proposals.accept(proposal)
                return _Scoring(proposal.number, proposal.genotype, 0)
            write_rejected(self.study, trial, reason)
            self.proposals.reject(proposal)
        if not self.found and not begun:
            raise SearchStopped(f"the last {REJECTED_IN_A_ROW} proposals were all known or over budget; raise --budget")
        self.exhausted = True
        scored = self.ended + begun
        self.watcher.say(
            f"the search ends with {scored} of {settings.trials} networks: the last {REJECTED_IN_A_ROW} proposals were "
            "all known or over budget"
        )
        return None

    def _rejection(self, number: int, genotype: AnyGenotype, cost: float) -> str | None:
        """Why `genotype` is not to be scored, or None."""
        budget, kind = self.settings.budget, self.settings.cost
        if number == REFERENCE_NUMBER:
            return None  # the yardstick is measured whatever it costs
        if budget is not None and cost > budget:
            return f"{format_cost(kind, cost)} is over the budget of {format_cost(kind, budget)}"
        earlier = self.proposals.earlier(genotype)
        return None if earlier is None else f"the same genotype as trial {earlier}"

    def _submit(self, scoring: "_Scoring") -> Future[Quality]:
        if self.supernet is not None:
            space = self.searching.supernet.space
            nearest = space.nearest(require_lpienet(scoring.genotype))  # the reference may be outside
            return self.workers.submit(score_by_supernet, self.supernet, space, Blueprint.from_genotype(nearest))
        trainings = self._trainings(scoring)
        for below in trainings[:-1]:
            if not self.store.is_made(below.scoring.key):  # a version before kept it in candidates/, by number alone
                said = f"candidate {scoring.number}: what it was trained to is not in the run's made/, and made again"
                self.watcher.say(f"{said} ({below.label})")
        return self.workers.submit(score_by_training, trainings, self.store)

    def _trainings(self, scoring: "_Scoring") -> tuple[Training, ...]:
        return self.searching.trainings(scoring.number, scoring.genotype)[: scoring.rung + 1]

    def _finish(self, scoring: "_Scoring", future: Future[Quality]) -> None:
        """Tell the study what a candidate scored, or FAIL with the reason."""
        number = scoring.number
        try:
            quality = future.result()
        except Failed as error:
            self.watcher.say(f"candidate {number} failed: {error}")
            if scoring.rung == 0:
                self.ended += 1
                tell_failed(self.study, number, str(error))
                self.proposals.tell(number, None)
            else:  # its training ends here; the score of the rung below stands
                below = next(t for t in self._rung(scoring.rung - 1) if t.number == number)
                self._record(replace(below, steps=self.settings.rungs[scoring.rung]))
            return
        if scoring.rung:
            steps, trained = self.settings.rungs[scoring.rung], self._trainings(scoring)[-1].scoring.key
            self._record(Trained(number, "rung", steps, 0, "scratch", quality.ssim, quality.psnr, key=trained))
            self.watcher.say(f"candidate {number} at {steps} steps: SSIM {quality.ssim:.4f}")
            return
        blueprint = self.searching.blueprint_of(scoring.genotype)
        macs, cost = macs_of(blueprint, self.settings.size), self.cost_of(blueprint)
        scored = Scores(quality.ssim, quality.psnr, macs, parameters_of(blueprint), cost)
        key = None if self.supernet else self._trainings(scoring)[-1].scoring.key
        self.proposals.tell(number, tell_scores(self.study, number, scored, key))
        self.ended += 1
        candidate = Candidate(number, scoring.genotype, scored)
        self.known[number] = candidate
        self.log(number, {"SSIM": scored.ssim, "PSNR dB": scored.psnr, self.settings.cost: cost})
        if self.settings.budget is None or cost <= self.settings.budget:
            self.found.append(candidate)
        if self.supernet is None:
            self.watcher.say(candidate_line(candidate, self.settings.cost))

    def _record(self, training: Trained) -> None:
        record_training(self.study, training)
        self.higher.append(training)
