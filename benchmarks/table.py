"""Table: a space measured: networks from 40 to 400 MMACs, each trained from scratch as users train.

    python benchmarks/table.py --data ~/photographs --out runs/table            # several at once share the work
    python benchmarks/table.py --data ~/photographs --out runs/table --judge    # judges what is trained once more
    python benchmarks/table.py --out runs/table --publish results/published/table/table.json
    python benchmarks/table.py --data ~/photographs --out runs/table --begun results/published/table/table.json

Draws --networks genotypes, evenly over the logarithm of MACs and the genes of the default space, trains each for
--steps with one seed, a dozen of 44 with a second one and for twice as long, and writes what each came to:
SSIM and PSNR on the way (validation photographs) and at the end (test photographs, one by one). Scores, samplers and
proxies are judged on this table (benchmarks/scores.py). With --begun it goes on from what was published, anywhere.
With --bfloat16 it trains in half of the time; rows say which did.
"""

import argparse
import math
import random
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

from curves import Plan, claimed, curve, described, first_weights, judge_kept, one_thread, task_of
from nas.task.degrade import make_noise
from nas.task.task import Task, TaskSettings
from nas.task.training import Recipe
from results.files import read_json, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype
from search_spaces.space import Space, default_space

LEAST, MOST = 40e6, 400e6  # MACs
NETWORKS = 44
_DRAWN = 8000  # genotypes to choose from
_PEAK = 2e-2  # learning rate of all rows, whatever the default becomes
_DRAWN_NETWORKS, _DATA = "networks.json", "data.json"
_FURTHER = (*range(0, NETWORKS, 4), 2)  # a dozen that are trained a second time, and for twice as long


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--out", type=Path, default=Path("runs/table"))
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--judge", action="store_true", help="judge what versions before have trained, train nothing")
    parser.add_argument("--begun", type=Path, metavar="FILE", help="draw and train nothing that FILE has")
    parser.add_argument("--bfloat16", action="store_true", help="train with bfloat16 arithmetic, judge without")
    parser.add_argument("--publish", type=Path, metavar="FILE", help="write what is there, and train nothing")
    options = parser.parse_args()
    if options.begun is not None:
        _restore(options.out, read_json(options.begun))
    chosen = drawn(options.out, options.networks)
    plan = [(number, 0, options.steps) for number in range(len(chosen))]
    further = [number for number in _FURTHER if number < len(chosen)]
    plan += [(number, 1, options.steps) for number in further]
    plan += [(number, 0, 2 * options.steps) for number in further]
    if options.publish is None:
        one_thread()
        task = task_of(TaskSettings(options.data, noise=make_noise("blend")), options.bfloat16)
        if options.judge:
            judge_kept(options.out, task)
            return
        for place in plan:
            if _row(options.out, chosen, *place) is None:
                _train(options.out, task, chosen, place)
        return
    rows = [row for place in plan if (row := _row(options.out, chosen, *place)) is not None]
    write_json(options.publish, {"networks": rows, "missing": len(plan) - len(rows), **read_json(options.out / _DATA)})
    print(f"{len(rows)} of {len(plan)} trainings in {options.publish}")


def _restore(out: Path, begun: dict[str, Any]) -> None:
    """Bring the networks and the finished trainings of a published table to where this machine's would be."""
    genotypes = {row["number"]: row["genotype"] for row in begun["networks"]}
    write_json(out / _DRAWN_NETWORKS, {"networks": [genotypes[number] for number in sorted(genotypes)]})
    write_json(out / _DATA, {name: begun[name] for name in ("photographs", "input")})
    for row in begun["networks"]:
        kept = _folder(out, row["number"], row["seed"] % 1000, row["steps"]) / "curve.json"
        if not kept.exists():
            write_json(kept, {name: row[name] for name in row if name not in ("number", "genotype")})


def drawn(out: Path, count: int) -> list[Genotype]:
    """The networks of the table in `out`: kept when they are drawn, whatever the default space becomes later."""
    kept = out / _DRAWN_NETWORKS
    if not kept.exists():
        write_json(kept, {"networks": [genotype.to_json() for genotype in stratified(default_space(), count)]})
    return [Genotype.from_json(genotype) for genotype in read_json(kept)["networks"]]


def stratified(space: Space, count: int) -> list[Genotype]:
    """`count` genotypes, one in each of as many bands of log MACs, whose genes take turns as evenly as they can."""
    drawn = random.Random(0)
    bands: list[list[Genotype]] = [[] for _ in range(count)]
    for number in range(_DRAWN):  # genes independent of one another, and all around one size, in turns
        genotype = space.sample_of_any_size(drawn) if number % 2 else space.sample(drawn)
        place = (math.log(_macs(genotype)) - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))
        if 0 <= place < 1:
            bands[int(place * count)].append(genotype)
    genes = space.counting()
    seen: Counter[tuple[str, Any]] = Counter()
    chosen = []
    for band in sorted(range(count), key=lambda band: len(bands[band])):
        best = min(bands[band], key=lambda g: fmean(seen[place] for place in _counted(g, genes)))
        for counted in _counted(best, genes):
            seen[counted] += 1
        chosen.append(best)
    drawn.shuffle(chosen)  # so that whatever is finished first is a sample of all
    return chosen


def _counted(genotype: Genotype, genes: tuple[str, ...]) -> list[tuple[str, Any]]:
    flat, present = genotype.flat(), set(genotype.counting())
    return [(gene, flat[gene]) for gene in genes if gene in present]


def _macs(genotype: Genotype) -> int:
    return macs_of(Blueprint.from_genotype(genotype), DEFAULT_SIZE)


def _folder(out: Path, number: int, seed: int, steps: int) -> Path:
    return out / f"{number:03d}-{seed}-{steps}"


def _train(out: Path, task: Task, chosen: list[Genotype], row: tuple[int, int, int]) -> None:
    """The training of a row: number of the network, seed and steps."""
    write_json(out / "data.json", described(task))
    number, seed, steps = row
    folder, genotype = _folder(out, number, seed, steps), chosen[number]
    with claimed(folder) as mine:
        if mine:
            own, recipe = 1000 * number + seed, Recipe(steps, learning_rate=_PEAK)
            found = curve(folder, task, first_weights(Blueprint.from_genotype(genotype), own), Plan(recipe, own))
            print(folder.name, found["macs"], found.get("failed") or found["test"]["ssim"], flush=True)


def _row(out: Path, chosen: list[Genotype], number: int, seed: int, steps: int) -> dict[str, Any] | None:
    file = _folder(out, number, seed, steps) / "curve.json"
    found = read_json(file) if file.exists() else {}
    return {"number": number, "genotype": chosen[number].to_json(), **found} if "test" in found else None


if __name__ == "__main__":
    main()
