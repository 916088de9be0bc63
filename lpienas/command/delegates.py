"""Delegates: which operators of exported files phones' accelerators do not take."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line
from lpienas.fields import a_file, named
from lpienas.shared import COMPRESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegatesOptions:
    """Which files."""

    models: tuple[Path, ...] = named("run folder, or an exported file", "RUN|MODEL", parse=a_file, several=True)
    compression: str | None = COMPRESSION


def delegates(asked: DelegatesOptions, json_only: bool) -> None:
    """Print what each file's delegates leave out, and whether a run's activations fit float16."""
    from compress.export.delegates import READABLE, delegated, largest_activation, report_lines
    from nas.kept import kept_part
    from nas.task.data.pairs import judged, validation_pairs
    from nas.task.task import TaskSettings
    from results.compressions import FLOAT, compression_of
    from results.files import load_network
    from results.run import Run, is_run

    files, largest = [], {}
    for path in asked.models:
        if not is_run(path):
            files.append(delegated(path))
            continue
        run = Run(path)
        compression = compression_of(run, asked.compression)
        exported = sorted(file for file in compression.exported.glob("lpienet_*") if file.suffix in READABLE)
        if not exported:
            raise FileNotFoundError(f"{path} has no exported files yet; make them: lpienas export {path}")
        files += [delegated(file) for file in exported]
        task = TaskSettings.of_run(run.settings())
        photos = judged(kept_part(run, task, "validation"), task.judged)
        pairs = validation_pairs(photos, task.degradation, task.seed, task.validation_side, task.least_judged)
        network = load_network(compression.network(FLOAT))
        largest[str(path)] = largest_activation(network, [degraded for _, degraded, _ in pairs])
    if json_only:
        ranges = {run: found.to_json() for run, found in largest.items()}
        as_json({"files": [file.to_json() for file in files], "largest_activation": ranges})
        return
    for said in report_lines(files, largest):
        line(said)


VERB = Verb(
    "delegates",
    "say which operators of exported files phones' accelerators do not take",
    "lpienas delegates runs/night",
    DelegatesOptions,
    delegates,
)
