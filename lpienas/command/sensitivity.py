"""Sensitivity: what each layer of a compressed network loses in int8."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line, table
from lpienas.fields import a_file, count, named, option


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityOptions:
    """Of which run."""

    run: Path = named("run folder", "RUN", parse=a_file)
    threads: int | None = option(None, "processor threads", "N", parse=count, default="one or all, whichever is faster")


def sensitivity(asked: SensitivityOptions, json_only: bool) -> None:
    """Print the layers, the costliest first."""
    from compress.int8.calibration import calibration_of
    from compress.int8.sensitivity import sensitivity as measure
    from lpienas.searches import opened_task
    from results.files import has_network, load_network
    from results.run import NotCompressed, Run
    from results.table import sensitivity_table

    run = Run(asked.run)
    settings = run.settings()
    if not has_network(run.network("float")):
        raise NotCompressed(run.folder)
    with run.locked(), bars() as shown:
        task = opened_task(run, settings, asked.threads, shown)
        network, calibration = load_network(run.network("float")), calibration_of(run, task, settings["seed"])
        layers = [one.to_json() for one in measure(network, calibration, task.validation, shown)]
        run.summarize(sensitivity=layers)
    if json_only:
        as_json({"layers": layers})
        return
    table(sensitivity_table(layers))
    line("Leave the first of them in float: lpienas compress RUN --in-float LAYER ...")


VERB = Verb(
    "sensitivity",
    "show what each layer of a compressed network loses in int8",
    "lpienas sensitivity runs/night",
    SensitivityOptions,
    sensitivity,
)
