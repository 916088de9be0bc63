"""Searching: the values that say what is searched, for what, and what a finished search can be asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from nas.scoring.halving import rungs_of
from nas.scoring.supernet import SupernetSettings, SupernetTraining, open_supernet
from nas.scoring.training import Training, in_rungs
from nas.suggest import derive_seed
from nas.task.task import Task
from nas.task.training import Recipe
from results.record import RunSettings
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype
from search_spaces.lpienet import LPIENet
from search_spaces.space import Space, default_space
from search_spaces.units import COSTS, parse_macs

SCORES = ("supernet", "short", "halving")

CostOf = Callable[[Blueprint], float]  # what the search makes small, above 0


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search may spend, and how it scores."""

    trials: int  # genotypes to score, the reference among them; rejected proposals come on top
    recipe: Recipe  # of a candidate's training (short), of its last rung (halving), of the supernet
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
    space: Space
    task: Task
    settings: SearchSettings
    cost_of: CostOf

    @property
    def supernet(self) -> SupernetTraining:
        """Of the supernet that scores this search, where one does."""
        return SupernetTraining(self.space, self.task, self.settings.supernet, self.settings.seed)

    def inherited(self, genotype: Genotype) -> LPIENet:
        """The weights of a candidate's slice of the supernet, which must be trained."""
        supernet = open_supernet(self.supernet.at(self.run.supernet), self.space)
        return supernet.network(Blueprint.from_genotype(genotype))

    def trainings(self, number: int, genotype: Genotype) -> tuple[Training, ...]:
        """What a candidate is trained by, rung after rung."""
        settings, blueprint = self.settings, Blueprint.from_genotype(genotype)
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
    if made_with.score != "supernet" or made_with.steps is None:
        return None
    macs = parse_macs(made_with.budget) if made_with.cost == "macs" and made_with.budget else None
    supernet = SupernetSettings.under(Recipe(made_with.steps), macs, made_with.size)
    space = space_of(made_with)
    path = SupernetTraining(space, task, supernet, made_with.seed).at(run.supernet)
    if not path.exists():
        return None
    return lambda genotype: open_supernet(path, space).network(Blueprint.from_genotype(genotype))
