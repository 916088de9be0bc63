"""Ablation: what each gene and each term of the loss is worth, one changed at a time, all trained alike.

    python benchmarks/ablation.py --data ~/photographs --out runs/ablation          # several at once share the work
    python benchmarks/ablation.py --data ~/photographs --out runs/ablation --task deblur --seeds 3
    python benchmarks/ablation.py --out runs/ablation --publish results/published/ablation/ablation.json
    python benchmarks/ablation.py --cost   # of batch normalisation, in time and memory, beside convolutions

The base is search_spaces.space.ADDITIVE. Each row is trained from scratch for --steps, with first weights and patches
of its own for each seed, and judged on the test photographs; its anatomy says what its stages are worth. Rows cost more
or fewer multiply-adds than the base: what a row is above the lines from half of the base's widths to the base, and from
there to one and a half times, stands behind its cost. Several processes with the same arguments share the work, and
what is finished is not repeated. Batch normalisation and a block without its second skip are in no genotype: see
variants.py.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from curves import Plan, claimed, curve, described, first_weights, one_thread, task_of
from nas.anatomy import worthless
from nas.task.degrade import make_noise
from nas.task.losses import Loss, weighted
from nas.task.task import Task, TaskSettings
from nas.task.training import Recipe
from results.files import read_json, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype
from search_spaces.space import ADDITIVE, scaled
from variants import cost_of_normalisation, variant_curve


@dataclass(frozen=True, slots=True)
class Row:
    """What is trained, and how it differs from the base."""

    genotype: Genotype = ADDITIVE
    loss: tuple[str, ...] = ()  # weights of terms, as --loss of a search takes them
    variant: str | None = None  # one of variants.VARIANTS


def _all_stages(**genes: object) -> Genotype:
    return replace(ADDITIVE, stages=tuple(replace(stage, **genes) for stage in ADDITIVE.stages))  # type: ignore[arg-type]


def _attention_at(*names: str) -> Genotype:
    """Both branches of attention in the stages of these names."""
    named = zip(ADDITIVE.names, ADDITIVE.stages, strict=True)
    return replace(
        ADDITIVE, stages=tuple(replace(stage, attention="both") if name in names else stage for name, stage in named)
    )


def _three_levels(**genes: object) -> Genotype:
    stages = ADDITIVE.stages
    return replace(ADDITIVE, stages=stages[:3] + stages[-2:], levels=3, **genes)  # type: ignore[arg-type]


_GENES = {
    "base": ADDITIVE,
    "widths x0.5": scaled(ADDITIVE, 0.5),
    "widths x1.5": scaled(ADDITIVE, 1.5),
    "3 levels": _three_levels(),
    "space-to-depth stem, 3 levels": _three_levels(stem="space-to-depth"),
    "concatenated skips": replace(ADDITIVE, join="concat"),
    "bilinear upsampling": replace(ADDITIVE, upsampling="bilinear"),
    "ReLU before each block": replace(ADDITIVE, opening="relu"),
    "leaky ReLU before each block": replace(ADDITIVE, opening="leaky"),
    "depthwise 5x5": replace(ADDITIVE, kernel=5),
    "plain block, expansion 1": replace(_all_stages(expansion=1.0), block="plain"),
    "released block, expansion 1": replace(_all_stages(expansion=1.0), block="released"),
    "released block": replace(ADDITIVE, block="released"),
    "paper's block": replace(ADDITIVE, block="paper"),
    "ELU": replace(ADDITIVE, activation="elu"),
    "simple gate": replace(ADDITIVE, activation="gate"),
    "gated head": replace(ADDITIVE, head="gated"),
    "attention: channel": _all_stages(attention="channel"),
    "attention: spatial": _all_stages(attention="spatial"),
    "attention: both": _all_stages(attention="both"),
    "depth 2, expansion 1": _all_stages(depth=2, expansion=1.0),
    "depth 2": _all_stages(depth=2),
    "expansion 1": _all_stages(expansion=1.0),
}
_ENCODERS = tuple(name for name in ADDITIVE.names if name.startswith("encoder"))
_DECODERS = tuple(name for name in ADDITIVE.names if name.startswith("decoder"))
_PLACES = {
    "encoders": _ENCODERS,
    "decoders": _DECODERS,
    "the first level": ("encoder1", _DECODERS[-1]),
    "the lowest level": (_ENCODERS[-1],),
}
_LOSSES = {  # beside the base's L1 + 0.1 (1 - SSIM)
    "L1 alone": ("ssim=0",),
    "SSIM 0.5": ("ssim=0.5",),
    "gradient 0.1": ("gradient=0.1",),
    "gradient 0.5": ("gradient=0.5",),
    "gradient and critic": ("gradient=0.1", "adversarial=0.005"),
    "critic": ("adversarial=0.005",),
    "spectra 0.1": ("fft=0.1",),
    "spectra 0.5": ("fft=0.5",),
}
ROWS = {
    **{name: Row(genotype) for name, genotype in _GENES.items()},
    **{f"attention: both, {place}": Row(_attention_at(*names)) for place, names in _PLACES.items()},
    **{f"loss: {name}": Row(loss=words) for name, words in _LOSSES.items()},
    "released block without second skip": Row(_GENES["released block"], variant="no second skip"),
    "batch normalisation": Row(variant="batch normalisation"),
}
_BY_WIDTH = ("widths x0.5", "base", "widths x1.5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--task", choices=("denoise", "deblur"), default="denoise")
    parser.add_argument(
        "--cost", action="store_true", help="measure a normalisation beside convolutions, train nothing"
    )
    parser.add_argument("--publish", type=Path, metavar="FILE", help="write what is there, and train nothing")
    options = parser.parse_args()
    if options.publish is not None:
        _publish(options.out, options.publish)
        return
    one_thread()
    if options.cost:
        for module, cost in cost_of_normalisation().items():
            print(f"{module:20} {cost['milliseconds']:7.3f} ms {cost['bytes'] / 1e6:6.2f} MB")
        return
    settings = TaskSettings(options.data, noise=make_noise("blend"), task=options.task)
    task = task_of(settings)
    write_json(options.out / f"data-{options.task}.json", described(task))
    for seed in range(options.seeds):
        for name in options.rows:
            _train(options.out, task, name, options.steps, seed)


def _folder(out: Path, task: str, name: str, steps: int, seed: int) -> Path:
    plain = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)
    return out / f"{task},{plain},{steps},{seed}"


def _train(out: Path, task: Task, name: str, steps: int, seed: int) -> None:
    folder, row = _folder(out, task.settings.task, name, steps, seed), ROWS[name]
    with claimed(folder) as mine:
        if not mine:
            return
        network = first_weights(Blueprint.from_genotype(row.genotype), seed)
        assert isinstance(task.settings.loss, Loss)  # none of a user's own is asked for here
        settings = replace(task.settings, loss=weighted(task.settings.loss, row.loss))
        taught, plan = replace(task, settings=settings), Plan(Recipe(steps), seed)
        if row.variant is None:
            found = curve(folder, taught, network, plan)
        else:
            found = variant_curve(folder, taught, network, plan, row.variant)
        write_json(folder / "row.json", {"row": name, "task": task.settings.task})
        print(task.settings.task, name, seed, found.get("failed") or found["test"]["ssim"], flush=True)


def _publish(out: Path, file: Path) -> None:
    """Every training, and a line a row of each task, the best first."""
    found: dict[str, Any] = {}
    for task in ("denoise", "deblur"):
        rows: dict[str, list[dict[str, Any]]] = {}
        for path in sorted(out.glob(f"{task},*/row.json")):
            rows.setdefault(read_json(path)["row"], []).append(read_json(path.with_name("curve.json")))
        if rows:
            print(task)
            _print(rows)
            found[task] = {"rows": rows, **read_json(out / f"data-{task}.json")}
    write_json(file, found)


def _print(rows: dict[str, list[dict[str, Any]]]) -> None:
    means = {name: fmean(one["test"]["ssim"] for one in done) for name, ones in rows.items() if (done := _done(ones))}
    by_width = [name for name in _BY_WIDTH if name in means]
    for name in sorted(means, key=lambda name: -means[name]):
        done = _done(rows[name])
        macs, psnr = _macs(name), fmean(one["test"]["psnr"] for one in done)
        beyond = ""
        if len(by_width) == len(_BY_WIDTH):
            two = by_width[:2] if macs < _macs("base") else by_width[1:]
            line = np.polyfit(np.log([_macs(one) for one in two]), [means[one] for one in two], 1)
            beyond = f", {means[name] - np.polyval(line, np.log(macs)):+.4f} beyond its cost"
        dead = [sentence for one in done if "anatomy" in one for sentence in worthless(one["anatomy"])]
        said = f"SSIM {means[name]:.4f}, PSNR {psnr:.2f} dB, {macs / 1e6:5.1f} MMACs{beyond}"
        print(f"{name:34} {len(done)} seeds: {said}" + (f"; {dead[0]}" if dead else ""))


def _done(trainings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in trainings if "test" in one]


def _macs(name: str) -> int:
    return macs_of(Blueprint.from_genotype(ROWS[name].genotype), DEFAULT_SIZE)


if __name__ == "__main__":
    main()
