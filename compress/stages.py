"""Stages: what a compression is made in, one after the other; each is in the store by what it was made from.

What a search or another compression made from the same is taken as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from compress.asked import Asked
from compress.bench.latency import latency_cost
from compress.control import cheaper, equal_steps, paired
from compress.int8.calibration import calibration_fingerprint, keep_calibration
from compress.int8.quantize import layers_of
from compress.int8.ways import AUTO, Quantizing, to_int8
from compress.prune.cost import latency
from compress.prune.distill import Teacher, distill
from compress.prune.judge import Judge
from compress.prune.prune import RACE, Along, OutOfReach, Pruned, Target, prune
from compress.prune.way import Step
from compress.settings import CompressSettings, Fast
from nas.confirm import seed_of
from nas.scoring.full import STRIPPED, score_on_test, train_fully
from nas.scoring.training import NETWORK, Training, begin
from nas.searching import slices_of
from nas.suggest import derive_seed
from nas.task.evaluation import as_test, evaluate, mean_quality
from nas.task.task import Task
from nas.task.training import Course, Failed, Recipe
from results.candidate import Candidate
from results.compressions import CALIBRATION, WAY
from results.files import load_network, save_network, write_json
from results.plots import plot_way
from results.progress import Watcher
from results.run import Run
from results.spent import Counting, Spent
from results.store import CHECKPOINT, Stage, Store
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.lpienet import LPIENet
from search_spaces.own import require_lpienet
from search_spaces.units import format_macs

TRAINED, PRUNED, CONTROL = "trained", "pruned", "control"
LONGER = "longer"  # beside an int8 network: the one that was trained in float for as long
_METHODS = {"pruning": 4, "int8": 4}  # count the changes of what a stage does that no other part of its key tells


@dataclass(frozen=True, slots=True)
class Part:
    """One network of the store, and what it came to."""

    stage: str  # key of what made it
    file: str
    figures: dict[str, Any]

    def at(self, store: Store) -> Path:
        return store.at(self.stage) / self.file


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one compression."""

    run: Run
    asked: Asked
    task: Task
    watcher: Watcher

    @property
    def store(self) -> Store:
        return Store(self.run.made)

    @property
    def settings(self) -> CompressSettings:
        return self.asked.settings

    def require_layers(self) -> None:
        known = layers_of(Blueprint.from_genotype(require_lpienet(self.asked.chosen.genotype)))
        for name, layers in (("in_float", self.settings.in_float), ("wide", self.settings.wide)):
            for layer in layers:
                if layer not in known and layers != (AUTO,):
                    raise ValueError(f"{name} = {layer}: candidate {self.asked.chosen.number} has {', '.join(known)}")
        levels = Blueprint.from_genotype(require_lpienet(self.asked.chosen.genotype)).levels
        if isinstance(self.settings.twice, int) and self.settings.twice > levels:
            raise ValueError(f"twice = {self.settings.twice}: candidate {self.asked.chosen.number} has {levels} levels")

    def require_slow(self) -> None:
        """Raises ValueError where a latency is asked for, and nothing else, that the candidate has already."""
        asked, chosen = self.settings.prune, self.asked.chosen
        if not isinstance(asked, Fast):
            return
        now = self._cost()(Blueprint.from_genotype(require_lpienet(chosen.genotype)))
        where = f"{asked.runtime}-{asked.precision} at {asked.size[0]}x{asked.size[1]}, one thread"
        self.watcher.say(f"candidate {chosen.number} takes {now:.3g} ms ({where})")
        if now <= asked.milliseconds and self.settings.prune_loss is None:
            raise ValueError(
                f"the network takes {now:.3g} ms, which is {asked.milliseconds:g} ms or less already; "
                "ask for fewer, for a loss (--prune-loss), or --prune off"
            )

    def trained(self) -> Part:
        """The chosen candidate after full training, without what computes nothing."""
        seed = seed_of(self.settings.seed, self.asked.chosen.number, 0)  # as a search trains it first
        return self._training("full training", self.asked.chosen, self.settings.training, seed)

    def pruned(self, trained: Part) -> Part:
        """The trained network after pruning and fine-tuning; without its dead channels it costs less than before."""
        asked, settings = self.settings.prune, self.settings
        assert asked is not None
        by = asked.timing.made_by if isinstance(asked, Fast) else "MACs"
        made_from = self._made_from("pruning", trained) | {
            "prune": asdict(asked) if isinstance(asked, Fast) else asked,
            "prune_loss": settings.prune_loss,
            "measured_by": by,
            "fine_tuning": asdict(settings.fine_tuning),
            "distillation": settings.distillation,
            "seed": settings.seed,
        }
        if settings.prune_loss is not None:
            least = f"what a loss of {settings.prune_loss:g} SSIM allows"
        elif isinstance(asked, Fast):
            least = f"{asked.milliseconds:g} ms"
        else:
            least = format_macs(asked) if isinstance(asked, int) else f"{1 - asked:.0%} of its MACs"

        def make(stages: Stages, folder: Path) -> dict[str, Any]:
            return stages._prune(trained, folder)

        return self._made(Stage("pruning", made_from), f"{trained.stage} pruned to {least}", make)

    def control(self, made: Mapping[str, Part]) -> Part | None:
        """The trained control of the pruned network; None, and said why, where there is none."""
        cost, pruned = self._cost(), made[PRUNED]
        is_fast, limit = isinstance(self.settings.prune, Fast), self._limit(pruned)
        rival = cheaper(self.run, lambda blueprint: cost(blueprint) <= limit)
        if rival is None:
            self.watcher.say("control: the search has no network that costs as little as the pruned one")
            return None
        steps = equal_steps({name: part.figures for name, part in made.items()}, self.settings, rival)
        seed = derive_seed(self.settings.seed, rival.number, "control")
        recipe = replace(self.settings.training, steps=steps)
        try:
            control = self._training("training of the control", rival, recipe, seed)
        except Failed as error:
            self.watcher.say(f"control: candidate {rival.number} could not be trained: {error}")
            return None
        said = f"control: candidate {rival.number}, trained for as much computing from {control.figures['start']}"
        self.watcher.say(figures_line(said, control.figures))
        taken = cost(load_network(control.at(self.store)).blueprint)
        if taken > limit:  # an odd count of channels may take longer than a few more
            self.watcher.say(f"control: without its dead channels it takes {taken:.3g} ms, too long")
            return None
        figures = control.figures | {"candidate": rival.number} | ({"latency_ms": taken} if is_fast else {})
        ours, theirs = (score_on_test(self.task, self.store.at(part.stage)) for part in (pruned, control))
        if len(ours) > 1:
            names = "the pruned network", f"candidate {rival.number}, its control"
            verdict = paired(self.run, ours, theirs, names)
            self.watcher.say(verdict.sentence)
            figures |= {"verdict": verdict.to_json()}
        return replace(control, figures=figures)

    def quantized(self, network: Part, calibration: list[Tensor]) -> Part:
        """Float weights of the int8 network."""
        settings = self.settings
        made_from = self._made_from("int8", network) | {
            "way": settings.int8,
            "quantization": asdict(settings.quantization),
            "calibration": calibration_fingerprint(calibration),
            "in_float": sorted(set(settings.in_float)),
            "seed": settings.seed,
            **({"wide": sorted(set(settings.wide))} if settings.wide else {}),
            **({"twice": settings.twice} if settings.twice else {}),
        }

        def make(stages: Stages, folder: Path) -> dict[str, Any]:
            keep_calibration(folder / CALIBRATION, calibration)
            layers = settings.in_float, settings.seed, settings.wide, settings.twice
            asked = Quantizing(settings.int8, settings.quantization, calibration, *layers)
            trained = load_network(network.at(self.store))
            found = to_int8(trained, self.task, asked, stages.watcher, folder / CHECKPOINT)
            if found.longer is not None:
                save_network(folder / LONGER, found.longer.cpu())
            save_network(folder / NETWORK, found.network.cpu())
            return _cost_figures(found.network) | found.figures

        return self._made(Stage("int8", made_from), f"{network.stage} in int8, {settings.int8}", make)

    def _training(self, says: str, candidate: Candidate, recipe: Recipe, seed: int) -> Part:
        """A candidate trained from its slice of the run's supernet, where that is asked for and there is one."""
        slices = slices_of(self.run, self.task) if self.asked.inherits else None
        genotype = require_lpienet(candidate.genotype)
        first = None if slices is None else slices(genotype)
        training = Training.on(self.task, Blueprint.from_genotype(genotype), recipe, seed, first)
        if not self.store.is_made(training.key):
            self.watcher.begin(says, recipe.steps)
            begin(self.store, training.stage, first)
            train_fully(self.task, _steps(self.watcher), training, self.store)
        part = Part(training.key, STRIPPED, self.store.figures(training.key))
        if "macs_in_training" in part.figures:
            left, whole = part.figures["macs"] / 1e6, part.figures["macs_in_training"] / 1e6
            self.watcher.say(f"what computes nothing is taken out: {left:.1f} of {whole:.1f} MMACs are left")
        return part

    def _made_from(self, kind: str, network: Part) -> dict[str, Any]:
        """The part of a stage's causes that all stages after the training share."""
        return {
            "network": f"{network.stage}/{network.file}",
            "trains_on": self.task.trains_on,
            "precision": self.task.device.precision,
            "method": _METHODS[kind],
        }

    def _made(self, stage: Stage, label: str, make: Callable[["Stages", Path], dict[str, Any]]) -> Part:
        """The network of a stage and its figures: as kept when it is complete, else made and kept."""
        folder = self.store.at(stage.key)
        if not self.store.is_made(stage.key):
            with Spent(folder / f"{CHECKPOINT}-spent.json") as spent:
                figures = make(replace(self, watcher=Counting(self.watcher, spent)), folder)
            self.store.keep(stage, label, figures, spent.seconds())
        return Part(stage.key, NETWORK, self.store.figures(stage.key))

    def _limit(self, pruned: Part) -> float:
        """What the control of the pruned network may cost: as much as that, or the latency that was asked for."""
        asked = self.settings.prune
        if not isinstance(asked, Fast):
            return float(pruned.figures["macs"])
        return asked.milliseconds if self.settings.prune_loss is None else float(pruned.figures["latency_ms"])

    def _cost(self) -> Callable[[Blueprint], float]:
        """What pruning makes small: a latency in ms, or MACs."""
        asked = self.settings.prune
        if not isinstance(asked, Fast):
            return lambda blueprint: macs_of(blueprint, DEFAULT_SIZE)
        measured = latency_cost(self.run.folder / "latency", asked.timing)
        return lambda blueprint: measured(blueprint).median

    def _pruned(self, trained: LPIENet) -> Pruned:
        """As far as asked: to a share of the MACs, as a loss allows, or to a latency, and then as a loss allows."""
        settings, cost = self.settings, self._cost()
        asked, loss = settings.prune, settings.prune_loss
        judge = Judge.of(self.task, derive_seed(settings.seed, 0, "pruning"))
        teacher, seed = Teacher(trained, settings.distillation), derive_seed(settings.seed, 0, "race")
        recipe = replace(settings.fine_tuning, steps=min(RACE, settings.fine_tuning.steps))

        def train(network: LPIENet) -> None:
            distill(network, teacher, self.task, seed, Course(recipe, self.task.device))

        def on_step(done: float, step: Step) -> None:
            self.watcher.at(round(100 * done), f"SSIM {step.ssim:.4f} on training patches")

        along = Along(train, on_step)
        if not isinstance(asked, Fast):
            assert asked is not None
            left = Target(asked if isinstance(asked, int) else (1 - asked) * cost(trained.blueprint))
            return prune(trained, left if loss is None else Target(lost=loss), judge, along=along)
        ranking = latency(cost, trained.blueprint)
        try:
            if loss is not None:
                pruned = prune(trained, Target(lost=loss), judge, ranking, along)
                if pruned.cost <= asked.milliseconds:
                    return pruned
            return prune(trained, Target(asked.milliseconds), judge, ranking, along)
        except OutOfReach as error:
            now = cost(trained.blueprint)
            reached = f"pruning reached {error.left * now:.3g} ms and no less, of {now:.3g} ms before"
            raise ValueError(f"{reached}; ask for more, or pick a candidate that costs less") from error

    def _prune(self, of: Part, folder: Path) -> dict[str, Any]:
        task, settings, watcher = self.task, self.settings, self.watcher
        trained, seed = load_network(of.at(self.store)), derive_seed(settings.seed, 0, "fine-tuning")
        fast = isinstance(settings.prune, Fast)
        watcher.begin("pruning", 100)
        pruned = self._pruned(trained)
        network, way = pruned.network, pruned.way
        write_json(folder / WAY, way.to_json())
        plot_way((folder / WAY).with_suffix(".png"), [(step.cost, step.ssim) for step in way.steps], way.unit)
        before = evaluate(network.to(task.device.torch), task.validation, task.device.torch)
        tested_before = evaluate(network, task.test, task.device.torch)
        watcher.at(100, f"{pruned.kept:.0%} of {'latency' if fast else 'MACs'}, SSIM {before.ssim:.4f}")
        watcher.begin("fine-tuning", settings.fine_tuning.steps)
        checkpoint = folder / f"{CHECKPOINT}.safetensors"
        course = Course(settings.fine_tuning, task.device, checkpoint, _steps(watcher))
        distill(network, Teacher(trained, settings.distillation), task, seed, course)
        after = evaluate(network.eval(), task.validation, task.device.torch)
        save_network(folder / NETWORK, network.cpu())
        figures = after.to_json() | as_test(mean_quality(score_on_test(task, folder))) | _cost_figures(network)
        return figures | {
            "method": "greedy pruning by measured loss for the cost, then fine-tuning",
            "distillation": settings.distillation,
            "kept": pruned.kept,
            **({"latency_ms": pruned.cost} if fast else {}),
            "before_fine_tuning": before.to_json() | as_test(tested_before),
        }


def figures_line(name: str, figures: Mapping[str, Any]) -> str:
    """What is said of a stage that is made."""
    quality = f"SSIM {figures['test_ssim']:.4f}, PSNR {figures['test_psnr']:.2f} dB on the test photographs"
    return f"{name}: {quality}, {figures['macs'] / 1e9:.3g} GMACs"


def _cost_figures(network: LPIENet) -> dict[str, Any]:
    blueprint = network.blueprint
    return {"macs": macs_of(blueprint, DEFAULT_SIZE), "parameters": parameters_of(blueprint)}


def _steps(watcher: Watcher) -> Callable[[int, float], None]:
    return lambda step, loss: watcher.at(step + 1, f"loss {loss:.4f}")
