"""Pipeline: the chosen network trained in full, pruned, and quantized; every stage saved, scored, and resumable."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compress.prune import prune
from compress.quantize import FakeQuantized, post_training_quantize
from nas.confirm import INHERITED, SCRATCH, folder_of
from nas.scoring.short import train_from_scratch
from nas.suggest import derive_seed
from nas.task.evaluation import Quality, evaluate
from nas.task.metrics import SSIM_DEFINITION
from nas.task.task import Task, calibration_images
from nas.task.training import Recipe, train
from results.candidate import Candidate
from results.files import has_network, load_network, read_json, save_network, write_json
from results.progress import Watcher
from results.run import Run
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.lpienet import LPIENet

CALIBRATION_IMAGES = 32  # training patches that int8 ranges are taken from


@dataclass(frozen=True, slots=True)
class CompressSettings:
    """What each stage may spend."""

    training: Recipe
    keep: float  # share of the MACs that pruning leaves
    fine_tuning: Recipe
    quantization: Recipe
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep = {self.keep}: must be a share of the MACs above 0, at most 1 (1: no pruning)")

    @classmethod
    def from_steps(cls, steps: int, keep: float, seed: int) -> "CompressSettings":
        """Settings of a full training of `steps`, half as many for fine-tuning and a quarter for quantization."""
        return cls(
            training=Recipe(steps),
            keep=keep,
            fine_tuning=Recipe(max(1, steps // 2)),
            quantization=Recipe(max(1, steps // 4), learning_rate=8e-4),
            seed=seed,
        )


def compress(run: Run, chosen: Candidate, task: Task, settings: CompressSettings, watcher: Watcher) -> dict[str, Any]:
    """Make the chosen candidate small; returns and stores the run's summary.

    Stages that were finished with the same choice and settings are kept as they are; a training or fine-tuning that was
    cut off continues from its checkpoint, quantization begins again. Raises Diverged when a training fails, ValueError
    when pruning cannot reach its target.
    """
    _forget_other_choices(run, chosen, settings)
    scores: dict[str, Any] = {}
    run.summarize(
        chosen=chosen.to_json(),
        input=task.input.to_json(),
        ssim_definition=SSIM_DEFINITION,
        compression=asdict(settings),
        scores=scores,
    )

    trained = _stage(run, "trained", scores, lambda: _train(run, chosen, task, settings, watcher))
    watcher.say(_line("trained", scores["trained"]))
    pruned = _stage(run, "pruned", scores, lambda: _prune(run, trained, task, settings, watcher))
    watcher.say(_line("pruned and fine-tuned", scores["pruned"]))
    _stage(run, "quantized", scores, lambda: _quantize(run, pruned, task, settings, watcher))
    watcher.say(_line(f"quantized to int8 ({scores['quantized']['method']})", scores["quantized"]))
    return run.summarize(scores=scores)


def int8_calibration(task: Task, seed: int) -> list[Tensor]:
    """The degraded training patches (1, 3, P, P) that every int8 graph of a run is calibrated on."""
    return calibration_images(task, CALIBRATION_IMAGES, derive_seed(seed, 0, "calibration"))


Made = tuple[LPIENet, dict[str, Any]]  # a stage's network and its figures


def _stage(run: Run, name: str, scores: dict[str, Any], make: Callable[[], Made]) -> LPIENet:
    """The network of a stage: as saved when it is complete, else made, saved, and entered in the summary."""
    path = run.network(name)
    figures_path = path.with_name(f"{name}-scores.json")
    if not (has_network(path) and figures_path.exists()):
        network, figures = make()
        network = network.cpu()
        save_network(path, network)
        write_json(figures_path, figures)
        for used in path.parent.glob(f"{name}-checkpoint*.safetensors"):
            used.unlink()
    scores[name] = read_json(figures_path)
    run.summarize(scores=scores)
    return load_network(path)


def _train(run: Run, chosen: Candidate, task: Task, settings: CompressSettings, watcher: Watcher) -> Made:
    for start in (INHERITED, SCRATCH):
        confirmed = folder_of(run, chosen.number, settings.training.steps, start, 0)
        if (confirmed / "quality.json").exists():  # the search has trained it fully already
            network = load_network(confirmed / "network")
            return network, _figures(network, Quality(**read_json(confirmed / "quality.json")))
    watcher.begin("full training", settings.training.steps)
    folder = run.folder / "networks" / "training"
    blueprint = Blueprint.from_genotype(chosen.genotype)
    seed = derive_seed(settings.seed, chosen.number, "full training")
    network, quality = train_from_scratch(blueprint, task, settings.training, seed, folder, _steps(watcher))
    return network, _figures(network, quality)


def _prune(run: Run, trained: LPIENet, task: Task, settings: CompressSettings, watcher: Watcher) -> Made:
    if settings.keep == 1:
        figures = _figures(trained, evaluate(trained.to(task.device.torch), task.validation, task.device.torch))
        return trained, figures | {"method": "not pruned"}
    seed = derive_seed(settings.seed, 0, "fine-tuning")
    watcher.begin("pruning", 1)
    pruned = prune(trained, settings.keep, _gradients(task, seed))
    network = pruned.network
    before = evaluate(network.to(task.device.torch), task.validation, task.device.torch)
    watcher.at(1, f"{pruned.kept:.0%} of MACs, SSIM {before.ssim:.4f}")
    watcher.begin("fine-tuning", settings.fine_tuning.steps)
    checkpoint = run.network("pruned-checkpoint").with_suffix(".safetensors")
    train(network, task.batches(seed), task.loss, settings.fine_tuning, task.device, checkpoint, _steps(watcher))
    after = evaluate(network.eval(), task.validation, task.device.torch)
    return network, _figures(network, after) | {
        "method": "global isomorphic channel pruning, first-order Taylor importance, then fine-tuning",
        "kept_macs": pruned.kept,
        "before_fine_tuning": before.to_json(),
    }


def _quantize(run: Run, pruned: LPIENet, task: Task, settings: CompressSettings, watcher: Watcher) -> Made:
    """Both ways to int8 from the same float network; the better one by SSIM is kept."""
    recipe = settings.quantization
    watcher.begin("quantization", 1)
    post_training = _int8_quality(pruned, task, settings.seed)
    watcher.at(1, f"after training: SSIM {post_training.ssim:.4f}")
    watcher.begin("quantization-aware", recipe.steps)
    fake = FakeQuantized(pruned)
    step_done = _steps(watcher)

    def on_step(step: int, loss: float) -> None:
        if step + 1 == recipe.steps * 2 // 3:
            fake.freeze_ranges()
        step_done(step, loss)

    train(
        fake, task.batches(derive_seed(settings.seed, 0, "quantization")), task.loss, recipe, task.device, None, on_step
    )
    aware_network = fake.float_network().cpu().eval()
    aware = _int8_quality(aware_network, task, settings.seed)
    kept, quality, method = (
        (aware_network, aware, "quantization-aware training")
        if aware.ssim > post_training.ssim
        else (pruned, post_training, "post-training quantization")
    )
    return kept, _figures(kept, quality) | {
        "method": method,
        "post_training": post_training.to_json(),
        "quantization_aware": aware.to_json(),
    }


def _int8_quality(network: LPIENet, task: Task, seed: int) -> Quality:
    graph = post_training_quantize(network.cpu(), int8_calibration(task, seed))  # the same graph as in the export
    return evaluate(graph, task.validation, torch.device("cpu"))


def _gradients(task: Task, seed: int) -> Callable[[nn.Module], None]:
    """Leaves the gradient of the loss over a few batches in the parameters, for Taylor importance."""
    batch = task.batches(seed)

    def accumulate(network: nn.Module) -> None:
        network.zero_grad()
        for step in range(4):
            degraded, clean = batch(step)
            task.loss(network.to(degraded.device)(degraded), clean).backward()  # type: ignore[no-untyped-call]

    return accumulate


def _forget_other_choices(run: Run, chosen: Candidate, settings: CompressSettings) -> None:
    """Remove the stages that were made for another candidate or with other settings."""
    path = run.folder / "networks" / "made-for.json"
    wanted = {"candidate": chosen.number, "genotype": chosen.genotype.to_json(), "settings": asdict(settings)}
    if path.exists() and read_json(path) == wanted:
        return
    if path.parent.exists():
        for old in [*path.parent.rglob("*.json"), *path.parent.rglob("*.safetensors")]:
            old.unlink()
    write_json(path, wanted)


def _figures(network: LPIENet, quality: Quality) -> dict[str, Any]:
    cost = cost_of(network.blueprint)
    return quality.to_json() | {"macs": cost.macs, "parameters": cost.parameters}


def _line(name: str, figures: dict[str, Any]) -> str:
    return f"{name}: SSIM {figures['ssim']:.4f}, PSNR {figures['psnr']:.2f} dB, {figures['macs'] / 1e9:.3g} GMACs"


def _steps(watcher: Watcher) -> Callable[[int, float], None]:
    return lambda step, loss: watcher.at(step + 1, f"loss {loss:.4f}")
