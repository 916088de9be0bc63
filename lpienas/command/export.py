"""Export: files for phones, each checked in its own runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.settings import ExportOptions
from lpienas.shared import A_RUN_OR_NETWORK

_MUCH = 0.02  # SSIM that an int8 file loses where its ranges are of other photographs than it meets


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWords(ExportOptions):
    """Of which network, which files."""

    run: Path = A_RUN_OR_NETWORK


def export(asked: ExportWords, json_only: bool) -> None:
    """Write the files, and print where they are."""
    from results.compressions import compression_at, compression_of
    from results.run import Run as Folder
    from results.run import is_run

    at = compression_at(asked.run)
    if at is not None:
        asked = replace(asked, run=at.run.folder, compression=at.name)
    if not is_run(asked.run):
        _export_network(asked, json_only)
        return
    from lpienas.runs import Run

    with bars() as shown:
        exported = Run(asked.run).export(asked, shown)
    if Folder(asked.run).settings().family is not None:  # of no compression: there is no card
        as_json({"exported": exported}) if json_only else line(f"{len(exported)} files: {', '.join(sorted(exported))}")
        return
    compression = compression_of(Folder(asked.run), asked.compression)
    if json_only:
        said = {"compression": compression.name, "folder": str(compression.exported), "card": str(compression.card)}
        as_json({"exported": exported} | said)
    else:
        line(f"{len(exported)} files in {compression.exported}, described in {compression.card}")
        if asked.hub is not None:
            line(f"ready to be pushed: {asked.hub} (hf upload OWNER/NAME {asked.hub})")


def _export_network(asked: ExportWords, json_only: bool) -> None:
    """Files of a network that has no run; int8 ones where `--calibration` names photographs."""
    from compress.export.ship import Bare, network_files, ship_network
    from compress.export.wanted import Wanted
    from compress.int8.calibration import folder_calibration
    from lpienas.families import opened_family
    from lpienas.included import is_included
    from lpienas.networks import saved_network
    from lpienas.photographs import refuse_existing
    from nas.task.task import TaskSettings
    from nas.unseen import unseen

    if asked.compression is not None:
        raise ValueError(f"--compression {asked.compression} is for a run folder, and {asked.run} is none")
    if asked.hub is not None:
        raise ValueError(f"--hub {asked.hub} is for a run folder, which has a model card, and {asked.run} is none")
    network, settings, folder = saved_network(asked.run), TaskSettings(), asked.calibration
    if asked.out is None and is_included(network):
        raise ValueError(f"{asked.run} comes with the package: say where its files go, with --out FOLDER")
    family = opened_family(asked.family)
    families = () if family is None else (family,)
    out = network.parent if asked.out is None else asked.out
    wanted = Wanted(asked.to, asked.size, asked.workers, asked.licence, asked.opset, asked.io, asked.activations)
    refuse_existing(network_files(network, out, wanted, folder is not None), asked.force)
    judged_on = unseen([network], asked.data)
    calibration = [] if folder is None else folder_calibration(settings, folder, settings.seed)
    with bars() as shown:
        exported = ship_network(Bare(network, out, judged_on, calibration, families), wanted, shown)
    if json_only:
        as_json({"exported": exported, "folder": str(out)})
        return
    line(f"{len(exported)} files in {out}: {', '.join(sorted(exported))}")
    line(f"checked and scored on {judged_on.says}")
    if folder is None:
        line("no int8: name photographs of the camera with --calibration to have it")
    for sentence in much_lost(exported):
        line(sentence)


def much_lost(exported: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each int8 file, of what `ship_network` gives, that loses more than int8 need cost."""
    from compress.export.formats import is_int8

    whole = [figures["ssim"] for figures in exported.values() if figures["precision"] == "float"]
    ssims = {name: figures["ssim"] for name, figures in exported.items() if is_int8(figures["precision"])}
    if not whole or whole[0] is None:
        return []
    return [
        f"{name} loses {whole[0] - ssim:.3f} SSIM: calibrate it on photographs as the network will meet them, with "
        "their noise (of pairs --calibration takes the degraded side); --activations 16 loses less"
        for name, ssim in ssims.items()
        if ssim is not None and whole[0] - ssim > _MUCH
    ]


VERB = Verb(
    "export",
    "write files for phones and check each in its own runtime",
    "lpienas export runs/night --compression small --to litert --size 256x256 720x1280 1088x1920 2160x3840",
    ExportWords,
    export,
    "files that are whole stay; for a run the same command makes the rest, for a network add --force",
)
