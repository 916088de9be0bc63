"""Pipeline: the chosen network trained in full, pruned, and quantized; every stage kept by what it was made from."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compress.asked import Asked
from compress.int8.calibration import int8_calibration
from compress.stages import CONTROL, LONGER, PRUNED, TRAINED, Part, Stages, figures_line
from nas.scoring.full import kept_anatomy
from nas.task.metrics import SSIM_DEFINITION
from nas.task.task import Task
from results import compressions
from results.compressions import FLOAT, INT8, WAY, Compression
from results.progress import Watcher
from results.run import Run

_QUALITY = ("ssim", "psnr", "test_ssim", "test_psnr")


def compress(run: Run, asked: Asked, task: Task, watcher: Watcher, name: str | None = None) -> Compression:
    """Make the chosen candidate small; writes down the compression and returns it, under `name` or its key.

    Every figure that chooses is of the validation photographs (`ssim`, `psnr`); beside it stands that of the test
    photographs (`test_ssim`, `test_psnr`), which is what a network is said to be worth.
    Beside the pruned network stands its control: the best one of the search that costs no more, trained for as much
    computing, and a verdict by the test photographs, whether the difference may be chance. The better of the two by
    SSIM on the validation photographs goes on to int8, as `float`; where the float
    training that stands beside quantization-aware training makes it better still, `float` is what that made. A stage
    that was made from the same already, by a search or another compression, is taken as it is; one that was cut off
    continues from its checkpoints. Raises Diverged when a training fails, ValueError when pruning cannot reach its
    target, for a layer that the candidate does not have, and for a name that another compression has, DataError for
    photographs to calibrate on that cannot be used.
    """
    stages = Stages(run, asked, task, watcher)
    name = name or asked.key
    compressions.require_free(run, name, asked.key)
    stages.require_layers()
    calibration = int8_calibration(task, asked.settings.seed, asked.settings.calibration)
    stages.require_slow()
    made = {TRAINED: stages.trained()}
    watcher.say(figures_line("trained", made[TRAINED].figures))
    kept = TRAINED
    if asked.settings.prune is not None:
        made[PRUNED] = stages.pruned(made[TRAINED])
        kept = PRUNED
        watcher.say(figures_line("pruned and fine-tuned", made[PRUNED].figures))
        drawn = (made[PRUNED].at(stages.store).parent / WAY).with_suffix(".png")
        watcher.say(f"SSIM over cost after every move: {drawn}; --prune and --prune-loss ask for any point of it")
        control = stages.control(made)
        if control is not None:
            made[CONTROL] = control
            if control.figures["ssim"] > made[PRUNED].figures["ssim"]:
                kept = CONTROL
                watcher.say("pruning does not beat the control, which is kept")
    figures = {name: made[kept].figures[name] for name in (*_QUALITY, "macs", "parameters")}
    made[FLOAT] = replace(made[kept], figures={"made_by": kept} | figures)
    if asked.settings.int8 != "float":
        quantized = stages.quantized(made[FLOAT], calibration)
        made[FLOAT] = _the_longer_if_better(made[FLOAT], quantized)
        made[INT8] = quantized
        if "method" in made[FLOAT].figures:
            watcher.say(figures_line(f"float: {made[FLOAT].figures['method']}", made[FLOAT].figures))
        watcher.say(figures_line(f"quantized to int8 ({quantized.figures['method']})", quantized.figures))
    at = made[FLOAT].at(stages.store)
    record = at.with_name(f"{at.name}-anatomy.json")
    looked_into = kept_anatomy(at, record, f"float ({made[FLOAT].figures['made_by']})", task, watcher)
    return compressions.keep(run, name, _record(asked, task, made) | {"anatomy": looked_into})


def _the_longer_if_better(network: Part, quantized: Part) -> Part:
    """The network that was trained in float for as long as in int8 becomes the float network, if it is the better."""
    longer = quantized.figures.get("float_fine_tuned", {}).get("float")
    if longer is None or longer["ssim"] <= network.figures["ssim"]:
        return network
    method = f"the {network.figures['made_by']} network after a longer float training"
    return Part(quantized.stage, LONGER, network.figures | longer | {"method": method})


def _record(asked: Asked, task: Task, made: Mapping[str, Part]) -> dict[str, Any]:
    """What is written down of a compression."""
    return {
        "key": asked.key,
        "made_from": asked.made_from,
        "chosen": asked.chosen.to_json(),
        "input": task.input.to_json(),
        "test_input": task.test_input.to_json(),
        "ssim_definition": SSIM_DEFINITION,
        "networks": {name: {"stage": part.stage, "file": part.file} for name, part in made.items()},
        "scores": {name: part.figures for name, part in made.items()},
    }
