"""Pruning: what a network is worth after 15, 30 and 50 % of its multiply-adds went, by each way to choose what goes.

    python benchmarks/pruning.py --data DIR --out runs/pruning              # several at once share the work
    python benchmarks/pruning.py --data DIR --out runs/pruning --networks 0018 --shares 0.3 --ways measured narrow
    python benchmarks/pruning.py --out runs/pruning --publish results/published/pruning/pruning.json

Networks are those of results/published/gp (their names), or paths. Every cell of the table has a folder of its own
in --out, is kept as soon as it is made, and continues where it was cut off. What is pruned and not trained again comes
first, then fine-tuning with distillation for --steps, beginning with 30 % of networks 18 and 19.

Ways that prune: `measured`, as `compress` does it; `rounds`, as versions before 2026-11-26 did (benchmarks/rounds.py);
`magnitude` and `taylor`, the same moves of channels ranked without being measured (benchmarks/ranked.py); `same`, as
`measured` by the same 16 patches for all moves and without races, as versions before 2026-11-27 did; `zeros`, the same
where nothing tells of the channels that go; `stretches`, as `measured` with a fifth of --steps after each tenth of the
cost, and as many steps in all. Ways that do not: `nothing`, which fine-tunes the whole network; and two controls for as
much computing as training, pruning and fine-tuning took, from first weights: `narrow`, the whole network with fewer
channels everywhere, and `scratch`, the one that `measured` left.
"""

import argparse
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from compress.prune.cost import MACS
from compress.prune.distill import Teacher, distill
from compress.prune.judge import Judge
from compress.prune.prune import RACE, Along, Target, prune
from compress.settings import CompressSettings
from curves import Plan, claimed, curve, described, first_weights, one_thread, task_of
from nas.suggest import derive_seed
from nas.task.degrade import make_noise
from nas.task.evaluation import evaluate, evaluate_each, mean_quality
from nas.task.task import Task, TaskSettings
from nas.task.training import Course, Recipe
from ranked import RANKED, Same, Zeros, by_rank
from results.files import has_network, load_network, read_json, save_network, write_json
from results.verdict import judge as verdict_of
from rounds import by_rounds
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import LPIENet

PUBLISHED = Path("results/published/gp/networks")
NETWORKS = ("0018", "0019", "0017", "0000")  # of the front, and LPIENet with its gated head
FIRST = ("0018", "0019")  # whose fine-tuning comes before all other
SHARES = (0.3, 0.15, 0.5)
PRUNE = ("measured", "rounds", "magnitude", "taylor")  # the ways of the table
CONTROLS = ("narrow", "scratch")
FURTHER = ("same", "stretches", "zeros")
JUDGES = {"same": Same, "zeros": Zeros}  # in place of that of `measured`
STRETCH = 0.1  # of the whole cost, between two short fine-tunings of `stretches`
ABOUT = 0.25  # by so much of its cost may a network of the front differ that stands beside a pruned one
TRAINED_FOR = 12000  # steps that made the networks of results/published/gp
RATE = CompressSettings.of_steps(TRAINED_FOR).fine_tuning.peak
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of the table."""

    network: Path
    share: float  # of the MACs, to be removed
    way: str
    steps: int  # of fine-tuning; 0: none
    seed: int = 0  # of fine-tuning and controls, and of the patches that rank

    @property
    def name(self) -> str:
        """Of the network; of one in a run, that of its folder."""
        return (self.network.parent if self.network.name == "network" else self.network).name

    @property
    def key(self) -> str:
        return f"{self.name}-{self.share:g}-{self.way}-{self.steps}-{self.seed}"

    @property
    def before(self) -> "Cell":
        """The same without fine-tuning."""
        return replace(self, steps=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--data", help="folder of photographs; default: the samples")
    parser.add_argument("--out", type=Path, default=Path("runs/pruning"))
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    every = (*PRUNE, "nothing", *CONTROLS, *FURTHER)
    parser.add_argument("--ways", nargs="+", choices=every, default=(*PRUNE, "nothing", *CONTROLS))
    parser.add_argument("--steps", type=int, default=6000, help="of fine-tuning; 0: none")
    parser.add_argument(
        "--rate", type=float, default=RATE, help="peak learning rate of fine-tuning (default: %(default)s)"
    )
    parser.add_argument(
        "--trained-for", type=int, default=TRAINED_FOR, metavar="N", help="steps that made the networks (%(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true", help="train with bfloat16 arithmetic, judge without")
    says = "write what is there beside the rows that FILE has of the same photographs, and prune nothing"
    parser.add_argument("--publish", type=Path, metavar="FILE", help=says)
    options = parser.parse_args()
    cells = list(_plan(options))
    if options.publish is None:
        one_thread()
        settings = TaskSettings(options.data, noise=make_noise("blend"))
        task = task_of(settings, options.bfloat16)
        write_json(options.out / "data.json", described(task))
        table = Table(options.out, task, options.trained_for, options.rate)
        for cell in cells:
            try:
                table.fill(cell)
            except ValueError as error:  # a way that cannot reach its share leaves a cell that is missing
                print(f"{cell.key}: {error}", flush=True)
        return
    data = read_json(options.out / "data.json")
    rows = _published(options.publish, data)
    rows |= {cell.key: read_json(file) for cell in cells if (file := _figures(options.out, cell)).exists()}
    found = {"rows": rows, "missing": [cell.key for cell in cells if cell.key not in rows]}
    write_json(options.publish, found | {"verdicts": _verdicts(rows)} | data)
    print(f"{len(rows)} cells in {options.publish}, {len(found['missing'])} of {len(cells)} missing")


def _plan(options: Any) -> Iterator[Cell]:
    """Every cell that is asked for, once: the cheap and the important ones first."""
    networks = [Path(name) if "/" in name else PUBLISHED / name for name in options.networks]
    large = [path for path in networks if path.name == NETWORKS[-1]]
    small = [path for path in networks if path not in large]
    first = [path for path in small if path.name in FIRST] or small[:1]
    foremost, steps = options.shares[:1], options.steps
    controls = [way for way in ("nothing", *CONTROLS) if way in options.ways]
    prune_by = [way for way in options.ways if way not in controls]

    def cells(ways: Sequence[str], of: Sequence[Path], shares: Sequence[float], steps: int = 0) -> Iterator[Cell]:
        some = ((share, way, path) for share in shares for way in ways for path in of)
        return (Cell(path, foremost[0] if way == "nothing" else share, way, steps) for share, way, path in some)

    def without(of: Sequence[Path], shares: Sequence[float]) -> Iterator[Cell]:
        ways = [way for way in (*prune_by, "nothing") if way != "stretches"]
        return (cell for path in of for cell in cells(ways, [path], shares))

    plan = [without(small, foremost)]
    plan += [cells(ways, first, foremost, steps) for ways in (prune_by[:1], controls[:2], prune_by[1:])]
    plan += [without(small, options.shares), without(large, foremost)]
    plan += [cells(prune_by[:1] + controls[:1], networks, foremost, steps)]
    plan += [cells(prune_by + controls, small, options.shares, steps), without(large, options.shares)]
    plan += [cells(prune_by + controls, large, options.shares, steps)]
    once = dict.fromkeys(chain.from_iterable(plan))
    found = [cell for cell in once if (cell.steps or cell.way not in CONTROLS) and (steps or not cell.steps)]
    yield from found
    drawn = [cell for cell in found if cell.steps or cell.way not in ("nothing", "rounds")]  # whose seed counts
    yield from (replace(cell, seed=seed) for seed in range(1, options.seeds) for cell in drawn)


def _published(path: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of `path` that were measured on the same photographs, so that what another --out made is kept."""
    there = read_json(path) if path.exists() else {}
    same = all(there.get(name) == value for name, value in data.items())
    return dict(there["rows"]) if there and same else {}


def _folder(out: Path, cell: Cell) -> Path:
    return out / cell.key


def _figures(out: Path, cell: Cell) -> Path:
    return _folder(out, cell) / "row.json"


@dataclass(frozen=True, slots=True)
class Table:
    """Where cells are kept, and what they are made with."""

    out: Path
    task: Task
    trained_for: int  # steps that made the networks
    rate: float  # peak of fine-tuning

    def fill(self, cell: Cell) -> None:
        """Make one cell, unless it is there or another process makes it; what it is made from is made first."""
        with claimed(_folder(self.out, cell)) as mine:
            if not mine or _figures(self.out, cell).exists():
                return
            begun = time.process_time()
            whole, row = load_network(cell.network), self._described(cell)
            network = self._trained(cell, whole, row) if cell.steps else self._pruned(cell, whole, row)
            if network is None:
                return
            row["macs"] = MACS.of(network.blueprint)
            row["kept"] = row["macs"] / MACS.of(whole.blueprint)
            row["seconds"] = time.process_time() - begun
            row["validation"] = evaluate(network, self.task.validation, CPU).to_json()
            scores = evaluate_each(network, self.task.test, CPU)
            photographs = [{"name": score.name, "ssim": score.ssim, "psnr": score.psnr} for score in scores]
            row["test"] = mean_quality(scores).to_json() | {"photographs": photographs}
            save_network(_folder(self.out, cell) / "network", network)
            write_json(_figures(self.out, cell), row)
            print(f"{cell.key}: {said(row)}", flush=True)

    def _described(self, cell: Cell) -> dict[str, Any]:
        row = {"network": cell.name, "share": cell.share, "way": cell.way, "seed": cell.seed}
        if cell.steps:
            row |= {"steps": cell.steps, "rate": self.rate, "bfloat16": self.task.device.bfloat16}
        return row

    def _pruned(self, cell: Cell, whole: LPIENet, row: dict[str, Any]) -> LPIENet:
        target = (1 - cell.share) * MACS.of(whole.blueprint)
        judge = Judge.of(self.task, derive_seed(cell.seed, 0, "pruning"))
        if cell.way == "nothing":
            return whole
        if cell.way == "rounds":
            return by_rounds(whole, 1 - cell.share, judge)
        if cell.way in RANKED:
            return by_rank(whole, target, judge, cell.way)
        if cell.way in JUDGES:
            done = prune(whole, Target(target), JUDGES[cell.way](judge.ranking, judge.watching, judge.loss))
        else:
            done = prune(whole, Target(target), judge, along=self._races(whole, cell.seed))
        row["way down"] = done.way.to_json()
        return done.network

    def _races(self, whole: LPIENet, seed: int) -> Along:
        """How `compress` settles whether a large part goes."""
        seed, course = derive_seed(seed, 0, "race"), Course(Recipe(RACE, self.rate), self.task.device)
        return Along(lambda network: distill(network, Teacher(whole, 1.0), self.task, seed, course))

    def _trained(self, cell: Cell, whole: LPIENet, row: dict[str, Any]) -> LPIENet | None:
        """The network of a cell with fine-tuning, or a control; None while what it is made from is being made."""
        if cell.way == "narrow":
            return self._control(cell, narrowed(whole.blueprint, 1 - cell.share), whole, row)
        if cell.way == "stretches":
            return self._in_stretches(cell, whole, row)
        source = cell.before if cell.way != "scratch" else replace(cell.before, way="measured")
        self.fill(source)
        if not has_network(_folder(self.out, source) / "network"):
            return None
        network = load_network(_folder(self.out, source) / "network")
        if cell.way == "scratch":
            return self._control(cell, network.blueprint, whole, row)
        checkpoint = _folder(self.out, cell) / "checkpoint.safetensors"
        recipe, seed = Recipe(cell.steps, self.rate), derive_seed(cell.seed, 0, "fine-tuning")
        distill(network, Teacher(whole, 1.0), self.task, seed, Course(recipe, self.task.device, checkpoint))
        checkpoint.unlink(missing_ok=True)
        return network.eval()

    def _control(self, cell: Cell, blueprint: Blueprint, whole: LPIENet, row: dict[str, Any]) -> LPIENet:
        """A network from first weights, for as much computing as the pruned one took, the training of `whole` too."""
        macs = MACS.of(blueprint)
        steps = round((self.trained_for * MACS.of(whole.blueprint) + cell.steps * macs) / macs)
        seed, folder = 1000 * int(cell.share * 100) + cell.seed, _folder(self.out, cell) / "training"
        row["steps"], row["rate"] = steps, Recipe(steps).peak
        row["curve"] = curve(folder, self.task, first_weights(blueprint, seed), Plan(Recipe(steps), seed))["curve"]
        return load_network(folder / "network")

    def _in_stretches(self, cell: Cell, whole: LPIENet, row: dict[str, Any]) -> LPIENet:
        judge, macs = Judge.of(self.task, derive_seed(cell.seed, 0, "pruning")), MACS.of(whole.blueprint)
        stretches = math.ceil(cell.share / STRETCH - 1e-9)
        steps = [cell.steps // 5] * (stretches - 1)
        steps.append(max(1, cell.steps - sum(steps)))
        network, row["steps before"] = whole, sum(steps[:-1])
        for number, some in enumerate(steps, start=1):
            target = Target((1 - min(number * STRETCH, cell.share)) * macs)
            network = prune(network, target, judge, along=self._races(whole, cell.seed)).network
            seed = derive_seed(cell.seed, number, "stretch")
            distill(network, Teacher(whole, 1.0), self.task, seed, Course(Recipe(some, self.rate), self.task.device))
            network = network.eval()
        return network


def narrowed(whole: Blueprint, keep: float) -> Blueprint:
    """`whole` with one share of all its channels, the largest that costs at most `keep` of its MACs."""
    target = keep * MACS.of(whole)
    shares = (share / 200 for share in range(200, 0, -1))
    return next(left for left in (_narrow(whole, share) for share in shares) if MACS.of(left) <= target)


def _narrow(whole: Blueprint, share: float) -> Blueprint:
    def less(count: int) -> int:
        return max(1, math.floor(count * share + 0.5)) if count else 0

    stages = []
    for stage in whole.stages:
        blocks = tuple(replace(b, depthwise=less(b.depthwise), pointwise=less(b.pointwise)) for b in stage.blocks)
        hidden = less(stage.attention_hidden)
        stages.append(replace(stage, width=less(stage.width), blocks=blocks, attention_hidden=hidden))
    return replace(whole, stages=tuple(stages))


def _verdicts(rows: Mapping[str, Any]) -> dict[str, Any]:
    """Of each network and share, what `measured` (where there is none, `same`) left after fine-tuning, against others.

    These are the whole network, before and after as much fine-tuning, the controls, and the front's own networks that
    cost about as much, as they were published.
    """
    tuned: dict[tuple[str, float], dict[str, list[list[float]]]] = {}
    for row in rows.values():
        if "steps" in row or row["way"] == "nothing":
            way = row["way"] if "steps" in row else "whole"
            ssims = [photograph["ssim"] for photograph in row["test"]["photographs"]]
            tuned.setdefault((row["network"], row["share"]), {}).setdefault(way, []).append(ssims)
    found, costs = {}, {row["network"]: row["macs"] for row in rows.values() if row["way"] == "nothing"}
    left = {
        (row["network"], row["share"]): row["macs"]
        for way in ("same", "measured")
        for row in rows.values()
        if row["way"] == way
    }
    for (network, share), ways in tuned.items():
        whole = tuned.get((network, SHARES[0]), {})
        others = {way: ways[way] for way in CONTROLS if way in ways}
        others |= {way: whole[way] for way in ("whole", "nothing") if way in whole}
        others |= {
            f"network {name} of the front": tuned[name, SHARES[0]]["whole"]
            for name, macs in costs.items()
            if name != network and abs(macs / left.get((network, share), math.inf) - 1) < ABOUT
        }
        pruned = ways.get("measured") or ways.get("same") or []
        for way, other in others.items() if pruned else ():
            names = (f"{network} less {share:.0%}", way)
            found[f"{network}-{share:g} against {way}"] = verdict_of(pruned, other, names=names).to_json()
    return found


def said(row: Mapping[str, Any]) -> str:
    """One line for a cell."""
    figures = f"SSIM {row['test']['ssim']:.4f}, PSNR {row['test']['psnr']:.2f} dB"
    return f"{row['macs'] / 1e6:.1f} MMACs, {1 - row['kept']:.1%} gone; {figures}; {row['seconds']:.0f} s"


if __name__ == "__main__":
    main()
