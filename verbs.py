"""Verbs: one function each; options become one settings value, one function is called, its result is printed."""

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes seconds to import; `--help` and wrong arguments answer at once
    from rich.console import Console

    from compress.runtimes import Runtime
    from nas.task.task import Task
    from results.progress import Bars
    from results.report import FrontReport
    from results.run import Run
    from search_spaces.blueprint import Blueprint

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
    "noise": "blend",
    "noise_profile": None,
    "blend": 0.5,
    "synthetic": 0.0,
    "validation": None,
    "test": None,
    "blur": None,
    "skip_unusable": False,
    "judged": 64,
}  # of a search
_BEFORE = {"noise": "white", "noise_profile": None, "blend": 0.5, "synthetic": 0.0}  # of a run that states none of it
_STEPS = {"supernet": 1000, "short": 400, "halving": 400}  # of training, by what is scored


def describe(options: argparse.Namespace) -> None:
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


def space(options: argparse.Namespace) -> None:
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


def search(options: argparse.Namespace) -> None:
    from nas.confirm import ConfirmSettings, confirm
    from nas.search import SearchSettings, inherited_network, search, space_of
    from nas.suggest import resolve_sampler
    from nas.task.training import Recipe
    from nas.unseen import crops_of
    from nas.workers import default_count, make_workers
    from results.files import read_json
    from results.run import Run, versions
    from search_spaces.units import format_cost, parse_cost

    run = Run(options.out)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        asked = _search_settings(run, options)
        space = space_of(asked)
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
        task = _open_task(run, asked, options.threads, options, begins=True)
        run.describe(asked)
        console = _console(stderr=True)
        if settings.budget is not None:
            console.print(
                f"budget {format_cost(settings.cost, settings.budget)} at {settings.size[0]}x{settings.size[1]}"
            )
        workers = stack.enter_context(make_workers(task, options.workers or default_count(task), options.threads or 1))
        bars = stack.enter_context(_bars(console))
        cost_of = _cost_of(run, settings.cost, settings.size, asked["latency_in"])
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
            test_input=task.test_input.to_json(),
            judged=crops_of(task.settings.validation_side),
            reference=report.reference.to_json(),
            search=report.to_json(),
        )
    _print_json(report.to_json()) if options.json else _console().print(report.verdict)


def calibrate(options: argparse.Namespace) -> None:
    from nas.calibrate import CalibrationSettings, calibrate
    from nas.confirm import INHERITED, SCRATCH
    from nas.scoring.supernet import SupernetSettings
    from nas.search import space_of
    from nas.task.training import Recipe
    from nas.workers import default_count, make_workers
    from results.run import Run
    from results.table import agreement_table
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
            start=INHERITED if options.start == "inherited" else SCRATCH,
        )
        task = _open_task(run, asked, options.threads, options, begins=True)
        workers = stack.enter_context(make_workers(task, options.workers or default_count(task), options.threads or 1))
        bars = stack.enter_context(_bars(_console(stderr=True)))
        result = calibrate(run.folder, space_of(asked), task, settings, workers, bars)
        run.summarize(calibration=result)
    if options.json:
        _print_json(result)
        return
    console = _console()
    console.print(agreement_table(result))
    console.print(f"advice: {result['advice']}", highlight=False)


def anatomy(options: argparse.Namespace) -> None:
    import torch

    from nas.anatomy import anatomy, verdict, worthless
    from nas.kept import kept_part
    from nas.task.data.pairs import judged, validation_pairs
    from nas.task.data.photos import read_folder
    from nas.task.task import TaskSettings, read_photos
    from results.files import load_network
    from results.run import Run, is_run
    from results.table import anatomy_table

    torch.set_num_threads(options.threads)
    settings = TaskSettings.of_run(Run(options.model).settings()) if is_run(options.model) else TaskSettings()
    network = load_network(_saved_network(options.model))
    if options.data is None and is_run(options.model):
        photos = judged(kept_part(Run(options.model), settings, "validation"), settings.judged)
        which = f"validation photographs of {options.model}"
    elif options.data is None:
        photos, which = read_photos(settings).validation, "sample validation photographs"
    else:
        photos, which = read_folder(options.data), f"photographs of {options.data}"
    side = settings.validation_side
    which = f"{len(photos)} {which}, cropped to at most {side}x{side} pixels"
    pairs = validation_pairs(photos, settings.noise, settings.seed, side)
    with _bars(_console(stderr=True)) as bars:
        found = anatomy(network, pairs, str(options.model), which, watcher=bars).to_json()
    if options.json:
        _print_json(found)
        return
    console = _console()
    console.print(anatomy_table(found))
    console.print(
        f"SSIM {found['ssim']:.4f}, PSNR {found['psnr']:.2f} dB on {which}; lost: with the part's mean in its place, "
        "channel by channel",
        highlight=False,
    )
    for sentence in worthless(found) or [verdict(found)]:
        console.print(sentence, highlight=False)


def front(options: argparse.Namespace) -> None:
    from nas.anatomy import anatomy_line
    from nas.calibrate import summary_line
    from nas.confirm import anatomies
    from results.files import read_json
    from results.plots import plot_front
    from results.run import Run
    from results.study import open_study
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
    looked_into = anatomies(run, open_study(run.study))
    if options.json:
        _print_json(report.to_json() | {"calibration": calibration, "anatomy": looked_into})
        return
    console = _console()
    console.print(front_table(report, size))
    for line in gene_lines(report.front):
        console.print(line, highlight=False)
    corner = report.reference_point
    volume, degraded = report.hypervolume, corner.ssim
    if report.test is not None:
        volume, degraded = report.test.hypervolume, report.test.input_ssim
    console.print(
        f"hypervolume {volume:.4f} SSIM x decades of cost on the {report.split} photographs, above SSIM "
        f"{degraded:.4f} (as they are, degraded) and below {format_cost(report.cost, corner.cost)} (the dearest "
        "network of the space)"
    )
    console.print("trials: " + ", ".join(f"{count} {state.lower()}" for state, count in report.trials.items()))
    for candidate in report.fell_off:
        ssim, _ = report.final(candidate)
        console.print(
            f"fell off the front: candidate {candidate.number}, SSIM {ssim:.4f} after full training", highlight=False
        )
    for number, found in sorted(looked_into.items()):
        console.print(f"candidate {number}: {anatomy_line(found[0])}", highlight=False)
    if calibration is not None:
        console.print(summary_line(calibration, settings["score"], settings["steps"]), highlight=False)
    console.print(report.verdict)
    if options.plot is not None:
        console.print(f"plot written to {options.plot}")


def compress(options: argparse.Namespace) -> None:
    from compress.pipeline import CompressSettings, Fast, compress
    from nas.anatomy import anatomy_line
    from results.pick import pick
    from results.run import Run
    from results.table import anatomy_table
    from search_spaces.units import parse_cost

    run = Run(options.run)
    settings = run.settings()
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        chosen = pick(_report(run), options.pick)
        task = _open_task(run, settings, options.threads, options)
        run.describe(settings)
        console = _console(stderr=True)
        console.print(f"chosen: candidate {chosen.number} ({options.pick})", highlight=False)
        prune = options.prune
        if isinstance(prune, str):
            runtime, precision = options.latency_in.split("-")
            prune = Fast(parse_cost("latency", prune), runtime, precision, options.size)
        plan = CompressSettings.from_steps(
            options.steps,
            prune,
            options.int8,
            options.distill,
            options.in_float,
            None if options.calibration is None else str(options.calibration.absolute()),
            settings["seed"],
        )
        summary = compress(run, chosen, task, plan, stack.enter_context(_bars(console)))
    if options.json:
        _print_json(summary)
        return
    _console().print(anatomy_table(summary["anatomy"]))
    _console().print(anatomy_line(summary["anatomy"]), highlight=False)


def export(options: argparse.Namespace) -> None:
    from compress.ship import ship
    from results.run import Run, is_run

    if not is_run(options.run):
        _export_network(options)
        return
    for name in ("out", "data", "calibration"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name} is for a network without a run; a run has photographs and a folder of its own, and takes "
                "int8 ranges from `lpienas compress --calibration`"
            )
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


def _export_network(options: argparse.Namespace) -> None:
    """Files of a network that has no run; int8 ones where `--calibration` names photographs."""
    from compress.calibration import folder_calibration
    from compress.export.about import NO_LICENCE
    from compress.ship import ship_network
    from nas.task.task import TaskSettings
    from nas.unseen import unseen

    network, settings = _saved_network(options.run), TaskSettings()
    out = network.parent if options.out is None else options.out
    judged_on = unseen([network], options.data)
    folder = options.calibration
    calibration = [] if folder is None else folder_calibration(settings, folder, settings.seed)
    with _bars(_console(stderr=True)) as bars:
        licence = options.licence or NO_LICENCE
        exported = ship_network(
            network, out, judged_on, calibration, options.to, options.size, options.workers, bars, licence
        )
    if options.json:
        _print_json({"exported": exported, "folder": str(out)})
        return
    console = _console()
    console.print(f"{len(exported)} files in {out}: {', '.join(sorted(exported))}", highlight=False)
    console.print(f"checked and scored on {judged_on.says}", highlight=False)
    if folder is None:
        console.print("no int8: name photographs of the camera with --calibration to have it", highlight=False)


def sensitivity(options: argparse.Namespace) -> None:
    from compress.calibration import calibration_of
    from compress.sensitivity import sensitivity
    from results.files import has_network, load_network
    from results.run import NotCompressed, Run
    from results.table import sensitivity_table

    run = Run(options.run)
    settings = run.settings()
    if not has_network(run.network("float")):
        raise NotCompressed(run.folder)
    with run.locked():
        task = _open_task(run, settings, options.threads)
        network, calibration = load_network(run.network("float")), calibration_of(run, task, settings["seed"])
        with _bars(_console(stderr=True)) as bars:
            found = sensitivity(network, calibration, task.validation, bars)
        layers = [one.to_json() for one in found]
        run.summarize(sensitivity=layers)
    if options.json:
        _print_json({"layers": layers})
        return
    _console().print(sensitivity_table(layers))
    _console().print("Leave the first of them in float: lpienas compress RUN --in-float LAYER ...", highlight=False)


def enhance(options: argparse.Namespace) -> None:
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
                height, width = enhance_photo(
                    partial(enhance, runtime, on_tile=on_tile), source, target, options.megapixels
                )
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


def samples(options: argparse.Namespace) -> None:
    from nas.task.data.photos import sample_photos, write_pairs
    from nas.task.task import TaskSettings, pairs_to_test

    pairs = pairs_to_test(sample_photos().test, TaskSettings(seed=options.seed), None)
    written = write_pairs(pairs, options.out)
    if options.json:
        _print_json({"written": [str(path) for path in written]})
    else:
        _console().print(f"{len(written)} pictures in {options.out}/noisy and {options.out}/clean", highlight=False)


def evaluate(options: argparse.Namespace) -> None:
    import torch

    from compress.tiles import enhance
    from nas.task.evaluation import evaluate, input_quality
    from nas.task.metrics import SSIM_DEFINITION
    from nas.unseen import left_out_line, unseen

    torch.set_num_threads(options.threads)
    judged_on = unseen(options.models, options.data, options.whole)
    pairs = judged_on.pairs
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
                    "split": judged_on.split,
                    "judged": judged_on.crops,
                    "left_out": list(judged_on.left_out),
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
    console.print(
        f"{judged_on.says}, {judged_on.crops}; as they are: SSIM {before.ssim:.4f}, PSNR {before.psnr:.2f} dB",
        highlight=False,
        soft_wrap=True,
    )
    if judged_on.left_out:
        console.print(left_out_line(judged_on), highlight=False, soft_wrap=True, markup=False)
    for row in rows:
        console.print(f"{row['model']} ({row['runtime']}): SSIM {row['ssim']:.4f}, PSNR {row['psnr']:.2f} dB")
    console.print(SSIM_DEFINITION)


def data(options: argparse.Namespace) -> None:
    from nas.survey import survey
    from nas.task.data.listing import Where
    from nas.task.data.tiles import DEFAULT_BYTES, Tiles, default_folder

    given = (options.folder, options.validation, options.test, options.blur)
    where = Where(*given, seed=options.seed or 0, skip_unusable=bool(options.skip_unusable))
    found = survey(where, Tiles(default_folder(), options.cache or DEFAULT_BYTES), not options.quick)
    if options.json:
        _print_json(found.to_json())
        return
    for line in found.lines():
        _console().print(line, highlight=False, markup=False, soft_wrap=True)


def noise(options: argparse.Namespace) -> None:
    from nas.task.data.photos import read_folder
    from nas.task.noise_of_pairs import noise_of, profile_of
    from results.files import write_json
    from results.table import noise_table

    if options.out is not None and options.out.exists() and not options.force:
        raise ValueError(f"{options.out} exists: give another --out, or --force to overwrite it")
    photos = read_folder(options.data)
    seen = [(photo.name, noise_of(photo)) for photo in photos]
    found = [one for _, one in seen if one is not None]
    left_out = [name for name, one in seen if one is None]
    source = f"estimated by lpienas from {len(found)} pairs of photographs"
    profile = profile_of(found, options.data.absolute().name, source)
    if options.out is not None:
        write_json(options.out, profile.to_json())
    if options.json:
        rows = [one.to_json() for one in found]
        _print_json({"photographs": rows, "left_out": left_out, "profile": profile.to_json()})
        return
    console = _console()
    console.print(noise_table([one.to_json() for one in found]))
    console.print(profile.describe(), highlight=False, markup=False)
    if left_out:
        console.print(f"left out, too few flat and unclipped blocks: {', '.join(left_out)}", markup=False)
    if options.out is not None:
        console.print(f"profile written to {options.out}", highlight=False, markup=False)


def bench(options: argparse.Namespace) -> None:
    from tempfile import TemporaryDirectory

    from compress.bench import bench, beside, imported, judge, ratio
    from compress.bench_files import SIZES, plan
    from nas.unseen import left_out_line, unseen
    from results.table import bench_table

    if not options.models and not options.imported:
        raise ValueError("nothing to bench: give a run folder, an exported file, or --import FILE")
    judged_on = None if options.data is None else unseen(options.models, options.data, options.whole)
    pairs = () if judged_on is None else judged_on.pairs
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
    said = "the test photographs of its run"
    if judged_on is not None:
        said = f"{judged_on.says}, {judged_on.crops}"
        said += f" ({left_out_line(judged_on)})" if judged_on.left_out else ""
    if options.json:
        _print_json({"rows": shown, "threads": options.threads, "ssim_of": said})
        return
    _console().print(bench_table(shown, said))


def delegates(options: argparse.Namespace) -> None:
    from compress.delegates import delegated, largest_activation, report_lines
    from nas.kept import kept_part
    from nas.task.data.pairs import judged, validation_pairs
    from nas.task.task import TaskSettings
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
        pairs = validation_pairs(
            judged(kept_part(run, task, "validation"), task.judged), task.noise, task.seed, task.validation_side
        )
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
    """A run folder's compressed float network, or a saved one, in PyTorch; or an exported file in its own runtime."""
    from compress.runtimes import load
    from results.run import is_run

    return load(_saved_network(path) if is_run(path) else path, threads)


def _saved_network(path: Path) -> Path:
    """Path without suffix of a run folder's compressed float network, or of the saved network that `path` names."""
    from results.files import has_network, network_at
    from results.run import NotCompressed, Run, is_run

    if is_run(path):
        stage = Run(path).network("float")
        if not has_network(stage):
            raise NotCompressed(path)
        return stage
    found = network_at(path)
    if found is None:
        raise FileNotFoundError(f"{path} is neither a run folder nor a network: name its .json, beside .safetensors")
    return found


def _search_settings(run: "Run", options: argparse.Namespace) -> dict[str, Any]:
    """What decides a search: given on the command line, else as the folder was made with, else the default."""
    from nas.search import space_of
    from nas.task.data.splits import PARTS
    from nas.task.degrade.profile import DEFAULT_PROFILE, PROFILES, find_profile
    from results.run import SPLITS

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
        "noise": options.noise,
        "noise_profile": None if options.noise_profile is None else find_profile(options.noise_profile).to_json(),
        "blend": options.blend,
        "synthetic": options.synthetic,
        "validation": None if options.validation is None else str(options.validation.absolute()),
        "test": None if options.test is None else str(options.test.absolute()),
        "blur": options.blur,
        "skip_unusable": options.skip_unusable,
        "judged": options.judged,
    }
    begun = (run.folder / "run.json").exists()
    made_with = _BEFORE | run.settings() if begun else _DEFAULTS
    asked = {name: made_with.get(name, _DEFAULTS[name]) if value is None else value for name, value in asked.items()}
    if asked["noise"] != "white" and asked["noise_profile"] is None:
        asked["noise_profile"] = PROFILES[DEFAULT_PROFILE].to_json()  # kept, whatever a later version's default is
    if options.noise_profile is not None and asked["noise"] == "white":
        raise ValueError(f"--noise-profile {options.noise_profile}: white noise has none; add --noise camera or blend")
    changed = [name for name in _BEFORE if begun and name not in run.settings() and asked[name] != _BEFORE[name]]
    if changed:  # run.describe compares what a run states
        raise ValueError(
            f"{run.folder} was made with white noise alone: leave out {', '.join(changed)}, or another --out"
        )
    if not begun or SPLITS in made_with:
        asked[SPLITS] = made_with.get(SPLITS, list(PARTS))
    if not begun or made_with.get("fix") == asked["fix"]:
        # A run keeps the space that it was begun in, whatever the default becomes in a later version.
        asked["space"] = made_with.get("space") or space_of(asked).to_json()
    return asked


def _report(run: "Run") -> "FrontReport":
    """The front of a run, by the best scores that it has."""
    from nas.confirm import anatomies
    from results.report import report_front
    from results.study import open_study

    settings, study = run.settings(), open_study(run.study)
    kept = anatomies(run, study)
    return report_front(study, settings.get("score", "short"), settings.get("cost", "macs"), kept)


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


def _open_task(
    run: "Run",
    settings: dict[str, Any],
    threads: int | None,
    options: argparse.Namespace | None = None,
    begins: bool = False,
) -> "Task":
    """`begins`: the verb writes down which photographs the run is about, or goes on with these."""
    from nas.kept import photographs_of
    from nas.prepare import prepare
    from nas.task.data.photos import decoded_bytes
    from nas.task.data.tiles import DEFAULT_BYTES, Tiles, default_folder
    from nas.task.task import TaskSettings

    if (run.folder / "run.json").exists():
        run.require_test_part()
    console = _console(stderr=True)
    task_settings = TaskSettings.of_run(settings)
    tiles = Tiles(default_folder(), getattr(options, "cache", None) or DEFAULT_BYTES)
    kept = options is None or options.photographs == "kept"
    photos, listed = photographs_of(run, task_settings, tiles, kept, begins)
    console.print(f"photographs: {photos.source}", highlight=False, markup=False)
    for problem in listed.left_out:
        console.print(f"left out: {problem}", highlight=False, markup=False)
    console.print(tiles.describe(decoded_bytes(listed.photographs)), highlight=False, markup=False)
    task = prepare(task_settings, run.device, threads, photos)
    console.print(f"device: {task.device.describe()}", highlight=False)
    return task


def _console(stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr)


def _bars(console: "Console") -> "Bars":
    from results.progress import Bars

    return Bars(console)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2))
