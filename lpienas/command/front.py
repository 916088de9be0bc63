"""Front: what a search found, as a table, a picture and a verdict."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line, table
from lpienas.fields import a_file, option, switch
from lpienas.shared import A_RUN

CALIBRATED_AGAIN = "delete it, and `lpienas calibrate` makes it again from what it has trained"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontOptions:
    """Which run, and whether it is drawn."""

    run: Path = A_RUN
    under: str | None = option(None, "only what costs at most so much", "600M|25ms|8MB")
    above: float | None = option(None, "only what has at least this SSIM", "SSIM", parse=float)
    photographs: bool = switch("SSIM and PSNR of each test photograph, the worst first")
    csv: Path | None = option(None, "write every candidate, figures and genes, as CSV", "FILE.csv", parse=a_file)
    plot: Path | None = option(None, "draw SSIM over the cost", "FILE.png|FILE.svg", parse=a_file)
    control: Path | None = option(
        None, "draw the front of a random search of equal computing beside it", "RUN", parse=a_file
    )
    force: bool = switch("overwrite a file that exists")


def front(asked: FrontOptions, json_only: bool) -> None:
    """Print the front, and draw it where a file is named."""
    from lpienas.photographs import refuse_existing
    from lpienas.runs import Run as Searched
    from lpienas.searches import STEPS
    from nas.anatomy import anatomy_line
    from nas.calibrate import summary_line
    from nas.confirm import anatomies
    from results.files import held_in, read_json, written_whole
    from results.narrowed import Limits, advised, narrowed
    from results.plots import plot_front
    from results.run import Run
    from results.sheet import sheet
    from results.study import full_trainings, open_study
    from results.table import front_table, gene_lines, photographs_table
    from results.text_plot import text_plot
    from search_spaces.units import format_cost, parse_cost

    refuse_existing([path for path in (asked.plot, asked.csv) if path is not None], asked.force)
    run = Run(asked.run)
    settings = run.settings()
    report = Searched(asked.run).report()
    calibration, calibrated = None, ""
    if run.calibration.exists():
        calibration = read_json(run.calibration, CALIBRATED_AGAIN)
        with held_in(run.calibration, CALIBRATED_AGAIN):
            calibrated = summary_line(calibration, settings.score, settings.steps or STEPS[settings.score])
    limits = Limits(None if asked.under is None else parse_cost(report.cost, asked.under), asked.above)
    shown = narrowed(report, limits)
    if asked.csv is not None:
        with written_whole(asked.csv) as temporary:
            temporary.write_text(sheet(shown))
    control = None if asked.control is None else Searched(asked.control).report().front
    if asked.plot is not None:
        plot_front(asked.plot, report, settings.size, control)
    study = open_study(run.study)
    looked_into, trained = anatomies(run, study), full_trainings(study)
    if json_only:
        apart = [asdict(one) for one in trained] if asked.photographs else []
        more = {"calibration": calibration, "anatomy": looked_into, "trainings": apart}
        as_json(shown.to_json() | more)
        return
    table(front_table(shown, settings.size))
    line(text_plot(shown))
    for genes in gene_lines(shown.front):
        line(genes)
    if limits != Limits():
        chosen = advised(report, limits, shown.front)
        line(f"within these limits: candidate {chosen.number}; `lpienas compress {asked.run} --pick {chosen.number}`")
    if asked.photographs:
        table(photographs_table(trained))
    corner = report.reference_point
    volume, degraded = report.hypervolume, corner.ssim
    if report.test is not None:
        volume, degraded = report.test.hypervolume, report.test.input_ssim
    line(
        f"hypervolume {volume:.4f} SSIM x decades of cost on the {report.split} photographs, above SSIM "
        f"{degraded:.4f} (as they are, degraded) and below {format_cost(report.cost, corner.cost)} (the dearest "
        "network of the space)"
    )
    line("trials: " + ", ".join(f"{count} {state.lower()}" for state, count in report.trials.items()))
    for candidate in report.fell_off:
        ssim, _ = report.final(candidate)
        line(f"fell off the front: {report.named(candidate.number)}, SSIM {ssim:.4f} after full training")
    for number, found in sorted(looked_into.items()):
        line(f"{report.named(number)}: {anatomy_line(found[0])}")
    if calibrated:
        line(calibrated)
    line(report.verdict)
    if asked.plot is not None:
        line(f"plot written to {asked.plot}")
    if asked.csv is not None:
        line(f"candidates written to {asked.csv}")


VERB = Verb("front", "show what a search found", "lpienas front runs/night --plot front.png", FrontOptions, front)
