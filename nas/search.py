"""Search: ask for a genotype, reject or score it, tell the study; any kill loses at most ten seconds of training."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from nas.guided import Region
from nas.propose import Proposals
from nas.said import best_so_far, candidate_line
from nas.samplers import resolve_sampler
from nas.scoring.halving import promotable, rungs_of
from nas.scoring.short import score_by_training
from nas.scoring.supernet import (
    SupernetSettings,
    have_supernet,
    open_supernet,
    score_by_supernet,
    supernet_digest,
    supernet_path,
)
from nas.suggest import derive_seed
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from nas.workers import Here, Workers
from results.candidate import Candidate, Scores
from results.front import ReferencePoint
from results.progress import Watcher
from results.run import Run
from results.standing import ask
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
from search_spaces.genotype import Genotype
from search_spaces.lpienet import LPIENet
from search_spaces.reach import dearest, require_possible
from search_spaces.space import Space, default_space, hand_made
from search_spaces.units import COSTS, format_cost, parse_macs

REJECTED_IN_A_ROW = 100  # proposals without a single new affordable genotype, after which the search gives up
SCORES = ("supernet", "short", "halving")

CostOf = Callable[[Blueprint], float]  # what the search makes small, above 0


class SearchStopped(RuntimeError):
    """The search found nothing to score; the message says why and what to change."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search may spend, and how it scores."""

    trials: int  # genotypes to score, the reference among them; rejected proposals come on top
    recipe: Recipe  # of a candidate's training (short), of its last rung (halving), of the supernet
    score: str = "short"  # one of SCORES
    cost: str = "macs"  # one of units.COSTS
    budget: float | None = None  # of the cost, at `size`; a genotype above it is not scored, except the reference
    size: tuple[int, int] = (256, 256)  # height, width at which costs are taken
    sampler: str = "auto"  # one of suggest.SAMPLERS, or by the number of trials
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials = {self.trials}: must be at least 1")
        if self.budget is not None and self.budget <= 0:
            raise ValueError(f"budget = {self.budget}: must be above 0")
        if self.score not in SCORES:
            raise ValueError(f"score = {self.score!r}: must be one of {', '.join(SCORES)}")
        if self.cost not in COSTS:
            raise ValueError(f"cost = {self.cost!r}: must be one of {', '.join(COSTS)}")

    @property
    def supernet(self) -> SupernetSettings:
        """Of a supernet for this search; under a budget of MACs no slice above it is trained."""
        budget = None if self.cost != "macs" or self.budget is None else round(self.budget)
        return SupernetSettings.under(self.recipe, budget, self.size)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Steps after which trained candidates are compared."""
        return rungs_of(self.recipe.steps) if self.score == "halving" else (self.recipe.steps,)


def search(
    run: Run, space: Space, task: Task, settings: SearchSettings, cost_of: CostOf, workers: Workers, watcher: Watcher
) -> None:
    """Score genotypes of `space` until the study in `run` holds `settings.trials` scored ones.

    Continues whatever study is there; the trials that a killed process left behind are taken up first, each from its
    checkpoint. Ends with fewer, and says so, when a hundred proposals in a row hold nothing new, as in a space that is
    scored whole. Raises ImpossibleBudget when no network fits, SearchStopped when not one affordable one is found.
    """
    if settings.cost == "macs" and settings.budget is not None:
        require_possible(space, int(settings.budget), settings.size)
    study = open_study(run.study, create=True)
    name_metrics(study, settings.cost)
    fix_reference_point(study, ReferencePoint(task.input.ssim, cost_of(Blueprint.from_genotype(dearest(space)))))
    record_test_input(study, task.test_input.ssim)
    ask(study, trials=settings.trials)
    supernet = None
    if settings.score == "supernet":
        supernet = have_supernet(space, task, settings.supernet, settings.seed, run.supernet, watcher)
        fix_supernet(study, supernet.name, supernet_digest(supernet))
    _Search(run, study, space, settings, cost_of, workers, watcher, supernet).go_on()


def inherited_network(run: Run, space: Space, task: Task, settings: SearchSettings) -> Callable[[Genotype], LPIENet]:
    """A function that gives a candidate the weights of its slice of the search's supernet, which must be trained."""
    path = supernet_path(space, task, settings.supernet, settings.seed, run.supernet)
    return lambda genotype: open_supernet(path, space).network(Blueprint.from_genotype(genotype))


def space_of(settings: Mapping[str, Any]) -> Space:
    """The space of a run by its settings: as recorded, else, in a new run or one of before, what the default is now."""
    if "space" in settings:
        return Space.from_json(settings["space"])
    return default_space().fixed(settings["fix"])


def slices_of(run: Run, task: Task) -> Callable[[Genotype], LPIENet] | None:
    """`inherited_network` of the search that made `run`; None where no supernet scored it, or where that is gone."""
    made_with = run.settings()
    if made_with.get("score") != "supernet":
        return None
    macs = parse_macs(made_with["budget"]) if made_with["cost"] == "macs" and made_with["budget"] else None
    supernet = SupernetSettings.under(Recipe(made_with["steps"]), macs, tuple(made_with["size"]))
    space = space_of(made_with)
    path = supernet_path(space, task, supernet, made_with["seed"], run.supernet)
    if not path.exists():
        return None
    return lambda genotype: open_supernet(path, space).network(Blueprint.from_genotype(genotype))


@dataclass(frozen=True, slots=True)
class _Scoring:
    """One candidate that is being scored."""

    number: int
    genotype: Genotype
    rung: int  # place in settings.rungs


class _Search:
    """One search while it runs; all of its state can be rebuilt from the study."""

    def __init__(
        self,
        run: Run,
        study: optuna.Study,
        space: Space,
        settings: SearchSettings,
        cost_of: CostOf,
        workers: Workers,
        watcher: Watcher,
        supernet: Path | None,
    ) -> None:
        self.run, self.study, self.space, self.settings = run, study, space, settings
        self.cost_of, self.workers, self.watcher, self.supernet = cost_of, workers, watcher, supernet
        sampler = resolve_sampler(settings.sampler, settings.trials)
        region = Region(space, settings.budget)
        self.proposals = Proposals(study, region, sampler, settings.seed, hand_made(space)[: settings.trials])
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

    def go_on(self) -> None:
        """Score until nothing is left to start and nothing runs."""
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
            blueprint = Blueprint.from_genotype(proposal.genotype)
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

    def _rejection(self, number: int, genotype: Genotype, cost: float) -> str | None:
        """Why `genotype` is not to be scored, or None."""
        budget, kind = self.settings.budget, self.settings.cost
        if number == REFERENCE_NUMBER:
            return None  # the yardstick is measured whatever it costs
        if budget is not None and cost > budget:
            return f"{format_cost(kind, cost)} is over the budget of {format_cost(kind, budget)}"
        earlier = self.proposals.earlier(genotype)
        return None if earlier is None else f"the same genotype as trial {earlier}"

    def _submit(self, scoring: "_Scoring") -> Future[Quality]:
        blueprint = Blueprint.from_genotype(scoring.genotype)
        if self.supernet is not None:
            slice = Blueprint.from_genotype(self.space.nearest(scoring.genotype))  # the reference may be outside
            return self.workers.submit(score_by_supernet, self.supernet, self.space, slice)
        rungs = self.settings.rungs
        folder = self.run.candidate(scoring.number)
        seed = derive_seed(self.settings.seed, scoring.number, "training")
        if scoring.rung == 0:
            recipe, start = replace(self.settings.recipe, steps=rungs[0]), None
        else:  # a warm restart from where the rung below ended, with a learning rate that falls to its end again
            recipe = replace(self.settings.recipe, steps=rungs[scoring.rung] - rungs[scoring.rung - 1])
            start = _rung_folder(folder, scoring.rung - 1) / "network"
            seed = derive_seed(seed, scoring.rung, "rung")
        return self.workers.submit(
            score_by_training, blueprint, recipe, seed, _rung_folder(folder, scoring.rung), start
        )

    def _finish(self, scoring: "_Scoring", future: Future[Quality]) -> None:
        """Tell the study what a candidate scored, or FAIL with the reason."""
        number = scoring.number
        try:
            quality = future.result()
        except Diverged as error:
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
            steps = self.settings.rungs[scoring.rung]
            self._record(Trained(number, "rung", steps, 0, "scratch", quality.ssim, quality.psnr))
            self.watcher.say(f"candidate {number} at {steps} steps: SSIM {quality.ssim:.4f}")
            return
        blueprint = Blueprint.from_genotype(scoring.genotype)
        macs, cost = macs_of(blueprint, self.settings.size), self.cost_of(blueprint)
        scores = Scores(quality.ssim, quality.psnr, macs, parameters_of(blueprint), cost)
        self.proposals.tell(number, tell_scores(self.study, number, scores))
        self.ended += 1
        candidate = Candidate(number, scoring.genotype, scores)
        self.known[number] = candidate
        if self.settings.budget is None or cost <= self.settings.budget:
            self.found.append(candidate)
        if self.supernet is None:
            self.watcher.say(candidate_line(candidate, self.settings.cost))

    def _record(self, training: Trained) -> None:
        record_training(self.study, training)
        self.higher.append(training)


def _rung_folder(folder: Path, rung: int) -> Path:
    return folder if rung == 0 else folder / f"rung-{rung}"
