"""Recipes: how long a search and its trainings take, by one word."""

from dataclasses import dataclass
from math import ceil

from nas.task.training import Recipe

DEFAULT = "default"  # what a run has that names none


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe spends where nothing else is asked for."""

    trials: int
    confirm: int  # networks trained fully, beside the reference
    full_steps: int | None  # of a full training; None: by epochs
    scoring_steps: int | None = None  # of what scores; None: what that takes usually
    epochs: int = 0  # each of one patch from every photograph
    loss: tuple[str, ...] = ()  # weights of nas.task.losses.TERMS
    optimizer: str = "soap"  # of full trainings, as are the next two
    learning_rate: float | None = None
    betas: tuple[float, float] = (0.9, 0.95)

    def steps(self, photographs: int, batch: int) -> int:
        """Of a full training on so many photographs, `batch` patches a step."""
        return self.full_steps or max(1, ceil(self.epochs * photographs / batch))

    def training(self, steps: int) -> Recipe:
        """Of a full training."""
        return Recipe(steps, self.learning_rate, optimizer=self.optimizer, betas=self.betas)


PLANS = {
    DEFAULT: Plan(trials=60, confirm=5, full_steps=6000),
    "demo": Plan(trials=12, confirm=1, full_steps=300, scoring_steps=100),
    "short": Plan(trials=60, confirm=3, full_steps=3000, scoring_steps=500),
    "full": Plan(trials=200, confirm=5, full_steps=12000),
    # LPIENet's paper: Adam, 500 epochs, flips and rotations, which every training here has, L1 + SSIM + gradient loss.
    # Its learning rate and the weights of its terms are not known: these are ours.
    "paper": Plan(
        trials=200,
        confirm=5,
        full_steps=None,
        epochs=500,
        loss=("ssim=0.1", "gradient=0.1"),
        optimizer="adam",
        learning_rate=5e-3,
        betas=(0.9, 0.999),
    ),
}
