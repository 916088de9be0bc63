"""Table: candidates and figures as rich tables for the terminal."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from results.agreement import BAND, Agreement, Interval
from results.candidate import Candidate
from results.compared import INPUT, TOLD, Row, in_order
from results.paired import interval_words
from results.photo_score import PhotoScore
from results.quoted import Quoted
from results.report import FrontReport
from results.study import Trained
from search_spaces.own import AnyGenotype, OwnGenotype
from search_spaces.space import REFERENCE
from search_spaces.units import format_cost


def front_table(report: FrontReport, size: tuple[int, int]) -> Table:
    """The front, cheapest first, what was trained fully and is dominated, the reference; fits 80 columns."""
    table = Table(
        title=f"Pareto front (costs at {size[0]}x{size[1]}; 1 MAC = 2 FLOPs)",
        caption=f"SSIM and PSNR {report.measured_on}",
    )
    table.add_column("number")
    extra = () if report.cost == "macs" else (report.cost,)
    for column in ("SSIM", "PSNR dB", *extra, "MMACs", "MFLOPs", "parameters"):
        table.add_column(column, justify="right", no_wrap=True)
    reference = report.reference
    for candidate in report.front:
        mark = " knee" if candidate.number == report.knee.number else ""
        mark += " reference" if candidate.number == reference.number else ""
        table.add_row(*_row(report, candidate, mark), style="bold" if mark else "")
    beaten = report.trained_and_dominated
    if beaten:
        table.add_section()
    for candidate in beaten:
        table.add_row(*_row(report, candidate, " dominated"), style="dim")
    if all(candidate.number != reference.number for candidate in report.front):
        table.add_section()
        table.add_row(*_row(report, reference, " reference"), style="cyan")
    return table


def photographs_table(trained: Sequence[Trained]) -> Table:
    """SSIM and PSNR of each full training on each test photograph, the worst photographs first, mean of the seeds."""
    networks = sorted({training.number for training in trained if training.test})
    table = Table(title="SSIM and PSNR on each test photograph", box=box.SIMPLE, padding=0)
    table.add_column("photograph", overflow="fold")
    for number in networks:
        table.add_column(str(number), justify="right", no_wrap=True)
    found: dict[str, dict[int, list[PhotoScore]]] = {}
    for training in trained:
        for score in training.test:
            found.setdefault(score.name, {}).setdefault(training.number, []).append(score)
    mean = {name: fmean(score.ssim for scores in of.values() for score in scores) for name, of in found.items()}
    for name in sorted(found, key=lambda name: mean[name]):
        table.add_row(escape(name), *(_of_seeds(found[name].get(number, [])) for number in networks))
    return table


def _of_seeds(scores: Sequence[PhotoScore]) -> str:
    if not scores:
        return ""
    return f"{fmean(one.ssim for one in scores):.4f} {fmean(one.psnr for one in scores):.2f}"


def agreement_table(result: Mapping[str, Any]) -> Table:
    """Kendall's tau of each score with full training, of a calibration's result, beside that of counting."""
    networks, steps, seeds = len(result["networks"]), result["full_steps"], result.get("seeds", 1)
    found = [Agreement.from_json(one) for one in result["agreements"]]
    trained = f"{networks} networks, {steps} steps, {seeds} seed{'s' if seeds > 1 else ''}; 95 % intervals; CPU s: each"
    table = Table(title="Agreement with full training", caption=trained, box=box.SIMPLE, padding=0)
    table.add_column("score", overflow="fold")
    compared = any(one.above_macs is not None for one in found)  # versions before did not
    for column in ("Kendall tau", *(("above MACs", "equal MACs") if compared else ()), "CPU s"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in found:
        more = [_between(one.above_macs, "+"), _between(one.within_bands)] if compared else []
        table.add_row(one.name, _between(Interval(one.tau, one.low, one.high)), *more, f"{one.seconds:.1f}")
    if compared:
        table.caption = f"{trained}; equal MACs: pairs that differ at most {BAND} times"
    return table


def noise_table(photographs: Sequence[Mapping[str, Any]]) -> Table:
    """One line a pair, as nas.task.noise_of_pairs.PhotoNoise.to_json gives it."""
    table = Table(
        title="Noise in linear light: variance = shot x signal + read^2",
        caption="level: of all noise, for enhance --noise-level; shot, read: of green; luma, chroma: correlation of "
        "neighbouring pixels' noise in brightness and colour; colour: its noise against that of independent channels",
    )
    table.add_column("photograph", overflow="fold")
    for column in ("PSNR dB", "level", "shot", "read", "luma", "chroma", "colour"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in photographs:
        shot, read = (f"{one[name][1]:.1e}" if one[name][1] else "none" for name in ("shot", "read"))
        others = (f"{one[name]:.2f}" for name in ("luma_correlation", "chroma_correlation", "chroma"))
        table.add_row(escape(one["name"]), f"{one['psnr']:.1f}", f"{one['level']:.1f}", shot, read, *others)
    return table


def _between(figure: Interval | None, sign: str = "") -> str:
    return "-" if figure is None else f"{figure.value:{sign}.2f} ({figure.low:.2f}, {figure.high:.2f})"


def bench_table(rows: Sequence[Mapping[str, Any]], judged_on: str = "the test photographs of its run") -> Table:
    """One line a measured case, as compress.bench.bench.Row.to_json gives it, with `faster`: (times, spread) or None.

    `judged_on` says in words which photographs SSIM is of. A size or number of threads that all cases share stands in
    the title, so that a terminal of 80 columns holds it.
    """
    columns: dict[str, list[str]] = {
        "network": [escape(row["network"]) for row in rows],
        "runtime": [f"{row['runtime']} {row['precision']}" for row in rows],
        "size": ["" if row["size"] is None else f"{row['size'][0]}x{row['size'][1]}" for row in rows],
        "threads": [_shown(row["threads"], ".0f") for row in rows],
        "ms": [_time(row["median"], row["spread"]) + (" mean" if row.get("is_mean") else "") for row in rows],
        "faster": ["" if row["faster"] is None else "{:.1f} +- {:.1f}".format(*row["faster"]) for row in rows],
        "peak MB": [_shown(row["peak_memory"], ".0f", 1e6) for row in rows],
        "KB": [_shown(row["file_bytes"], ".0f", 1e3) for row in rows],
        "SSIM": [_shown(row["ssim"], ".4f") for row in rows],
    }
    any_mean = any(row.get("is_mean") for row in rows)
    shared = [name for name in ("size", "threads") if len(set(columns[name])) == 1 and columns[name][0]]
    said = "".join(f", {name} {columns.pop(name)[0]}" for name in shared)
    table = Table(
        title=f"Latency of one image{said} (median, half the distance of the quartiles)",
        caption=("mean: all that the phone printed; " if any_mean else "")
        + "faster: than the LPIENet reference in float in the same runtime, at the same size; "
        f"SSIM: of {escape(judged_on)}",
        box=box.SIMPLE,
        padding=0,
    )
    for name in columns:
        words = name in ("network", "runtime")
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    for row_of_texts in zip(*columns.values(), strict=True):
        table.add_row(*row_of_texts)
    return table


def _time(median: float, spread: float) -> str:
    digits = 0 if median >= 1000 else 1
    return f"{median:.{digits}f} +- {spread:.{digits}f}"


def _shown(value: float | None, form: str, unit: float = 1) -> str:
    """A number in `unit`s; nothing for what was not measured."""
    return "" if value is None else format(value / unit, form)


def sensitivity_table(layers: Sequence[Mapping[str, Any]]) -> Table:
    """What each layer costs in int8, as compress.int8.sensitivity.Sensitivity.to_json gives it."""
    table = Table(title="Lost to int8, by each layer alone (post-training quantization)")
    table.add_column("layer")
    for column in ("SSIM", "PSNR dB"):
        table.add_column(column, justify="right", no_wrap=True)
    for number, one in enumerate(layers):
        table.add_row(one["layer"], f"{one['ssim_loss']:.4f}", f"{one['psnr_loss']:.2f}", end_section=number == 0)
    return table


def anatomy_table(found: Mapping[str, Any]) -> Table:
    """What each part of a network is worth, as nas.anatomy.Anatomy.to_json gives it."""
    table = Table(title=f"{escape(found['network'])}: {format_cost('macs', found['macs'])} at 256x256", box=box.SIMPLE)
    table.add_column("part", no_wrap=True)
    for column in ("MACs", "firing", "SSIM lost", "95 % interval", "dB lost"):
        table.add_column(column, justify="right")
    for place, part in enumerate(sorted(found["stages"], key=lambda part: part["kind"] != "stage")):
        first_of_others = place + 1 == sum(one["kind"] == "stage" for one in found["stages"])
        share = "" if part["kind"] == "skip" else f"{part['macs_share']:.1%}"
        interval = interval_words(part.get("ssim_low"), part.get("ssim_high"))
        lost = f"{part['ssim_lost']:.4f}", interval, f"{part['psnr_lost']:.2f}"
        table.add_row(part["name"], share, f"{part['firing']:.0%}", *lost, end_section=first_of_others)
    return table


def gene_lines(candidates: Sequence[Candidate]) -> list[str]:
    """One line a candidate: its genes, stage by stage in order (LPIENet: encoder1/2/3, decoder1/2)."""
    return [f"  {candidate.number}: {genes_line(candidate.genotype)}" for candidate in candidates]


def genes_line(genotype: AnyGenotype) -> str:
    """The genes of one network, stage by stage; shared ones only where they are not the reference's."""
    if isinstance(genotype, OwnGenotype):
        return f"{genotype.family.name}: " + ", ".join(f"{gene} {value}" for gene, value in genotype.genes)
    stages = genotype.stages
    widths = "/".join(str(stage.width) for stage in stages)
    depths = "/".join(str(stage.depth) for stage in stages)
    expansions = "/".join(f"{stage.expansion:g}" for stage in stages)
    attentions = "/".join(stage.attention for stage in stages)
    words = "".join(
        f", {says}"
        for gene, says in (
            ("block", f"{genotype.block} block"),
            ("stem", f"{genotype.stem} stem"),
            ("levels", f"{genotype.levels} levels"),
            ("opening", f"{genotype.opening} opening"),
            ("join", f"{genotype.join} joins"),
            ("upsampling", f"{genotype.upsampling} upsampling"),
            ("kernel", f"{genotype.kernel}x{genotype.kernel} depthwise"),
        )
        if getattr(genotype, gene) != getattr(REFERENCE, gene)
    )
    return (
        f"width {widths}, depth {depths}, expansion {expansions}, attention {attentions}, {genotype.activation}, "
        f"{genotype.head} head{words}"
    )


def _row(report: FrontReport, candidate: Candidate, mark: str) -> list[str]:
    scores = candidate.scores
    quality = ["-", "-"]  # of a reference that these scores do not measure; its costs are known
    if candidate.number != report.reference.number or report.comparison is not None:
        ssim, psnr = report.final(candidate)
        quality = [f"{ssim:.4f}", f"{psnr:.2f}"]
    extra = [] if report.cost == "macs" else [format_cost(report.cost, scores.cost)]
    return [
        f"{candidate.number}{mark}",
        *quality,
        *extra,
        f"{scores.macs / 1e6:.1f}",
        f"{2 * scores.macs / 1e6:.1f}",
        f"{scores.parameters:,}",
    ]


def compared_table(rows: Sequence[Row], quoted: Sequence[Quoted], clipped: bool) -> Table:
    """Methods on the same photographs, blind ones apart from those that are told what no camera knows.

    `clipped`: with the PSNR over clipped pixels. Figures that were not measured here are marked as quoted.
    """
    table = Table(caption="R G B: mean colour shift in levels of 255; 1 MAC = 2 FLOPs", box=box.SIMPLE, padding=(0, 1))
    table.add_column("method", overflow="fold")
    perceptual = [name for name in ("lpips", "dists") if any(row.mean(name) is not None for row in rows)]
    extra = [*(name.upper() for name in perceptual), *(["clipped dB"] if clipped else [])]
    for column in ("SSIM", "PSNR dB", *extra, "s a MP", "MMACs", "R G B"):
        table.add_column(column, justify="right", no_wrap=True)
    kind = None
    for row in in_order(rows):
        if kind is not None and (row.kind == TOLD) != (kind == TOLD):
            table.add_section()
        kind = row.kind
        figures = [_figure(row.mean(name), ".4f") for name in perceptual]
        figures += [_figure(row.mean("clipped"), ".2f")] if clipped else []
        macs = "" if row.macs is None else f"{row.macs / 1e6:.1f}"
        shift = " ".join(f"{levels:+.2f}" for levels in row.colour_shift)
        name = escape(row.name) + (f" ({row.runtime})" if row.runtime else "") + (" *" if row.told else "")
        seconds = "" if row.kind == INPUT else f"{row.seconds_per_megapixel:.3f}"
        table.add_row(name, f"{row.ssim:.4f}", f"{row.psnr:.2f}", *figures, seconds, macs, shift)
    if quoted:
        table.add_section()
    for one in quoted:
        macs = "" if one.macs is None else f"{one.macs / 1e6:.0f}"
        blank = [""] * len(extra)
        table.add_row(f"{escape(one.name)}, quoted", f"{one.ssim:.4f}", f"{one.psnr:.2f}", *blank, "", macs, "")
    return table


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
