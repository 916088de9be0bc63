"""Sensitivity: what each layer of a compressed network loses in int8."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line, table
from lpienas.shared import A_RUN, COMPRESSION, TRAINING_THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityOptions:
    """Of which run."""

    run: Path = A_RUN
    compression: str | None = COMPRESSION
    threads: int | None = TRAINING_THREADS


def sensitivity(asked: SensitivityOptions, json_only: bool) -> None:
    """Print the layers, the costliest first."""
    from compress.int8.calibration import int8_calibration, kept_calibration
    from compress.int8.fitted import fitted
    from compress.int8.sensitivity import sensitivity as measure
    from lpienas.searches import opened_task
    from results.compressions import FLOAT, INT8, compression_of
    from results.files import load_network
    from results.run import Run
    from results.table import sensitivity_table

    run = Run(asked.run)
    settings = run.settings()
    run.require_test_part()
    compression = compression_of(run, asked.compression)
    with run.locked(), bars() as shown:
        task = opened_task(run, settings, asked.threads, shown)
        network = load_network(compression.network(FLOAT))
        if compression.has(INT8):
            calibration = kept_calibration(compression.calibration)
        else:
            calibration = int8_calibration(task, settings.seed)
        network = fitted(network, calibration)
        layers = [one.to_json() for one in measure(network, calibration, task.validation, shown)]
        run.summarize(sensitivity={compression.name: layers})
    if json_only:
        as_json({"layers": layers})
        return
    table(sensitivity_table(layers))
    line("Give the first of them 16 bits: lpienas compress RUN --wide LAYER ... (or leave them in float: --in-float)")


VERB = Verb(
    "sensitivity",
    "show what each layer of a compressed network loses in int8",
    "lpienas sensitivity runs/night",
    SensitivityOptions,
    sensitivity,
)
