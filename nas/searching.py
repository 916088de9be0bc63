"""Searching: the values that say what is searched, for what, and what a finished search can be asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.scoring.halving import rungs_of
from nas.scoring.supernet import SupernetSettings, SupernetTraining, open_supernet
from nas.scoring.training import Training, in_rungs
from nas.suggest import derive_seed
from nas.task.task import Task
from nas.task.training import Recipe
from results.record import OF_SUPERNET, RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype
from search_spaces.lpienet import LPIENet
from search_spaces.own import AnyBlueprint, AnyGenotype, require_lpienet
from search_spaces.own_space import OwnSpace
from search_spaces.reach import dearest, require_possible, require_within
from search_spaces.space import Space, default_space
from search_spaces.units import COSTS, parse_macs

SCORES = ("short", "halving", "supernet", "tuned")

CostOf = Callable[[AnyBlueprint], float]  # what the search makes small, above 0


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search may spend, and how it scores."""

    trials: int  # genotypes to score, the reference among them; rejected proposals come on top
    recipe: Recipe  # of a candidate's training (short), of its last rung (halving), of the supernet (the other two)
    score: str = "short"  # one of SCORES
    cost: str = "macs"  # one of units.COSTS
    budget: float | None = None  # of the cost, at `size`; a genotype above it is not scored, except the reference
    size: tuple[int, int] = (256, 256)  # height, width at which costs are taken
    sampler: str = "auto"  # one of samplers.SAMPLERS, or by the number of trials
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


@dataclass(frozen=True, slots=True)
class Searching:
    """What is searched, for what, and where that is kept."""

    run: Run
    space: Space | OwnSpace
    task: Task
    settings: SearchSettings
    cost_of: CostOf
    logs: Path | None = None  # folder for TensorBoard; None: there are no logs

    @property
    def supernet(self) -> SupernetTraining:
        """Of the supernet that scores this search, where one does; raises ValueError for an own family."""
        if isinstance(self.space, OwnSpace):
            raise ValueError(
                f"score = {self.settings.score!r}: a supernet's slices are LPIENets; candidates of an own family are "
                "scored by training each, short or halving"
            )
        return SupernetTraining(self.space, self.task, self.settings.supernet, self.settings.seed)

    @property
    def dearest(self) -> AnyBlueprint:
        """The network of the space with the most multiply-adds."""
        space = self.space
        return space.extreme(True) if isinstance(space, OwnSpace) else Blueprint.from_genotype(dearest(space))

    def require_possible(self) -> None:
        """Raises ImpossibleBudget where no network of the space fits a budget of multiply-adds."""
        settings, space = self.settings, self.space
        if settings.cost != "macs" or settings.budget is None:
            return
        if isinstance(space, OwnSpace):
            require_within(space.extreme(False).macs_at(settings.size), int(settings.budget), settings.size)
        else:
            require_possible(space, int(settings.budget), settings.size)

    def blueprint_of(self, genotype: AnyGenotype) -> AnyBlueprint:
        """What a candidate is built by."""
        return self.space.blueprint(genotype)

    def inherited(self, genotype: AnyGenotype) -> LPIENet:
        """The weights of a candidate's slice of the supernet, which must be trained."""
        training = self.supernet
        supernet = open_supernet(training.at(self.run.supernet), training.space)
        return supernet.network(Blueprint.from_genotype(require_lpienet(genotype)))

    def trainings(self, number: int, genotype: AnyGenotype) -> tuple[Training, ...]:
        """What a candidate is trained by, rung after rung."""
        settings, blueprint = self.settings, self.blueprint_of(genotype)
        seed = derive_seed(settings.seed, number, "training")
        return in_rungs(Training.on(self.task, blueprint, settings.recipe, seed), settings.rungs)


def space_of(settings: RunSettings) -> Space:
    """The space of a run by its settings: as recorded, else, in a new run or one of before, what the default is now."""
    if settings.space is not None:
        return Space.from_json(settings.space)
    return default_space().fixed(settings.fix)


def slices_of(run: Run, task: Task) -> Callable[[Genotype], LPIENet] | None:
    """`Searching.inherited` of the search that made `run`; None where no supernet scored it, or where that is gone."""
    made_with = run.settings()
    if made_with.score not in OF_SUPERNET or made_with.steps is None:
        return None
    macs = parse_macs(made_with.budget) if made_with.cost == "macs" and made_with.budget else None
    supernet = SupernetSettings.under(Recipe(made_with.steps), macs, made_with.size)
    space = space_of(made_with)
    path = SupernetTraining(space, task, supernet, made_with.seed).at(run.supernet)
    if not path.exists():
        return None
    return lambda genotype: open_supernet(path, space).network(Blueprint.from_genotype(genotype))
