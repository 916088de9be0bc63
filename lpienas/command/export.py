"""Export: files for phones, each checked in its own runtime."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.anatomy import RUN_OR_NETWORK
from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.fields import a_file, named
from lpienas.settings import ExportOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWords(ExportOptions):
    """Of which network, which files."""

    run: Path = named(RUN_OR_NETWORK, "RUN|NETWORK", parse=a_file)


def export(asked: ExportWords, json_only: bool) -> None:
    """Write the files, and print where they are."""
    from results.run import is_run

    if not is_run(asked.run):
        _export_network(asked, json_only)
        return
    from lpienas.runs import Run
    from results.run import Run as Folder

    folder = Folder(asked.run)
    with bars() as shown:
        exported = Run(asked.run).export(asked, shown)
    if json_only:
        as_json({"exported": exported, "card": str(folder.card)})
    else:
        line(f"{len(exported)} files in {folder.exported}, described in {folder.card}")


def _export_network(asked: ExportWords, json_only: bool) -> None:
    """Files of a network that has no run; int8 ones where `--calibration` names photographs."""
    from compress.export.ship import network_files, ship_network
    from compress.int8.calibration import folder_calibration
    from compress.runtime.about import NO_LICENCE
    from lpienas.networks import saved_network
    from lpienas.photographs import refuse_existing
    from nas.task.task import TaskSettings
    from nas.unseen import unseen

    network, settings, folder = saved_network(asked.run), TaskSettings(), asked.calibration
    out = network.parent if asked.out is None else asked.out
    refuse_existing(network_files(network, out, asked.to, asked.size, folder is not None), asked.force)
    judged_on = unseen([network], asked.data)
    calibration = [] if folder is None else folder_calibration(settings, folder, settings.seed)
    with bars() as shown:
        licence = asked.licence or NO_LICENCE
        exported = ship_network(
            network, out, judged_on, calibration, asked.to, asked.size, asked.workers, shown, licence
        )
    if json_only:
        as_json({"exported": exported, "folder": str(out)})
        return
    line(f"{len(exported)} files in {out}: {', '.join(sorted(exported))}")
    line(f"checked and scored on {judged_on.says}")
    if folder is None:
        line("no int8: name photographs of the camera with --calibration to have it")


VERB = Verb(
    "export",
    "write files for phones and check each in its own runtime",
    "lpienas export runs/night --to litert --size 256x256 720x1280 1080x1920 2160x3840",
    ExportWords,
    export,
    "files that are whole stay; for a run the same command makes the rest, for a network add --force",
)
