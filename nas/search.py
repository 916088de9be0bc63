"""Search: ask for a genotype, reject or score it, tell the study; any kill loses at most ten seconds of training."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from nas.begin import begin_study
from nas.guided import Region
from nas.logs import Log, scores
from nas.promoting import Promotions
from nas.propose import Proposal, Proposals
from nas.said import best_so_far, candidate_line
from nas.samplers import resolve_sampler
from nas.scoring.short import score_by_training
from nas.scoring.supernet import score_by_supernet
from nas.scoring.training import Training
from nas.scoring.tuned import score_tuned
from nas.searching import Searching
from nas.seen import Seen
from nas.suggest import derive_seed
from nas.task.evaluation import Quality
from nas.task.training import Failed
from nas.where.here import Here
from nas.where.protocol import Workers
from results.candidate import Candidate, Scores
from results.leases import Alone, Leases
from results.progress import Watcher
from results.store import Store
from results.study import REFERENCE_NUMBER, Trained, genotype_of, open_study, record_training
from results.trials import (
    TakenOver,
    attributes_of,
    take_over,
    tell_failed,
    tell_scores,
    trial_of,
    withdraw,
    write_rejected,
    write_running,
)
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.own import AnyGenotype, require_lpienet
from search_spaces.own_space import OwnSpace
from search_spaces.units import format_cost

_PAUSE = 0.5  # seconds between two looks at what others do, where there is nothing to do
REJECTED_IN_A_ROW = 100  # proposals without a single new affordable genotype, after which the search gives up


class SearchStopped(RuntimeError):
    """The search found nothing to score; the message says why and what to change."""


def search(searching: Searching, workers: Workers, watcher: Watcher, leases: Leases | None = None) -> None:
    """Score genotypes of the space until the study of the run holds `settings.trials` scored ones.

    Continues whatever study is there; the trials that a killed process left behind are taken up first, each from its
    checkpoint. Where other searches feed the study, `leases` say who does what; it then ends when all are scored.
    Ends with fewer, and says so, when a hundred proposals in a row hold nothing new, as in a space that is
    scored whole. Raises ImpossibleBudget when no network fits, SearchStopped when not one affordable one is found.
    """
    searching.require_possible()
    fed_by = leases or Alone()
    study = open_study(searching.run.study, create=True, say=watcher.say)
    supernet = begin_study(searching, study, fed_by, watcher)
    _Search(searching, (study, fed_by), supernet, workers, watcher).go_on()


@dataclass(frozen=True, slots=True)
class _Scoring:
    """One candidate that is being scored."""

    number: int
    genotype: AnyGenotype
    rung: int  # place in settings.rungs


class _Search:
    """One search while it runs; all of its state can be rebuilt from the study."""

    def __init__(
        self,
        searching: Searching,
        fed: tuple[optuna.Study, Leases],
        supernet: Path | None,
        workers: Workers,
        watcher: Watcher,
    ) -> None:
        self.searching, self.supernet = searching, supernet
        self.study, self.leases = fed
        self.space, self.settings, self.cost_of = searching.space, searching.settings, searching.cost_of
        self.store, self.workers, self.watcher = Store(searching.run.made, searching.logs), workers, watcher
        space, settings, me = self.space, self.settings, self.leases.me
        sampler = resolve_sampler(settings.sampler, settings.trials, isinstance(space, OwnSpace))
        region = Region(space, settings.budget)
        # Searches that see the same trials at the same moment would propose the same network.
        seed = settings.seed if me is None else derive_seed(settings.seed, 0, f"sampler of {me}")
        self.proposals = Proposals(self.study, region, sampler, seed, space.first()[: settings.trials])
        self.seen = Seen(self.study, self.leases, len(settings.rungs) > 1)
        self.promotions = Promotions(settings.rungs, self.seen, self.leases)
        self.scoring: dict[Future[Quality], _Scoring] = {}
        self.exhausted = False  # nothing new is proposed any more
        # Progress is counted in training steps of the first rung, or in candidates where nothing is trained.
        self.unit = 1 if supernet else settings.rungs[0]
        self.begun = self.seen.ended * self.unit
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
            self._look()
            while len(self.scoring) < self.workers.count and (scoring := self._next()) is not None:
                self.scoring[self._submit(scoring)] = scoring
            if self.scoring:
                for future in wait(self.scoring, timeout=0.5, return_when=FIRST_COMPLETED).done:
                    self._finish(self.scoring.pop(future), future)
            elif self._is_done():
                break
            else:
                time.sleep(_PAUSE)  # others are at work
            self._show()

    def _look(self, at_once: bool = False) -> None:
        """What other searches have done."""
        self.proposals.take_in(self.seen.look(at_once))

    def _is_done(self) -> bool:
        """Whether other searches have nothing to do either, so that none of it can be left to this one."""
        if self.leases.me is None:
            return True
        self._look(at_once=True)
        enough = self.exhausted or len(self.seen.counted) >= self.settings.trials
        return enough and not self.seen.open and not self.promotions.left()

    def _show(self) -> None:
        ended, whole = self.seen.ended, self.settings.trials * self.unit
        by_steps = self.supernet is None and self.leases.me is None
        done = self.begun + self.workers.steps() if by_steps else ended * self.unit
        left = ended < self.settings.trials and not self.exhausted
        self.watcher.at(min(done, whole - 1) if left else whole, best_so_far(self.seen.front, self.settings.cost))

    def _next(self) -> "_Scoring | None":
        """What to score next: what a dead search left behind, else a promotion, else a new proposal."""
        return self._left_behind() or self._promotion(here=True) or self._proposal() or self._promotion(here=False)

    def _left_behind(self) -> "_Scoring | None":
        for trial in self.seen.dead():
            number, genotype = trial.number, genotype_of(trial)
            if genotype is None or not self.leases.claim(f"trial {number}"):
                continue
            if self.leases.me is not None and not take_over(self.study, number, self.leases.me):
                continue  # it was told after all
            self.seen.begin(number)
            if self.leases.me is not None:
                self.watcher.say(f"candidate {number} of a search that is gone is taken over")
            return _Scoring(number, genotype, 0)
        return None

    def _promotion(self, here: bool) -> "_Scoring | None":
        """A candidate for the next rung; `here`: only one whose training so far is in this run folder."""

        def is_here(number: int, rung: int) -> bool:
            scoring = _Scoring(number, self.seen.known[number].genotype, rung)
            return self.store.is_made(self._trainings(scoring)[-1].scoring.key)

        if self.leases.me is None and not here:
            return None
        running = {(scoring.number, scoring.rung) for scoring in self.scoring.values()}
        found = self.promotions.next(running, is_here if here and self.leases.me is not None else None)
        return None if found is None else _Scoring(found[0], self.seen.known[found[0]].genotype, found[1])

    def _proposal(self) -> "_Scoring | None":
        """A new genotype, written down as running; None when enough are scored or being scored, or none is left."""
        for _ in range(REJECTED_IN_A_ROW):
            if self.exhausted or len(self.seen.counted) >= self.settings.trials:
                return None
            first = f"first {self.proposals.next}" if self.proposals.begins else None
            if first is not None and not self.leases.claim(first):
                self._look(at_once=True)  # another search writes it down at this moment
                return None
            proposal = self.proposals.ask()
            blueprint = self.searching.blueprint_of(proposal.genotype)
            macs, cost = macs_of(blueprint, self.settings.size), self.cost_of(blueprint)
            attributes = attributes_of(proposal.genotype, macs, parameters_of(blueprint), cost)
            over = None if self.settings.budget is None else cost / self.settings.budget - 1
            trial = self.proposals.frozen(proposal, attributes, over)
            reason = self._rejection(proposal.number, proposal.genotype, cost)
            if reason is None:
                number = write_running(self.study, trial, self.leases.me)
            else:
                number = write_rejected(self.study, trial, reason)
                self.proposals.reject(self.proposals.written(proposal, number))
            if first is not None:
                self.leases.done(first)
            if reason is None and (begun := self._begun(proposal, number)) is not None:
                return begun
        if not self.seen.front and not self.scoring and not self.seen.open:
            raise SearchStopped(f"the last {REJECTED_IN_A_ROW} proposals were all known or over budget; raise --budget")
        self.exhausted = True
        self.watcher.say(
            f"the search ends with {len(self.seen.counted)} of {self.settings.trials} networks: the last "
            f"{REJECTED_IN_A_ROW} proposals were all known or over budget"
        )
        return None

    def _begun(self, asked: Proposal, number: int) -> "_Scoring | None":
        """The proposal under its number; None where others have written the like, or enough, a moment before."""
        proposal = self.proposals.written(asked, number)
        self.seen.begin(number)
        if asked.number < number:
            self._look(at_once=True)
            earlier = self.proposals.earlier(proposal.genotype)
            reason = f"the same genotype as trial {earlier}" if earlier is not None and earlier < number else None
            if sum(other < number for other in self.seen.counted) >= self.settings.trials:
                reason = "other searches have begun enough"
            if reason is not None:
                withdraw(self.study, number, reason)
                self.seen.drop(number)
                self.proposals.reject(proposal)
                return None
        self.proposals.accept(proposal)
        return _Scoring(number, proposal.genotype, 0)

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
            slice_of = Blueprint.from_genotype(nearest)
            if self.settings.score == "tuned":
                return self.workers.submit(score_tuned, self.supernet, (space, slice_of), self.settings.seed)
            return self.workers.submit(score_by_supernet, self.supernet, space, slice_of)
        trainings = self._trainings(scoring)
        for below in trainings[:-1]:
            if not self.store.is_made(below.scoring.key):  # a version before kept it in candidates/, by number alone
                said = f"candidate {scoring.number}: what it was trained to is not in the run's made/, and made again"
                self.watcher.say(f"{said} ({below.label})")
        return self.workers.submit(score_by_training, trainings, self.store)

    def _trainings(self, scoring: "_Scoring") -> tuple[Training, ...]:
        return self.searching.trainings(scoring.number, scoring.genotype)[: scoring.rung + 1]

    def _finish(self, scoring: "_Scoring", future: Future[Quality]) -> None:
        """Tell the study what a candidate scored, or FAIL with the reason; not where it is another search's by now."""
        number = scoring.number
        try:
            if scoring.rung:
                self._finish_rung(scoring, future)
            else:
                self._finish_first(scoring, future)
                self.leases.done(f"trial {number}")
        except TakenOver:
            self.leases.give_up(f"trial {number}")
            now = trial_of(self.study, number)
            self.seen.drop(number, now)
            self.proposals.take_in([now])
            self.watcher.say(
                f"candidate {number} was taken over by another search meanwhile: its score here is dropped"
            )

    def _finish_first(self, scoring: "_Scoring", future: Future[Quality]) -> None:
        number, me = scoring.number, self.leases.me
        try:
            quality = future.result()
        except Failed as error:
            self.watcher.say(f"candidate {number} failed: {error}")
            tell_failed(self.study, number, str(error), me)
            self.seen.failed(number)
            self.proposals.tell(number, None)
            return
        blueprint = self.searching.blueprint_of(scoring.genotype)
        macs, cost = macs_of(blueprint, self.settings.size), self.cost_of(blueprint)
        scored = Scores(quality.ssim, quality.psnr, macs, parameters_of(blueprint), cost)
        key = None if self.supernet else self._trainings(scoring)[-1].scoring.key
        self.proposals.tell(number, tell_scores(self.study, number, scored, key, me))
        candidate = Candidate(number, scoring.genotype, scored)
        self.seen.scored(candidate, self.settings.budget is None or cost <= self.settings.budget)
        self.log(number, {"SSIM": scored.ssim, "PSNR dB": scored.psnr, self.settings.cost: cost})
        if self.supernet is None:
            self.watcher.say(candidate_line(candidate, self.settings.cost))

    def _finish_rung(self, scoring: "_Scoring", future: Future[Quality]) -> None:
        number, steps, work = scoring.number, self.settings.rungs[scoring.rung], self.promotions.work(scoring)
        try:
            quality = future.result()
        except Failed as error:  # its training ends here; the score of the rung below stands
            self.watcher.say(f"candidate {number} failed: {error}")
            training = replace(self.promotions.trained(scoring.rung - 1, number), steps=steps)
        else:
            trained = self._trainings(scoring)[-1].scoring.key
            training = Trained(number, "rung", steps, 0, "scratch", quality.ssim, quality.psnr, key=trained)
            self.watcher.say(f"candidate {number} at {steps} steps: SSIM {quality.ssim:.4f}")
        if self.leases.holds(work):
            record_training(self.study, training)
            self.seen.trained(training)
        self.leases.done(work)
