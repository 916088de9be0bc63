"""Anatomy: what each stage of a network costs and is worth."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line, table
from lpienas.fields import a_file, option
from lpienas.shared import A_RUN_OR_NETWORK, ALL_THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomyOptions:
    """Which network, on which photographs."""

    run: Path = A_RUN_OR_NETWORK
    data: Path | None = option(
        None,
        "pairs, or clean photographs to be degraded",
        "DIR",
        parse=a_file,
        default="the run's own validation photographs, or the samples",
    )
    threads: int = ALL_THREADS


def anatomy(asked: AnatomyOptions, json_only: bool) -> None:
    """Print what SSIM and PSNR lose without each part."""
    import torch

    from lpienas.networks import saved_network
    from nas.anatomy import Sample, verdict, worthless
    from nas.anatomy import anatomy as look_into
    from nas.kept import kept_part
    from nas.task.data.pairs import judged, validation_pairs
    from nas.task.data.photos import read_folder
    from nas.task.task import TaskSettings, read_photos
    from results.files import load_network
    from results.run import Run, is_run
    from results.table import anatomy_table

    torch.set_num_threads(asked.threads)
    settings = TaskSettings.of_run(Run(asked.run).settings()) if is_run(asked.run) else TaskSettings()
    network = load_network(saved_network(asked.run))
    if asked.data is None and is_run(asked.run):
        photos = judged(kept_part(Run(asked.run), settings, "validation"), settings.judged)
        which = f"validation photographs of {asked.run}"
    elif asked.data is None:
        photos, which = read_photos(settings).validation, "sample validation photographs"
    else:
        photos, which = read_folder(asked.data), f"photographs of {asked.data}"
    side = settings.validation_side
    pairs = validation_pairs(photos, settings.degradation, settings.seed, side, settings.least_judged)
    which = f"{len(photos)} {which}, cropped to at most {side}x{side} pixels{pairs.says}"
    with bars() as shown:
        found = look_into(network, str(asked.run), Sample(pairs, which), watcher=shown).to_json()
    if json_only:
        as_json(found)
        return
    table(anatomy_table(found))
    line(
        f"SSIM {found['ssim']:.4f}, PSNR {found['psnr']:.2f} dB on {which}; lost: with the part's mean in its place, "
        "channel by channel"
    )
    for sentence in worthless(found) or [verdict(found)]:
        line(sentence)


VERB = Verb(
    "anatomy",
    "show what each stage of a network costs and is worth",
    "lpienas anatomy results/published/denoise/networks/0001 --data ~/pairs",
    AnatomyOptions,
    anatomy,
)
