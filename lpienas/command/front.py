"""Front: what a search found, as a table, a picture and a verdict."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line, table
from lpienas.fields import a_file, named, option, switch

CALIBRATED_AGAIN = "delete it, and `lpienas calibrate` makes it again from what it has trained"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontOptions:
    """Which run, and whether it is drawn."""

    run: Path = named("run folder", "RUN", parse=a_file)
    plot: Path | None = option(None, "draw SSIM over the cost", "FILE.png", parse=a_file)
    control: Path | None = option(
        None, "draw the front of a random search of equal computing beside it", "RUN", parse=a_file
    )
    force: bool = switch("overwrite a picture that exists")


def front(asked: FrontOptions, json_only: bool) -> None:
    """Print the front, and draw it where a file is named."""
    from lpienas.photographs import refuse_existing
    from lpienas.runs import Run as Searched
    from nas.anatomy import anatomy_line
    from nas.calibrate import summary_line
    from nas.confirm import anatomies
    from results.files import held_in, read_json
    from results.plots import plot_front
    from results.run import Run
    from results.study import open_study
    from results.table import front_table, gene_lines
    from search_spaces.units import format_cost

    if asked.plot is not None:
        refuse_existing([asked.plot], asked.force)
    run = Run(asked.run)
    settings = run.settings()
    size = (settings["size"][0], settings["size"][1])
    report = Searched(asked.run).report()
    calibration, calibrated = None, ""
    if run.calibration.exists():
        calibration = read_json(run.calibration, CALIBRATED_AGAIN)
        with held_in(run.calibration, CALIBRATED_AGAIN):
            calibrated = summary_line(calibration, settings["score"], settings["steps"])
    control = None if asked.control is None else Searched(asked.control).report().front
    if asked.plot is not None:
        plot_front(asked.plot, report, size, control)
    looked_into = anatomies(run, open_study(run.study))
    if json_only:
        as_json(report.to_json() | {"calibration": calibration, "anatomy": looked_into})
        return
    table(front_table(report, size))
    for genes in gene_lines(report.front):
        line(genes)
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
        line(f"fell off the front: candidate {candidate.number}, SSIM {ssim:.4f} after full training")
    for number, found in sorted(looked_into.items()):
        line(f"candidate {number}: {anatomy_line(found[0])}")
    if calibrated:
        line(calibrated)
    line(report.verdict)
    if asked.plot is not None:
        line(f"plot written to {asked.plot}")


VERB = Verb("front", "show what a search found", "lpienas front runs/night --plot front.png", FrontOptions, front)
