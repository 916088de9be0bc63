"""Pipeline: the chosen network trained in full, pruned, and quantized; every stage saved, scored, and resumable."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from compress.bench.latency import latency_cost
from compress.control import cheaper, equal_steps
from compress.int8.calibration import int8_calibration, keep_calibration, kept_calibration
from compress.int8.quantize import layers_of
from compress.int8.ways import AUTO, to_int8
from compress.prune.cost import MACS, latency
from compress.prune.distill import distill
from compress.prune.judge import Judge
from compress.prune.prune import OutOfReach, Target, prune
from compress.settings import CompressSettings, Fast
from nas.confirm import INHERITED, SCRATCH, folder_of
from nas.dead import lightened
from nas.scoring.full import kept_anatomy
from nas.scoring.short import train_from
from nas.search import slices_of
from nas.suggest import derive_seed
from nas.task.evaluation import Quality, as_test, evaluate
from nas.task.metrics import SSIM_DEFINITION
from nas.task.task import Task
from nas.task.training import Diverged, Recipe
from results.candidate import Candidate
from results.files import has_network, load_network, read_json, remove, save_network, write_json
from results.plots import plot_way
from results.progress import Watcher
from results.run import Run
from results.study import REFERENCE_NUMBER
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.lpienet import LPIENet

_QUALITY = ("ssim", "psnr", "test_ssim", "test_psnr")


def compress(run: Run, chosen: Candidate, task: Task, settings: CompressSettings, watcher: Watcher) -> dict[str, Any]:
    """Make the chosen candidate small; returns and stores the run's summary.

    Every figure that chooses is of the validation photographs (`ssim`, `psnr`); beside it stands that of the test
    photographs (`test_ssim`, `test_psnr`), which is what a network is said to be worth.
    Beside the pruned network stands its control: the best one of the search that costs no more, trained for as much
    computing. The better of the two by SSIM on the validation photographs goes on to int8, as `float`; where the float
    training that stands beside quantization-aware training makes it better still, `float` is what that made. Stages
    that an earlier call finished are kept, as far as the choice and the settings that they follow from are the same:
    another way to int8 does not train, prune or fine-tune again. One that was cut off continues from its checkpoints.
    Raises Diverged when a training fails, ValueError when pruning cannot reach its target and for a layer that the
    candidate does not have, DataError for photographs to calibrate on that cannot be used.
    """
    known = layers_of(Blueprint.from_genotype(chosen.genotype))
    for layer in settings.in_float:
        if layer not in known and settings.in_float != (AUTO,):
            raise ValueError(f"in_float = {layer}: candidate {chosen.number} has {', '.join(known)}")
    folder = None if settings.calibration is None else Path(settings.calibration)
    calibration = int8_calibration(task, settings.seed, folder)
    keep = None if settings.prune is None else _share_kept(run, chosen, settings.prune, watcher)
    _forget_stale(run, chosen, settings)
    scores: dict[str, Any] = {}
    run.summarize(
        chosen=chosen.to_json(),
        input=task.input.to_json(),
        test_input=task.test_input.to_json(),
        ssim_definition=SSIM_DEFINITION,
        compression=asdict(settings),
        scores=scores,
    )

    network = _stage(run, "trained", scores, lambda: _train(run, chosen, task, settings, watcher))
    watcher.say(_line("trained", scores["trained"]))
    kept = "trained"
    if keep is not None:
        trained = network
        network = _stage(run, "pruned", scores, lambda: _prune(run, trained, keep, task, settings, watcher))
        kept = "pruned"
        watcher.say(_line("pruned and fine-tuned", scores["pruned"]))
        control = _stage_of_control(run, scores, task, settings, watcher)
        if control is not None and scores["control"]["ssim"] > scores["pruned"]["ssim"]:
            network, kept = control, "control"
            watcher.say("pruning does not beat the control, which is kept")
    float_network = network
    figures = {"made_by": kept} | {name: scores[kept][name] for name in (*_QUALITY, "macs", "parameters")}
    _stage(run, "float", scores, lambda: (float_network, figures))
    if settings.int8 != "float":
        _stage(run, "quantized", scores, lambda: _quantize(run, float_network, calibration, task, settings, watcher))
        _prefer_longer(run, scores)
        if "method" in scores["float"]:
            watcher.say(_line(f"float: {scores['float']['method']}", scores["float"]))
        watcher.say(_line(f"quantized to int8 ({scores['quantized']['method']})", scores["quantized"]))
    record = run.network("float-anatomy").with_suffix(".json")
    looked_into = kept_anatomy(run.network("float"), record, f"float ({scores['float']['made_by']})", task, watcher)
    return run.summarize(scores=scores, anatomy=looked_into)


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
        for used in path.parent.glob(f"{name}-checkpoint*"):
            used.unlink()
    scores[name] = read_json(figures_path)
    run.summarize(scores=scores)
    return load_network(path)


def _train(run: Run, chosen: Candidate, task: Task, settings: CompressSettings, watcher: Watcher) -> Made:
    for start in (INHERITED, SCRATCH):
        confirmed = folder_of(run, chosen.number, settings.training.steps, start, 0)
        if (confirmed / "quality.json").exists():  # the search has trained it fully already
            network = load_network(confirmed / "network")
            quality = Quality(**read_json(confirmed / "quality.json"))
            return _without_dead(network, quality, task, watcher, start)
    watcher.begin("full training", settings.training.steps)
    folder = run.network("trained-training")
    seed = derive_seed(settings.seed, chosen.number, "full training")
    inherits = chosen.number != REFERENCE_NUMBER
    return _trained(run, chosen, task, settings.training, seed, folder, inherits, watcher)


def _trained(
    run: Run,
    candidate: Candidate,
    task: Task,
    recipe: Recipe,
    seed: int,
    folder: Path,
    inherits: bool,
    watcher: Watcher,
) -> Made:
    """A candidate trained from its slice of the run's supernet, where `inherits` and there is one, or from scratch."""
    slices = slices_of(run, task) if inherits else None
    first = None if slices is None else slices(candidate.genotype).state_dict()
    blueprint = Blueprint.from_genotype(candidate.genotype)
    network, quality = train_from(first, blueprint, task, recipe, seed, folder, _steps(watcher))
    return _without_dead(network, quality, task, watcher, SCRATCH if first is None else INHERITED)


def _without_dead(network: LPIENet, quality: Quality, task: Task, watcher: Watcher, start: str) -> Made:
    """The trained network without what computes nothing; its output, and so its quality, is the same."""
    left = lightened(network, task)
    figures = _figures(left.network, quality, task) | {"start": start}
    if not left.removed:
        return left.network, figures
    macs = macs_of(network.blueprint, DEFAULT_SIZE)
    watcher.say(f"what computes nothing is taken out: {figures['macs'] / 1e6:.1f} of {macs / 1e6:.1f} MMACs are left")
    return left.network, figures | {"macs_in_training": macs, "dead": left.to_json()}


def _share_kept(run: Run, chosen: Candidate, asked: float | Fast, watcher: Watcher) -> float:
    """The share of its cost that pruning keeps of a candidate."""
    if not isinstance(asked, Fast):
        return 1 - asked
    now = _cost(run, asked)(Blueprint.from_genotype(chosen.genotype))
    where = f"{asked.runtime}-{asked.precision} at {asked.size[0]}x{asked.size[1]}, one thread"
    watcher.say(f"candidate {chosen.number} takes {now:.3g} ms ({where})")
    if now <= asked.milliseconds:
        raise ValueError(
            f"the network takes {now:.3g} ms, which is {asked.milliseconds:g} ms or less already; "
            "ask for fewer, or --prune off"
        )
    return asked.milliseconds / now


def _cost(run: Run, asked: float | Fast | None) -> Callable[[Blueprint], float]:
    """What pruning makes small: a latency in ms, or MACs."""
    if not isinstance(asked, Fast):
        return lambda blueprint: macs_of(blueprint, DEFAULT_SIZE)
    measured = latency_cost(run.folder / "latency", asked.runtime, asked.precision, asked.size)
    return lambda blueprint: measured(blueprint).median


def _prune(run: Run, trained: LPIENet, keep: float, task: Task, settings: CompressSettings, watcher: Watcher) -> Made:
    seed, asked = derive_seed(settings.seed, 0, "fine-tuning"), settings.prune
    watcher.begin("pruning", 1)
    cost, fast = _cost(run, asked), isinstance(asked, Fast)
    now = cost(trained.blueprint)
    if isinstance(asked, Fast):  # without its dead channels the network takes less than the candidate did
        keep = asked.milliseconds / now
    try:
        judge = Judge.of(task, derive_seed(settings.seed, 0, "pruning"))
        ranking = latency(cost, trained.blueprint) if fast else MACS
        goal = Target(keep * now) if settings.prune_loss is None else Target(lost=settings.prune_loss)
        pruned = prune(trained, goal, judge, ranking)
    except OutOfReach as error:
        if not fast:
            raise
        reached = f"pruning reached {error.left * now:.3g} ms and no less, of {now:.3g} ms before"
        raise ValueError(f"{reached}; ask for more, or pick a candidate that costs less") from error
    network, way = pruned.network, run.network("pruned-way").with_suffix(".json")
    write_json(way, pruned.way.to_json())
    plot_way(way.with_suffix(".png"), [(step.cost, step.ssim) for step in pruned.way.steps], pruned.way.unit)
    before = evaluate(network.to(task.device.torch), task.validation, task.device.torch)
    tested_before = evaluate(network, task.test, task.device.torch)
    watcher.at(1, f"{pruned.kept:.0%} of {'latency' if fast else 'MACs'}, SSIM {before.ssim:.4f}")
    watcher.begin("fine-tuning", settings.fine_tuning.steps)
    checkpoint = run.network("pruned-checkpoint").with_suffix(".safetensors")
    distill(network, trained, settings.distillation, task, settings.fine_tuning, seed, checkpoint, _steps(watcher))
    after = evaluate(network.eval(), task.validation, task.device.torch)
    return network, _figures(network, after, task) | {
        "method": "greedy pruning by measured loss for the cost, then fine-tuning",
        "distillation": settings.distillation,
        "kept": pruned.kept,
        **({"latency_ms": pruned.cost} if fast else {}),
        "before_fine_tuning": before.to_json() | as_test(tested_before),
    }


def _stage_of_control(
    run: Run, scores: dict[str, Any], task: Task, settings: CompressSettings, watcher: Watcher
) -> LPIENet | None:
    """The trained control of the pruned network; None, and said why, where there is none."""
    rival = cheaper(run, scores["pruned"]["macs"])
    if rival is None:
        watcher.say("control: the search has no network that costs as little as the pruned one")
        return None
    steps = equal_steps(scores, settings, rival)
    inherits = scores["trained"]["start"] == INHERITED  # then so does the control
    try:
        control = _stage(run, "control", scores, lambda: _control(run, rival, steps, inherits, task, settings, watcher))
    except Diverged as error:
        watcher.say(f"control: candidate {rival.number} could not be trained: {error}")
        return None
    made = f"control: candidate {rival.number}, trained for as much computing from {scores['control']['start']}"
    watcher.say(_line(made, scores["control"]))
    return control


def _control(
    run: Run, rival: Candidate, steps: int, inherits: bool, task: Task, settings: CompressSettings, watcher: Watcher
) -> Made:
    watcher.begin("training of the control", steps)
    seed = derive_seed(settings.seed, rival.number, "control")
    folder = run.network("control-training")
    recipe = replace(settings.training, steps=steps)
    network, figures = _trained(run, rival, task, recipe, seed, folder, inherits, watcher)
    return network, figures | {"candidate": rival.number, "steps": steps}


def _quantize(
    run: Run,
    network: LPIENet,
    calibration: Sequence[Tensor],
    task: Task,
    settings: CompressSettings,
    watcher: Watcher,
) -> Made:
    calibration = kept_calibration(run) or calibration  # of a call that was cut off, which went by those
    keep_calibration(run, calibration)
    way, recipe, checkpoints = settings.int8, settings.quantization, run.network("quantized-checkpoint")
    made = to_int8(network, task, way, recipe, calibration, settings.in_float, settings.seed, watcher, checkpoints)
    if made.longer is not None:
        save_network(_longer(run), made.longer.cpu())
    return made.network, _cost_figures(made.network) | made.figures


def _longer(run: Run) -> Path:
    return run.network("quantized-as-long-in-float")


def _prefer_longer(run: Run, scores: dict[str, Any]) -> None:
    """The network that was trained in float for as long as in int8 becomes the float network, if it is the better."""
    longer = scores["quantized"].get("float_fine_tuned", {}).get("float")
    if longer is None or longer["ssim"] <= scores["float"]["ssim"]:
        return
    figures = scores["float"] | longer
    figures["method"] = f"the {figures['made_by']} network after a longer float training"
    remove(run.network("float").with_name("float-scores.json"))  # so that the stage is made again
    _stage(run, "float", scores, lambda: (load_network(_longer(run)), figures))


def _forget_stale(run: Run, chosen: Candidate, settings: CompressSettings) -> None:
    """Remove the stages that were made from something else than they would be now."""
    path = run.network("made-for").with_suffix(".json")
    wanted = json.loads(json.dumps(_made_from(chosen, settings)))  # as it is read again: a tuple becomes a list
    made = read_json(path) if path.exists() else {}
    for stage, origin in wanted.items():
        if made.get(stage) != origin:
            for old in [*path.parent.glob(f"{stage}.*"), *path.parent.glob(f"{stage}-*")]:
                remove(old)
    if made != wanted:
        write_json(path, wanted)


def _made_from(chosen: Candidate, settings: CompressSettings) -> dict[str, dict[str, Any]]:
    """What each stage follows from."""
    every = asdict(settings)
    trained = {"candidate": chosen.number, "genotype": chosen.genotype.to_json()}
    trained |= {name: every.pop(name) for name in ("training", "seed")}
    pruned = trained | {name: every.pop(name) for name in ("prune", "prune_loss", "fine_tuning", "distillation")}
    return {
        "trained": trained,
        "pruned": pruned,
        "control": pruned,
        "float": pruned | every,
        "quantized": pruned | every,
    }


def _figures(network: LPIENet, quality: Quality, task: Task) -> dict[str, Any]:
    test = evaluate(network.to(task.device.torch), task.test, task.device.torch)
    return quality.to_json() | as_test(test) | _cost_figures(network)


def _cost_figures(network: LPIENet) -> dict[str, Any]:
    blueprint = network.blueprint
    return {"macs": macs_of(blueprint, DEFAULT_SIZE), "parameters": parameters_of(blueprint)}


def _line(name: str, figures: dict[str, Any]) -> str:
    quality = f"SSIM {figures['test_ssim']:.4f}, PSNR {figures['test_psnr']:.2f} dB on the test photographs"
    return f"{name}: {quality}, {figures['macs'] / 1e9:.3g} GMACs"


def _steps(watcher: Watcher) -> Callable[[int, float], None]:
    return lambda step, loss: watcher.at(step + 1, f"loss {loss:.4f}")
