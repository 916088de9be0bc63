"""Search: lpienas against a plain Optuna script and against random search, at equal processor seconds.

    python benchmarks/search.py --data ~/photographs --out runs/rivals --seeds 3     # several at once share the work
    python benchmarks/search.py --out runs/rivals --publish results/published/search/search.json
    python benchmarks/search.py --data ~/photographs --out runs/rivals --begun results/published/search/search.json

For each seed lpienas searches as a user would ask it to, and once more with random genotypes under the same score; the
plain script (benchmarks/plain_search.py) gets the processor seconds that lpienas took, on one thread, where a training
step costs it least of them. Of each one's candidates the same number is trained fully, alike and from scratch, and
judged on the test photographs: of ours those that a run trains, half of them hand-made, of the plain script the best
along the cost axis. Printed are the best SSIM under each ceiling of MACs and the hypervolume below the budget and above
the degraded photographs. Resumable; with --begun on another machine too, from what was published on the way.
"""

import argparse
import hashlib
import json
import math
import os
from pathlib import Path
from statistics import fmean
from typing import Any

from command import python
from curves import Plan, claimed, curve, described, first_weights, one_thread, task_of
from nas.merit import without_luck
from nas.task.data.photos import write_pairs
from nas.task.degrade import make_noise
from nas.task.task import Task, TaskSettings
from nas.task.training import Recipe
from results.candidate import Candidate, Scores
from results.files import read_json, write_json
from results.front import ReferencePoint, along_cost, hypervolume, to_train
from results.run import Run
from results.study import candidates, open_study
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype
from search_spaces.own import require_lpienet
from search_spaces.space import default_space

OURS, RANDOM, PLAIN = "lpienas", "lpienas, random sampler", "plain Optuna"
_SCORES = "scores.json"  # of a finished training on the test photographs
_HAND_MADE = frozenset(default_space().hand_made())
CEILINGS = (100e6, 200e6, 400e6, 600e6)  # MACs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--search", nargs=argparse.REMAINDER, default=[], help="last: more options of lpienas search")
    parser.add_argument("--budget", type=int, default=600_000_000, help="MACs")
    parser.add_argument("--top", type=int, default=6, help="networks of each search to train fully")
    parser.add_argument("--full-steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--begun", type=Path, metavar="FILE", help="search and train nothing that FILE has")
    parser.add_argument("--publish", type=Path, metavar="FILE", help="write what is there, and search nothing")
    options = parser.parse_args()
    if options.begun is not None:
        _restore(options)
    if options.publish is None:
        _work(options)
    else:
        _publish(options)


def _restore(options: argparse.Namespace) -> None:
    """Bring what the searches of --begun found, and the scores of their trainings, to where this machine's would be."""
    begun = read_json(options.begun)
    for row in begun["searches"]:
        kept = _folder(options.out, row["search"], row["seed"]) / "found.json"
        if not kept.exists():
            write_json(kept, {"candidates": row["chosen"], **{name: row[name] for name in ("cpu_seconds", "scored")}})
        for network in row["networks"]:
            figures = _trained(options, Genotype.from_json(network["genotype"]), row["seed"])[0] / _SCORES
            if not figures.exists():
                write_json(figures, network)


def _work(options: argparse.Namespace) -> None:
    one_thread()
    settings = TaskSettings(options.data, noise=make_noise("blend"))
    task = task_of(settings)
    write_json(options.out / "data.json", described(task))
    for seed in range(options.seeds):
        for name in (OURS, RANDOM, PLAIN):
            with claimed(_folder(options.out, name, seed)) as mine:
                if mine:
                    _search(options, task, name, seed)
    for seed in range(options.seeds):
        for name in (OURS, RANDOM, PLAIN):
            for genotype in _chosen(options, name, seed):
                _train_fully(options, task, genotype, seed)


def _folder(out: Path, name: str, seed: int) -> Path:
    return out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"


def _search(options: argparse.Namespace, task: Task, name: str, seed: int) -> None:
    """One search, from where it was cut off; what it found is kept as found.json, in the form of the plain script."""
    folder = _folder(options.out, name, seed)
    kept = folder / "found.json"
    if kept.exists():
        return
    data = ["--data", options.data] if options.data else []
    if name == PLAIN:
        ours = _folder(options.out, OURS, seed) / "found.json"
        if not ours.exists():
            return  # another process is at it; the next call goes on from here
        photos = folder / "photos"
        write_pairs(((p.name, p.clean[None] / 255, p.clean[None] / 255) for p in task.photos.training), photos)
        seconds = read_json(ours)["cpu_seconds"]
        words = [Path(__file__).with_name("plain_search.py"), "--photos", photos / "clean", "--cpu-seconds", seconds]
        words += ["--budget", options.budget, "--seed", seed, "--out", kept, *data]
        python(*words, environment={"OMP_NUM_THREADS": "1"})
    else:
        words = ["-m", "lpienas", "search", "--out", folder / "run", "--budget", options.budget, "--confirm", 0]
        words += ["--seed", seed, "--workers", options.workers, *data, *options.search]
        words += ["--sampler", "random"] if name == RANDOM else []
        python(*words)
        seconds = read_json(Run(folder / "run").spent)["cpu_seconds"]  # also of calls that were cut off
        found = candidates(open_study(Run(folder / "run").study).get_trials(deepcopy=False))
        rows = [{"genotype": c.genotype.to_json(), "ssim": c.scores.ssim, "macs": c.scores.macs} for c in found]
        write_json(kept, {"candidates": rows, "cpu_seconds": seconds})


def _chosen(options: argparse.Namespace, name: str, seed: int) -> list[Genotype]:
    """What is trained fully of one search, below the budget (the reference is above it): of ours as a run chooses.

    Of the plain script what it holds for the best along the cost axis: it has no hand-made networks and no predictor.
    """
    kept = _folder(options.out, name, seed) / "found.json"
    rows = read_json(kept)["candidates"] if kept.exists() else []
    found = []
    for number, row in enumerate(rows):
        genotype = Genotype.from_json(row["genotype"])
        macs = macs_of(Blueprint.from_genotype(genotype), DEFAULT_SIZE)
        if macs <= options.budget:
            found.append(Candidate(number, genotype, Scores(row["ssim"], 0.0, macs, 1)))
    if name == PLAIN:
        chosen = along_cost(found, options.top)
    else:
        known = {candidate.number for candidate in found if candidate.genotype in _HAND_MADE}
        chosen = to_train(without_luck(found), options.top, -math.inf, known)
    return [require_lpienet(candidate.genotype) for candidate in chosen]


def _trained(options: argparse.Namespace, genotype: Genotype, seed: int) -> tuple[Path, int]:
    """Folder of a full training, and its own seed: the same for equal networks of all searches of one seed."""
    text = json.dumps([genotype.to_json(), seed], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return options.out / "full" / f"{digest[:16]}-{options.full_steps}", int(digest[:8], 16)


def _train_fully(options: argparse.Namespace, task: Task, genotype: Genotype, seed: int) -> None:
    folder, own = _trained(options, genotype, seed)
    with claimed(folder) as mine:
        if not mine or (folder / _SCORES).exists():
            return
        network = first_weights(Blueprint.from_genotype(genotype), own)
        found = curve(folder, task, network, Plan(Recipe(options.full_steps), own))
        print(folder.name, found["macs"], found.get("failed") or found["test"]["ssim"], flush=True)
        if "test" in found:
            write_json(folder / _SCORES, {"genotype": genotype.to_json(), "macs": found["macs"], **found["test"]})


def _publish(options: argparse.Namespace) -> None:
    """Print and write what each search came to."""
    data = read_json(options.out / "data.json")
    corner = ReferencePoint(data["input"]["ssim"], options.budget)
    rows, missing = [], 0
    for seed in range(options.seeds):
        for name in (OURS, RANDOM, PLAIN):
            chosen = _chosen(options, name, seed)
            figures = [_trained(options, genotype, seed)[0] / _SCORES for genotype in chosen]
            networks = [read_json(file) for file in figures if file.exists()]
            if networks:
                kept = read_json(_folder(options.out, name, seed) / "found.json")
                scores = [Scores(one["ssim"], one["psnr"], one["macs"], 1) for one in networks]
                row = {"search": name, "seed": seed, "cpu_seconds": kept["cpu_seconds"], "networks": networks}
                row["scored"] = kept.get("scored", len(kept["candidates"]))  # of which those in "chosen" are trained
                row["hypervolume"] = hypervolume(scores, corner)
                if name != PLAIN:
                    made = (Genotype.from_json(one["genotype"]) in _HAND_MADE for one in networks)
                    own = [score for score, by_hand in zip(scores, made, strict=True) if by_hand]
                    row["hypervolume_of_hand_made"] = hypervolume(own, corner)
                found = {Genotype.from_json(one["genotype"]): one for one in kept["candidates"]}
                row["chosen"] = [found[genotype] for genotype in chosen]
                row["best"] = {str(round(top)): _best(scores, top) for top in CEILINGS}
                rows.append(row)
                missing += len(chosen) - len(networks)
    for name in (OURS, RANDOM, PLAIN):
        ones = [row for row in rows if row["search"] == name]
        for row in ones:
            best = ", ".join(
                f"{float(top) / 1e6:.0f}M: " + ("-" if ssim is None else f"{ssim:.4f}")
                for top, ssim in row["best"].items()
            )
            said = f"{row['scored']} candidates, {row['cpu_seconds']:.0f} s, hypervolume {row['hypervolume']:.4f}"
            print(f"{name}, seed {row['seed']}: {said}; best SSIM under {best}")
        if ones:
            print(f"{name}: mean hypervolume {fmean(row['hypervolume'] for row in ones):.4f}" + _without_search(ones))
    print(f"{missing} trainings are missing")
    corners = {"ssim": corner.ssim, "macs": corner.cost}
    write_json(options.publish, {"corner": corners, "missing": missing, "searches": rows, **data})


def _without_search(rows: list[dict[str, Any]]) -> str:
    """What the hand-made networks alone would have, of ours."""
    alone = [row["hypervolume_of_hand_made"] for row in rows if "hypervolume_of_hand_made" in row]
    return f", of its hand-made networks alone {fmean(alone):.4f}" if alone else ""


def _best(scores: list[Scores], ceiling: float) -> float | None:
    return max((one.ssim for one in scores if one.macs <= ceiling), default=None)


if __name__ == "__main__":
    main()
