"""The command: one verb a stage; text becomes one settings value, one function is called, its result is printed."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # torch takes seconds to import; `--help` and wrong arguments answer at once
    from rich.console import Console

    from compress.runtimes import Runtime
    from nas.task.task import Task
    from results.progress import Bars
    from results.report import FrontReport
    from results.run import Run
    from search_spaces.blueprint import Blueprint

_T = TypeVar("_T")

_DEFAULTS: dict[str, Any] = {
    "data": None,
    "score": "supernet",
    "cost": "macs",
    "latency_in": "onnx-float",
    "fix": [],
    "budget": None,
    "size": [256, 256],
    "sampler": "auto",
    "seed": 0,
    "steps": None,
    "patch": 64,
    "batch": 8,
}  # of a search
_STEPS = {"supernet": 1000, "short": 400, "halving": 400}  # of training, by what is scored

_DESCRIPTION = """\
Find the best small photo-enhancement network for a phone, shrink it, and ship it.

  lpienas space    --budget 600M                 see how much of the search space fits
  lpienas search   --out runs/night              score networks by SSIM and multiply-adds (MACs)
  lpienas calibrate --out runs/night             how far the scores can be trusted
  lpienas front    runs/night --plot front.png   see what was found
  lpienas compress runs/night --pick knee        train one fully, prune it, quantize it
  lpienas export   runs/night                    write and check files for phones, and their model card
  lpienas enhance  runs/night photo.jpg -o better.png
  lpienas evaluate runs/night --data DIR

Costs are multiply-adds (1 MAC = 2 FLOPs) at 256x256 unless --size says otherwise.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status: 0 done, 1 the work failed, 2 wrong arguments, 130 interrupted."""
    options = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], None] = options.verb
    try:
        verb(options)
    except KeyboardInterrupt:
        print("\nlpienas: interrupted; the same command continues where it stopped", file=sys.stderr)
        return 130
    except (ValueError, FileNotFoundError, ImportError, RuntimeError) as error:
        if os.environ.get("LPIENAS_TRACEBACK"):
            raise
        print(f"lpienas: {error}", file=sys.stderr)
        return 1
    return 0


# One function a verb.


def _describe(options: argparse.Namespace) -> None:
    from search_spaces.blueprint import Blueprint
    from search_spaces.cost import cost_of
    from search_spaces.genotype import Genotype
    from search_spaces.space import PRESETS
    from search_spaces.units import format_macs

    if options.genotype is not None:
        genotype = Genotype.from_json(json.loads(options.genotype.read_text()))
    else:
        genotype = PRESETS[options.preset]
    cost = cost_of(Blueprint.from_genotype(genotype), options.size)
    if options.json:
        _print_json(
            {
                "parameters": cost.parameters,
                "macs": cost.macs,
                "flops": 2 * cost.macs,
                "upsampling_macs": cost.upsampling_macs,
                "size": list(cost.size),
                "genotype": genotype.to_json(),
            }
        )
        return
    console = _console()
    console.print(f"{cost.parameters:,} parameters, {format_macs(cost.macs)} at {cost.size[0]}x{cost.size[1]}")
    console.print(f"not in it: {cost.upsampling_macs / 1e6:.3g} MMACs of bilinear upsampling")
    for gene, value in genotype.flat().items():
        console.print(f"  {gene} = {value}")


def _space(options: argparse.Namespace) -> None:
    from rich.table import Table

    from search_spaces.reach import CONFIDENCE, QUANTILES, reach
    from search_spaces.space import default_space
    from search_spaces.units import format_macs

    found = reach(default_space().fixed(options.fix), options.budget, options.size, options.samples, options.seed)
    if options.json:
        _print_json(found.to_json())
        return
    height, width = found.size
    table = Table("network", f"MACs (FLOPs) at {height}x{width}", "parameters")
    for name, counted in (
        ("fewest MACs", found.fewest_macs),
        ("fewest parameters", found.fewest_parameters),
        ("LPIENet reference", found.reference),
        ("most MACs", found.most_macs),
        ("most parameters", found.most_parameters),
    ):
        table.add_row(name, format_macs(counted.macs), f"{counted.parameters:,}")
    console = _console()
    console.print(f"{found.genotypes:,} genotypes", highlight=False)
    console.print(table)
    shares = [("cheaper than the reference", found.cheaper_than_reference)]
    if options.budget is not None and found.within_budget is not None:
        shares.insert(0, (f"within {format_macs(options.budget)}", found.within_budget))
    for says, share in shares:
        console.print(
            f"{share.value:.1%} {says} ({CONFIDENCE:.0%} interval {share.low:.1%} to {share.high:.1%}; "
            f"{found.samples} drawn uniformly)",
            highlight=False,
        )
    for at, macs in zip(QUANTILES, found.quantiles, strict=True):
        console.print(f"  {at:.0%} of them need at most {format_macs(macs)}", highlight=False)


def _search(options: argparse.Namespace) -> None:
    from nas.confirm import ConfirmSettings, confirm
    from nas.search import SearchSettings, inherited_network, search
    from nas.suggest import resolve_sampler
    from nas.task.training import Recipe
    from nas.workers import default_count, make_workers
    from results.files import read_json
    from results.run import Run, versions
    from search_spaces.space import default_space
    from search_spaces.units import format_cost, parse_cost

    run = Run(options.out)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        asked = _search_settings(run, options)
        asked["sampler"] = resolve_sampler(asked["sampler"], options.trials)  # once: samplers are told different things
        if asked["steps"] is None:
            asked["steps"] = _STEPS[asked["score"]]
        settings = SearchSettings(
            trials=options.trials,
            recipe=Recipe(asked["steps"]),
            score=asked["score"],
            cost=asked["cost"],
            budget=None if asked["budget"] is None else parse_cost(asked["cost"], asked["budget"]),
            size=tuple(asked["size"]),
            sampler=asked["sampler"],
            seed=asked["seed"],
        )
        task = _open_task(run, asked, options.threads)
        run.describe(asked)
        console = _console(stderr=True)
        if settings.budget is not None:
            console.print(
                f"budget {format_cost(settings.cost, settings.budget)} at {settings.size[0]}x{settings.size[1]}"
            )
        workers = stack.enter_context(make_workers(task, options.workers or default_count(task), options.threads or 1))
        bars = stack.enter_context(_bars(console))
        cost_of = _cost_of(run, settings.cost, settings.size, asked["latency_in"])
        space = default_space().fixed(asked["fix"])
        search(run, space, task, settings, cost_of, workers, bars)
        if options.confirm:
            most = max(options.seeds, options.least_seeds)
            full = ConfirmSettings(
                Recipe(options.full_steps), options.confirm, most, options.least_seeds, settings.seed
            )
            inherits = settings.score == "supernet" and options.start == "inherited"
            confirm(run, full, workers, bars, inherited_network(run, space, task, settings) if inherits else None)
        report = _report(run)
        before = read_json(run.summary).get("cpu_seconds", 0.0) if run.summary.exists() else 0.0
        run.summarize(
            settings=asked,
            cpu_seconds=before + time.process_time() + workers.seconds(),
            seed=settings.seed,
            versions=versions(),
            input=task.input.to_json(),
            reference=report.reference.to_json(),
            search=report.to_json(),
        )
    _print_json(report.to_json()) if options.json else _console().print(report.verdict)


def _calibrate(options: argparse.Namespace) -> None:
    from nas.calibrate import CalibrationSettings, calibrate
    from nas.scoring.supernet import SupernetSettings
    from nas.task.training import Recipe
    from nas.workers import default_count, make_workers
    from results.run import Run
    from results.table import agreement_table
    from search_spaces.space import default_space
    from search_spaces.units import parse_macs

    run = Run(options.out)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        asked = _search_settings(run, options)
        by_supernet = asked["score"] == "supernet"  # whether the run's own --steps are those of the supernet
        supernet_steps = (asked["steps"] if by_supernet else None) or _STEPS["supernet"]
        short_steps = options.short_steps or (None if by_supernet else asked["steps"]) or _STEPS["short"]
        budget = asked["budget"] if asked["cost"] == "macs" else None
        macs = None if budget is None else parse_macs(budget)
        supernet = SupernetSettings.under(Recipe(supernet_steps), macs, tuple(asked["size"]))
        settings = CalibrationSettings(
            full=Recipe(options.full_steps),
            short=Recipe(short_steps),
            supernet=supernet,
            networks=options.networks,
            seeds=options.seeds,
            budget=macs,
            size=tuple(asked["size"]),
            target=options.tau,
            seed=asked["seed"],
        )
        task = _open_task(run, asked, options.threads)
        workers = stack.enter_context(make_workers(task, options.workers or default_count(task), options.threads or 1))
        bars = stack.enter_context(_bars(_console(stderr=True)))
        result = calibrate(run.folder, default_space().fixed(asked["fix"]), task, settings, workers, bars)
        run.summarize(calibration=result)
    if options.json:
        _print_json(result)
        return
    console = _console()
    console.print(agreement_table(result))
    console.print(f"advice: {result['advice']}", highlight=False)


def _front(options: argparse.Namespace) -> None:
    from nas.calibrate import summary_line
    from results.files import read_json
    from results.plots import plot_front
    from results.run import Run
    from results.table import front_table, gene_lines
    from search_spaces.units import format_cost

    run = Run(options.run)
    settings = run.settings()
    size = (settings["size"][0], settings["size"][1])
    report = _report(run)
    calibration = read_json(run.calibration) if run.calibration.exists() else None
    control = None if options.control is None else _report(Run(options.control)).front
    if options.plot is not None:
        plot_front(options.plot, report, size, control)
    if options.json:
        _print_json(report.to_json() | {"calibration": calibration})
        return
    console = _console()
    console.print(front_table(report, size))
    for line in gene_lines(report.front):
        console.print(line, highlight=False)
    corner = report.reference_point
    console.print(
        f"hypervolume {report.hypervolume:.4f} SSIM x decades of cost, above SSIM {corner.ssim:.4f} (the degraded "
        f"photographs) and below {format_cost(report.cost, corner.cost)} (the dearest network of the space)"
    )
    console.print("trials: " + ", ".join(f"{count} {state.lower()}" for state, count in report.trials.items()))
    for candidate in report.fell_off:
        console.print(
            f"fell off the front: candidate {candidate.number}, SSIM {candidate.scores.ssim:.4f} after full training",
            highlight=False,
        )
    if calibration is not None:
        console.print(summary_line(calibration, settings["score"], settings["steps"]), highlight=False)
    console.print(report.verdict)
    if options.plot is not None:
        console.print(f"plot written to {options.plot}")


def _compress(options: argparse.Namespace) -> None:
    from compress.pipeline import CompressSettings, compress
    from results.pick import pick
    from results.run import Run

    run = Run(options.run)
    settings = run.settings()
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        chosen = pick(_report(run), options.pick)
        task = _open_task(run, settings, options.threads)
        run.describe(settings)
        console = _console(stderr=True)
        console.print(f"chosen: candidate {chosen.number} ({options.pick})", highlight=False)
        plan = CompressSettings.from_steps(
            options.steps, options.prune, options.int8, options.distill, options.in_float, settings["seed"]
        )
        summary = compress(run, chosen, task, plan, stack.enter_context(_bars(console)))
    if options.json:
        _print_json(summary)


def _export(options: argparse.Namespace) -> None:
    from compress.ship import ship
    from results.run import Run

    run = Run(options.run)
    settings = run.settings()
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        task = _open_task(run, settings, 1)
        run.describe(settings)
        bars = stack.enter_context(_bars(_console(stderr=True)))
        seed, licence = settings["seed"], options.licence
        exported = ship(run, task, options.to, options.size, seed, options.workers, bars, licence)
    if options.json:
        _print_json({"exported": exported, "card": str(run.card)})
    else:
        _console().print(f"{len(exported)} files in {run.exported}, described in {run.card}")


def _sensitivity(options: argparse.Namespace) -> None:
    from compress.pipeline import int8_calibration
    from compress.sensitivity import sensitivity
    from results.files import has_network, load_network
    from results.run import Run
    from results.table import sensitivity_table

    run = Run(options.run)
    settings = run.settings()
    if not has_network(run.network("float")):
        raise FileNotFoundError(f"{run.folder} has no compressed network yet; make it: lpienas compress {run.folder}")
    with run.locked():
        task = _open_task(run, settings, options.threads)
        network, calibration = load_network(run.network("float")), int8_calibration(task, settings["seed"])
        with _bars(_console(stderr=True)) as bars:
            found = sensitivity(network, calibration, task.validation, bars)
        layers = [one.to_json() for one in found]
        run.summarize(sensitivity=layers)
    if options.json:
        _print_json({"layers": layers})
        return
    _console().print(sensitivity_table(layers))
    _console().print("Leave the first of them in float: lpienas compress RUN --in-float LAYER ...", highlight=False)


def _enhance(options: argparse.Namespace) -> None:
    import torch

    from compress.photo import draw_before_after, enhance_photo, plan_outputs
    from compress.tiles import enhance

    torch.set_num_threads(options.threads)
    planned = plan_outputs(options.photos, options.output, options.force, options.skip)
    if options.compare is not None and len(planned) != 1:
        raise ValueError(f"--compare draws one photograph, and {len(planned)} are to be enhanced; name one")
    runtime = _open_model(options.model, options.threads)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with _bars(_console(stderr=True)) as bars:
        bars.begin("enhance", 100 * len(planned))
        for number, (source, target) in enumerate(planned):

            def on_tile(tile: int, tiles: int, before: int = 100 * number, name: str = source.name) -> None:
                bars.at(before + 100 * tile // tiles, name)

            try:
                height, width = enhance_photo(partial(enhance, runtime, on_tile=on_tile), source, target)
            except ValueError as error:
                failed.append({"source": str(source), "error": str(error)})
                bars.say(f"left out: {error}")
                continue
            done.append({"source": str(source), "output": str(target), "size": [height, width]})
    if options.compare is not None and done:
        draw_before_after(planned[0][0], planned[0][1], options.compare)
    if options.json:
        _print_json({"model": str(options.model), "runtime": runtime.name, "photos": done, "failed": failed})
    else:
        for row in done:
            height, width = row["size"]
            _console().print(
                f"{row['output']}: {height}x{width}, by {options.model} in {runtime.name}", highlight=False
            )
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(planned)} photographs could not be enhanced; the rest is done")


def _samples(options: argparse.Namespace) -> None:
    from nas.task.patches import validation_pairs
    from nas.task.photos import sample_photos, write_pairs
    from nas.task.task import TaskSettings

    settings = TaskSettings()
    pairs = validation_pairs(sample_photos().validation, settings.noise, options.seed, None)
    written = write_pairs(pairs, options.out)
    if options.json:
        _print_json({"written": [str(path) for path in written]})
    else:
        _console().print(f"{len(written)} pictures in {options.out}/noisy and {options.out}/clean", highlight=False)


def _evaluate(options: argparse.Namespace) -> None:
    import torch

    from compress.tiles import enhance
    from nas.task.evaluation import evaluate, input_quality
    from nas.task.metrics import SSIM_DEFINITION
    from nas.task.patches import validation_pairs
    from nas.task.photos import read_folder
    from nas.task.task import TaskSettings, read_photos
    from results.run import Run, is_run

    torch.set_num_threads(options.threads)
    run = Run(options.models[0])
    settings = TaskSettings.of_run(run.settings()) if is_run(run.folder) else TaskSettings()
    photos = read_photos(settings).validation if options.data is None else read_folder(options.data)
    pairs = validation_pairs(photos, settings.noise, settings.seed, None)
    before = input_quality(pairs)
    rows = []
    with _bars(_console(stderr=True)) as bars:
        for path in options.models:
            model = _open_model(path, options.threads)
            bars.begin(str(path), len(pairs))
            quality = evaluate(partial(enhance, model), bars.counted(pairs), torch.device("cpu"))
            rows.append(
                {
                    "model": str(path),
                    "runtime": model.name,
                    "images": len(pairs),
                    "ssim": quality.ssim,
                    "psnr": quality.psnr,
                    "input_ssim": before.ssim,
                    "input_psnr": before.psnr,
                    "ssim_definition": SSIM_DEFINITION,
                }
            )
    if options.json:
        _print_json(rows[0] | {"models": rows})
        return
    console = _console()
    console.print(f"{len(pairs)} photographs; as they are: SSIM {before.ssim:.4f}, PSNR {before.psnr:.2f} dB")
    for row in rows:
        console.print(f"{row['model']} ({row['runtime']}): SSIM {row['ssim']:.4f}, PSNR {row['psnr']:.2f} dB")
    console.print(SSIM_DEFINITION)


def _bench(options: argparse.Namespace) -> None:
    from tempfile import TemporaryDirectory

    from compress.bench import bench, beside, imported, judge, ratio
    from compress.bench_files import SIZES, plan
    from nas.task.patches import validation_pairs
    from nas.task.photos import read_folder
    from nas.task.task import TaskSettings
    from results.table import bench_table

    if not options.models and not options.imported:
        raise ValueError("nothing to bench: give a run folder, an exported file, or --import FILE")
    photos = () if options.data is None else read_folder(options.data)
    pairs = validation_pairs(photos, TaskSettings().noise, 0, None)
    with ExitStack() as stack:
        bars = stack.enter_context(_bars(_console(stderr=True)))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lpienas-")))
        cases = plan(options.models, options.runtime, options.size or SIZES, folder, bars, pairs)
        if pairs:
            cases = judge(cases, pairs, options.threads, bars)
        rows = bench(cases, options.threads, options.seconds, bars) if cases else []
    for file in options.imported:
        rows += imported(file)
    shown = []
    for row in rows:
        other = beside(row, rows)
        shown.append(row.to_json() | {"faster": None if other is None else ratio(other, row)})
    if options.json:
        _print_json({"rows": shown, "threads": options.threads})
        return
    _console().print(bench_table(shown))


# What the verbs share.


def _delegates(options: argparse.Namespace) -> None:
    from compress.delegates import delegated, largest_activation, report_lines
    from nas.task.patches import validation_pairs
    from nas.task.task import TaskSettings, read_photos
    from results.files import load_network
    from results.run import Run, is_run

    files, largest = [], {}
    for path in options.models:
        if not is_run(path):
            files.append(delegated(path))
            continue
        run = Run(path)
        exported = sorted(file for file in run.exported.glob("lpienet_*") if file.is_file())
        if not exported:
            raise FileNotFoundError(f"{path} has no exported files yet; make them: lpienas export {path}")
        files += [delegated(file) for file in exported]
        task = TaskSettings.of_run(run.settings())
        pairs = validation_pairs(read_photos(task).validation, task.noise, task.seed, task.validation_side)
        network = load_network(run.network("float"))
        largest[str(path)] = largest_activation(network, [degraded for _, degraded, _ in pairs])
    if options.json:
        ranges = {run: found.to_json() for run, found in largest.items()}
        _print_json({"files": [file.to_json() for file in files], "largest_activation": ranges})
        return
    console = _console()
    for line in report_lines(files, largest):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _open_model(path: Path, threads: int) -> "Runtime":
    """A run folder's compressed float network in PyTorch, or an exported file in its own runtime."""
    from compress.runtimes import in_pytorch, load
    from results.files import has_network, load_network
    from results.run import Run, is_run

    if not is_run(path):
        return load(path, threads)
    stage = Run(path).network("float")
    if not has_network(stage):
        raise FileNotFoundError(f"{path} has no compressed network yet; make it: lpienas compress {path}")
    return in_pytorch(load_network(stage))


def _search_settings(run: "Run", options: argparse.Namespace) -> dict[str, Any]:
    """What decides a search: given on the command line, else as the folder was made with, else the default."""
    asked: dict[str, Any] = {
        "data": None if options.data is None else str(options.data.absolute()),
        "score": options.score,
        "cost": options.cost,
        "latency_in": options.latency_in,
        "fix": options.fix,
        "budget": options.budget,
        "size": None if options.size is None else list(options.size),
        "sampler": options.sampler,
        "seed": options.seed,
        "steps": options.steps,
        "patch": options.patch,
        "batch": options.batch,
    }
    made_with = run.settings() if (run.folder / "run.json").exists() else _DEFAULTS
    return {name: made_with.get(name, _DEFAULTS[name]) if value is None else value for name, value in asked.items()}


def _report(run: "Run") -> "FrontReport":
    """The front of a run, by the best scores that it has."""
    from results.report import report_front
    from results.study import open_study

    settings = run.settings()
    return report_front(open_study(run.study), settings.get("score", "short"), settings.get("cost", "macs"))


def _cost_of(run: "Run", kind: str, size: tuple[int, int], latency_in: str) -> Callable[["Blueprint"], float]:
    """What a search makes small, of a blueprint, at `size`; `latency_in` is a runtime and a precision."""
    if kind == "macs":
        from search_spaces.count import macs_of

        return lambda blueprint: float(macs_of(blueprint, size))
    if kind == "memory":
        from search_spaces.memory import peak_activation_bytes

        return lambda blueprint: float(peak_activation_bytes(blueprint, size))
    from compress.latency import latency_cost

    runtime, precision = latency_in.split("-")
    measured = latency_cost(run.folder / "latency", runtime, precision, size)
    return lambda blueprint: measured(blueprint).median


def _open_task(run: "Run", settings: dict[str, Any], threads: int | None) -> "Task":
    from nas.prepare import prepare
    from nas.task.task import TaskSettings

    task = prepare(TaskSettings.of_run(settings), run.device, threads)
    console = _console(stderr=True)
    console.print(f"device: {task.device.describe()}", highlight=False)
    console.print(f"photographs: {task.photos.source}", highlight=False)
    return task


def _console(stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr)


def _bars(console: "Console") -> "Bars":
    from results.progress import Bars

    return Bars(console)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))


# How text becomes settings.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lpienas", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    describe = _verb(
        verbs,
        "describe",
        _describe,
        "count a network's parameters and multiply-adds",
        "lpienas describe --preset reference --size 1080x1920",
    )
    network = describe.add_mutually_exclusive_group()
    network.add_argument("--preset", choices=("reference", "paper"), default="reference", help="which known network")
    network.add_argument("--genotype", type=Path, metavar="FILE", help="a genotype as JSON instead of a preset")
    describe.add_argument("--size", type=_size, default=(256, 256), metavar="HxW", help="input size (256x256)")

    space = _verb(
        verbs,
        "space",
        _space,
        "show which costs the search space can reach, and how much of it fits a budget",
        "lpienas space --budget 600M --size 256x256",
    )
    space.add_argument("--budget", type=_macs, metavar="MACS", help="600M, or 1.2GFLOPs")
    space.add_argument("--size", type=_size, default=(256, 256), metavar="HxW", help="input size (256x256)")
    _add_fix(space)
    space.set_defaults(fix=[])
    space.add_argument("--samples", type=_count, default=2000, metavar="N", help="genotypes drawn at random (2000)")
    space.add_argument("--seed", type=int, default=0, metavar="N", help="of the drawing (0)")

    search = _verb(
        verbs,
        "search",
        _search,
        "score networks; run again to continue",
        "lpienas search --out runs/night --data ~/pairs --budget 600M --trials 60",
    )
    _add_search_settings(search)
    search.add_argument("--trials", type=_count, default=200, metavar="N", help="networks to score in all (200)")
    search.add_argument(
        "--confirm",
        type=_count_or_none,
        default=5,
        metavar="N",
        help="of the best, how many to train fully beside the reference (5); 0: none",
    )
    search.add_argument("--full-steps", type=_count, default=4000, metavar="N", help="of a full training (4000)")
    search.add_argument(
        "--seeds", type=_count, default=2, metavar="N", help="full trainings of networks that are too close to call (2)"
    )
    search.add_argument(
        "--start",
        choices=("inherited", "scratch"),
        default="inherited",
        help="first weights of a full training, where there is a supernet to inherit from (inherited)",
    )
    search.add_argument("--least-seeds", type=_count, default=1, metavar="N", help="full trainings of each of them (1)")
    _add_workers(search)

    calibrate = _verb(
        verbs,
        "calibrate",
        _calibrate,
        "measure how far each cheap score agrees with full training",
        "lpienas calibrate --out runs/night --networks 12 --tau 0.8",
    )
    _add_search_settings(calibrate)
    calibrate.add_argument("--networks", type=_count, default=12, metavar="N", help="networks to train fully (12)")
    calibrate.add_argument("--full-steps", type=_count, default=4000, metavar="N", help="of a full training (4000)")
    calibrate.add_argument("--seeds", type=_count, default=1, metavar="N", help="full trainings of each network (1)")
    calibrate.add_argument("--short-steps", type=_count, metavar="N", help="of the highest rung (400)")
    calibrate.add_argument("--tau", type=float, default=0.7, metavar="TAU", help="agreement that is asked for (0.7)")
    _add_workers(calibrate)

    front = _verb(verbs, "front", _front, "show what a search found", "lpienas front runs/night --plot front.png")
    front.add_argument("run", type=Path, metavar="RUN", help="run folder")
    front.add_argument("--plot", type=Path, metavar="FILE.png", help="draw SSIM over the cost")
    front.add_argument(
        "--control", type=Path, metavar="RUN", help="draw the front of a random search of equal computing beside it"
    )

    compress = _verb(
        verbs,
        "compress",
        _compress,
        "train one candidate fully, prune it, quantize it",
        "lpienas compress runs/night --pick under=600M --prune 0.5 --qat",
    )
    compress.add_argument("run", type=Path, metavar="RUN", help="run folder")
    compress.add_argument(
        "--pick", default="knee", metavar="WHICH", help="knee (default), a candidate's number, under=600M, or reference"
    )
    compress.add_argument(
        "--steps",
        type=_count,
        default=4000,
        metavar="N",
        help="of the full training (4000); fine-tuning takes half, quantization a quarter",
    )
    compress.add_argument(
        "--prune",
        type=_share_or_off,
        default=0.3,
        metavar="SHARE|off",
        help="share of the MACs to remove (0.3), or off; beside it, a network of the search that costs as little is "
        "trained for as much computing, and the better one is kept",
    )
    compress.add_argument(
        "--distill",
        type=float,
        default=1.0,
        metavar="WEIGHT",
        help="of the output of the network before pruning in the loss of fine-tuning (1); 0: none",
    )
    ways = compress.add_mutually_exclusive_group()
    for way, does in (
        ("qat", "int8 by quantization-aware training only"),
        ("ptq", "int8 by post-training quantization only"),
        ("float", "no int8"),
    ):
        ways.add_argument(f"--{way}", action="store_const", const=way, dest="int8", help=does)
    compress.set_defaults(int8="best")
    compress.add_argument(
        "--in-float",
        nargs="+",
        default=(),
        metavar="LAYER",
        help="layers that stay float in int8 files, by the names that `lpienas sensitivity` prints",
    )
    _add_threads(compress)

    sensitive = _verb(
        verbs,
        "sensitivity",
        _sensitivity,
        "show what each layer of a compressed network loses in int8",
        "lpienas sensitivity runs/night",
    )
    sensitive.add_argument("run", type=Path, metavar="RUN", help="run folder")
    _add_threads(sensitive)

    export = _verb(
        verbs,
        "export",
        _export,
        "write files for phones and check each in its own runtime",
        "lpienas export runs/night --to litert --size 256x256 720x1280 1080x1920 2160x3840",
    )
    export.add_argument("run", type=Path, metavar="RUN", help="run folder")
    export.add_argument(
        "--to",
        nargs="+",
        choices=("onnx", "litert", "executorch", "coreml"),
        default=("onnx", "litert", "executorch"),
        metavar="FORMAT",
        help="onnx, litert, executorch, coreml (default: the first three; Core ML files can be run on macOS only)",
    )
    export.add_argument(
        "--size",
        nargs="+",
        type=_size,
        default=[(512, 512)],
        metavar="HxW",
        help="image sizes of LiteRT, ExecuTorch and Core ML files, a file each, padded up to multiples of 8 (512x512); "
        "phones are usually compared at 256x256 720x1280 1080x1920 2160x3840",
    )
    export.add_argument(
        "--licence",
        metavar="TEXT",
        help="what others may do with the files, for their metadata and the model card (what was said last)",
    )
    export.add_argument(
        "--workers",
        type=_count,
        default=min(4, os.cpu_count() or 1),
        metavar="N",
        help="files made at a time, about 1.2 GB each (one per processor, at most 4)",
    )

    enhance = _verb(
        verbs,
        "enhance",
        _enhance,
        "enhance photographs of any size, or folders of them",
        "lpienas enhance runs/night/exported/lpienet_int8.onnx photo.jpg -o better.png\n"
        "  lpienas enhance runs/night holiday/ -o better/",
    )
    enhance.add_argument("model", type=Path, metavar="MODEL", help="run folder, .onnx, .tflite or .pte")
    enhance.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO", help="picture files, and folders whose pictures are all meant"
    )
    enhance.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="picture file to write; a folder for several"
    )
    there = enhance.add_mutually_exclusive_group()
    there.add_argument("--force", action="store_true", help="overwrite results that exist")
    there.add_argument("--skip", action="store_true", help="leave results that exist, and do the rest")
    enhance.add_argument("--compare", type=Path, metavar="FILE", help="also draw before and after side by side")
    _add_threads(enhance, measured=False)

    measure = _verb(
        verbs,
        "bench",
        _bench,
        "time a run's network, or exported files, beside the reference",
        "lpienas bench runs/night --runtime litert --size 1080x1920 --threads 2",
    )
    measure.add_argument("models", type=Path, nargs="*", metavar="RUN|MODEL", help="run folder, or an exported file")
    measure.add_argument(
        "--runtime",
        nargs="+",
        choices=("pytorch", "onnx", "litert", "executorch", "openvino"),
        help="of a run's network (all that are installed); a file runs in its own",
    )
    measure.add_argument(
        "--size",
        nargs="+",
        type=_size,
        metavar="HxW",
        help="256x256 720x1280 1080x1920 2160x3840 if not given; a file of one size is timed at that",
    )
    measure.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="measure SSIM of every file in its own runtime on these photographs (a run's own figures)",
    )
    measure.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of each case in each round (2)")
    measure.add_argument(
        "--import",
        type=Path,
        nargs="+",
        default=[],
        dest="imported",
        metavar="FILE",
        help="what benchmark_model printed on a phone: its rows are put below",
    )
    measure.add_argument("--threads", type=_count, default=1, metavar="N", help="processor threads of a runtime (1)")

    delegates = _verb(
        verbs,
        "delegates",
        _delegates,
        "say which operators of exported files phones' accelerators do not take",
        "lpienas delegates runs/night",
    )
    delegates.add_argument("models", type=Path, nargs="+", metavar="RUN|MODEL", help="run folder, or an exported file")

    samples = _verb(
        verbs,
        "samples",
        _samples,
        "write the sample photographs kept for validation, noisy and clean",
        "lpienas samples --out photos",
    )
    samples.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write noisy/ and clean/ in")
    samples.add_argument("--seed", type=int, default=0, metavar="N", help="of the noise (0)")

    evaluate = _verb(
        verbs,
        "evaluate",
        _evaluate,
        "measure SSIM and PSNR on photographs",
        "lpienas evaluate runs/night runs/night/exported/*.onnx --data ~/pairs --json",
    )
    evaluate.add_argument("models", type=Path, nargs="+", metavar="MODEL", help="run folders and exported files")
    evaluate.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="pairs, or clean photographs to be degraded (default: the sample photographs kept for validation)",
    )
    _add_threads(evaluate, measured=False)
    return parser


def _verb(
    verbs: Any, name: str, function: Callable[[argparse.Namespace], None], purpose: str, example: str
) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=purpose,
        description=purpose[0].upper() + purpose[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object on standard output, nothing else")
    verb.set_defaults(verb=function)
    return verb


def _add_search_settings(verb: argparse.ArgumentParser) -> None:
    """All that a run folder is made with; a folder that is there already keeps what is not given."""
    verb.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder, made or continued")
    verb.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="noisy/ and clean/, or NAME_noisy.* and NAME_clean.*, or clean photographs only "
        "(default: sample photographs of scikit-image and scikit-learn)",
    )
    verb.add_argument(
        "--score",
        choices=("supernet", "short", "halving"),
        help="how candidates are scored: by weights that all share (supernet, the default), by a short training each, "
        "or by successive halving of short trainings",
    )
    verb.add_argument("--cost", choices=("macs", "latency", "memory"), help="what is to be small (macs)")
    verb.add_argument(
        "--latency-in",
        choices=("onnx-float", "onnx-int8", "litert-float", "litert-int8"),
        help="runtime and precision that latency is measured in, on one thread of this host (onnx-float)",
    )
    verb.add_argument(
        "--budget", metavar="COST", help="never score above it: 600M, 1.2GFLOPs; 25ms of latency; 8MB of memory"
    )
    _add_fix(verb)
    verb.add_argument("--steps", type=_count, metavar="N", help="training of the supernet (1000), or of each (400)")
    verb.add_argument("--sampler", choices=("auto", "gp", "tpe", "nsga2", "random"), help="who proposes (auto)")
    verb.add_argument("--seed", type=int, metavar="N", help="of everything random (0)")
    verb.add_argument("--size", type=_size, metavar="HxW", help="size at which costs are taken (256x256)")
    verb.add_argument("--patch", type=_count, metavar="PIXELS", help="side of a training patch (64)")
    verb.add_argument("--batch", type=_count, metavar="N", help="patches a step (8)")


def _add_fix(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--fix",
        nargs="+",
        metavar="GENE=VALUE",
        help="leave genes these choices: activation=relu attention=none,spatial encoder1.depth=1; or ones that the "
        "space leaves out: head=gated stem=space-to-depth block=mobilenet",
    )


def _add_workers(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--workers", type=_count, metavar="N", help="candidates at a time (one a processor, at most 4; on a GPU one)"
    )
    verb.add_argument("--threads", type=_count, metavar="N", help="processor threads of each worker (1)")


def _add_threads(verb: argparse.ArgumentParser, measured: bool = True) -> None:
    """`measured`: without the option, the verb finds out whether one thread or all of them are faster."""
    default, says = (None, "one or all, whichever is faster") if measured else (os.cpu_count() or 1, "all")
    verb.add_argument("--threads", type=_count, default=default, metavar="N", help=f"processor threads ({says})")


def _size(text: str) -> tuple[int, int]:
    from search_spaces.units import parse_size

    return _or_argument_error(parse_size, text)


def _macs(text: str) -> int:
    from search_spaces.units import parse_macs

    return _or_argument_error(parse_macs, text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number of at least 1")
    return int(text)


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _share_or_off(text: str) -> float | None:
    if text == "off":
        return None
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write the share of the MACs to remove, like 0.5, or off")
    return share


def _or_argument_error(parse: Callable[[str], _T], text: str) -> _T:
    """argparse shows the message of its own error type only."""
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
