"""Search: lpienas against a plain Optuna script, at equal processor seconds, judged after equal full training.

    python benchmarks/search.py --out runs/benchmark-search --steps 1000 --trials 300 --full-steps 500

lpienas searches first, by its supernet; the plain script (benchmarks/plain_search.py) then gets the processor seconds
that this took, on one thread, where a training step costs it least of them. Of both fronts the same number of networks
is trained fully, alike and from scratch, and the hypervolumes of what results are compared. A second, small lpienas
search tells whether a tenth of the seconds is enough for what the script found. Everything is kept in --out and resumed
from there.
"""

import argparse
import json
import os
import resource
from pathlib import Path
from typing import Any

from command import python
from nas.scoring.short import score_by_training
from nas.suggest import derive_seed
from nas.task.data.photos import write_pairs
from nas.task.device import Device
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Recipe
from nas.workers import make_workers
from results.candidate import Candidate, Scores
from results.files import read_json, write_json
from results.front import ReferencePoint, along_cost, hypervolume
from results.run import Run
from results.study import candidates, open_study
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of
from search_spaces.genotype import Genotype
from search_spaces.reach import dearest
from search_spaces.space import default_space

SIZE = (256, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", help="folder of photographs (default: sample photographs)")
    parser.add_argument("--steps", type=int, default=600, help="of the supernet")
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--small-steps", type=int, default=40)
    parser.add_argument("--small-trials", type=int, default=20)
    parser.add_argument("--budget", type=int, default=600_000_000, help="MACs")
    parser.add_argument("--top", type=int, default=5, help="networks of each front to train fully")
    parser.add_argument("--full-steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    settings = TaskSettings(options.data)
    task = make_task(settings, read_photos(settings), Device("cpu", False, "benchmark", (1,)))

    found = {"lpienas": _lpienas(options, "lpienas", options.steps, options.trials)}
    found["lpienas, small"] = _lpienas(options, "small", options.small_steps, options.small_trials)
    found["plain Optuna"] = _plain(options, task, found["lpienas"]["cpu_seconds"])

    corner = ReferencePoint(task.input.ssim, macs_of(Blueprint.from_genotype(dearest(default_space())), SIZE))
    result: dict[str, Any] = {"corner": {"ssim": corner.ssim, "macs": corner.cost}, "full_steps": options.full_steps}
    for name, search in found.items():
        trained = _train_fully(options, task, name, search["candidates"])
        area = hypervolume([candidate.scores for candidate in trained], corner)
        result[name] = {
            "cpu_seconds": search["cpu_seconds"],
            "candidates": len(search["candidates"]),
            "hypervolume": area,
            "front": [candidate.to_json() for candidate in trained],
        }
        print(
            f"{name}: {search['cpu_seconds']:.0f} processor seconds, {len(search['candidates'])} candidates, "
            f"hypervolume {area:.4f} after full training of {len(trained)}"
        )
    ratio = result["lpienas"]["hypervolume"] / max(result["plain Optuna"]["hypervolume"], 1e-9)
    print(f"hypervolume at equal processor seconds: {ratio:.2f}x")
    if result["lpienas, small"]["hypervolume"] >= result["plain Optuna"]["hypervolume"]:
        fewer = result["plain Optuna"]["cpu_seconds"] / result["lpienas, small"]["cpu_seconds"]
        print(f"the plain script's final hypervolume is reached with {fewer:.1f}x fewer processor seconds")
    else:
        print("the small search does not reach the plain script's final hypervolume")
    write_json(options.out / "result.json", result | {"ratio": ratio})


def _lpienas(options: argparse.Namespace, name: str, steps: int, trials: int) -> dict[str, Any]:
    """A search by the command, with the processor seconds of all its processes."""
    run, kept = options.out / name, options.out / f"{name}.json"
    if not kept.exists():
        words = ["-m", "lpienas", "search", "--out", run, "--steps", steps, "--trials", trials]
        words += ["--budget", options.budget, "--confirm", 0, "--seed", options.seed]
        words += ["--workers", options.workers, *(["--data", options.data] if options.data else [])]
        seconds = _cpu_seconds(words, {})
        write_json(kept, {"cpu_seconds": seconds})
    trials_now = open_study(Run(run).study).get_trials(deepcopy=False)
    rows = [{"genotype": c.genotype.to_json(), "ssim": c.scores.ssim} for c in candidates(trials_now)]
    return {"cpu_seconds": read_json(kept)["cpu_seconds"], "candidates": rows}


def _plain(options: argparse.Namespace, task: Task, seconds: float) -> dict[str, Any]:
    kept, photos = options.out / "plain.json", options.out / "photos"
    if not kept.exists():
        write_pairs(((p.name, p.clean[None] / 255, p.clean[None] / 255) for p in task.photos.training), photos)
        words = [Path(__file__).with_name("plain_search.py"), "--photos", photos / "clean"]
        words += ["--cpu-seconds", seconds, "--budget", options.budget, "--seed", options.seed]
        words += ["--out", kept, *(["--data", options.data] if options.data else [])]
        _cpu_seconds(words, {"OMP_NUM_THREADS": "1"})
    return dict(read_json(kept))


def _cpu_seconds(words: list[Any], environment: dict[str, str]) -> float:
    """Run Python with `words`; user and system seconds of it and of its own children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python(*words, environment=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def _train_fully(options: argparse.Namespace, task: Task, name: str, rows: list[dict[str, Any]]) -> list[Candidate]:
    """Networks of all costs of one search, trained alike, with one seed for equal networks."""
    found = [_candidate(number, row) for number, row in enumerate(rows)]
    trained = []
    with make_workers(task, options.workers) as workers:
        running = []
        for candidate in along_cost(found, options.top):
            text = json.dumps(candidate.genotype.to_json(), sort_keys=True)
            seed = derive_seed(options.seed, 0, text)
            folder = options.out / "full" / f"{seed}-{options.full_steps}"
            blueprint, recipe = Blueprint.from_genotype(candidate.genotype), Recipe(options.full_steps)
            running.append((candidate, workers.submit(score_by_training, blueprint, recipe, seed, folder)))
        for candidate, future in running:
            quality, scores = future.result(), candidate.scores
            trained.append(
                Candidate(
                    candidate.number,
                    candidate.genotype,
                    Scores(quality.ssim, quality.psnr, scores.macs, scores.parameters),
                )
            )
    return trained


def _candidate(number: int, row: dict[str, Any]) -> Candidate:
    genotype = Genotype.from_json(row["genotype"])
    macs = macs_of(Blueprint.from_genotype(genotype), SIZE)
    return Candidate(number, genotype, Scores(row["ssim"], 0.0, macs, 1))


if __name__ == "__main__":
    main()
