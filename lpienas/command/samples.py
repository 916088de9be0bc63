"""Samples: the sample photographs kept for the test, degraded and clean, and a page to look at."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line
from lpienas.fields import a_file, needed, option, switch
from lpienas.run_settings import TASKS
from lpienas.shared import DEGRADATION

_SIDE = 200  # pixels of a picture on a page


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesOptions:
    """Where to, and degraded by which task."""

    out: Path = needed(
        "folder to write noisy/ (of other tasks than denoise degraded/) and clean/ in", "DIR", parse=a_file
    )
    task: str = option("denoise", "whose degradation they get", choices=TASKS)
    kernels: Path | None = option(
        None, "blur kernels or a point spread function, as of a search", "FILE", parse=a_file, default="made by a model"
    )
    degradation: str | None = option(None, **DEGRADATION)
    page: Path | None = option(
        None,
        "write a page too: photographs as they are, and a little, more and much degraded",
        "FILE.jpg",
        parse=a_file,
    )
    seed: int = option(0, "of the degradation", "N", parse=int)
    force: bool = switch("overwrite pictures that exist")


def samples(asked: SamplesOptions, json_only: bool) -> None:
    """Write them, and print where."""
    from lpienas.photographs import refuse_existing
    from nas.task.data.photos import sample_photos, write_pairs
    from nas.task.degrade import KernelFile
    from nas.task.degrade.own import Own
    from nas.task.own import OwnCode
    from nas.task.task import TaskSettings, pairs_to_test

    kernels = None if asked.kernels is None else KernelFile.of(asked.kernels)
    own = None if asked.degradation is None else Own(OwnCode.named(asked.degradation))
    settings = TaskSettings(seed=asked.seed, task=asked.task, kernels=kernels, own=own)
    photos = sample_photos().test
    degraded = "noisy" if asked.task == "denoise" and own is None else "degraded"
    pairs = pairs_to_test(photos, settings, None)
    files = [asked.out / side / f"{name}.png" for name, *_ in pairs for side in (degraded, "clean")]
    refuse_existing([*files, *([asked.page] if asked.page else [])], asked.force)
    written = write_pairs(pairs, asked.out, degraded)
    if asked.page is not None:
        from nas.task.page import page
        from nas.task.panels import picture_of
        from results.files import written_whole

        image = page(photos, settings.degradation, asked.seed, _SIDE)
        with written_whole(asked.page) as temporary:
            picture_of(image).save(temporary)
        written.append(asked.page)
    if json_only:
        as_json({"written": [str(path) for path in written]})
    else:
        line(f"{len(files)} pictures in {asked.out}/{degraded} and {asked.out}/clean")
        if asked.page is not None:
            of = asked.task if own is None else asked.degradation
            line(f"page written to {asked.page}: as they are, then at levels 0.2, 0.5 and 0.9 of {of}")


VERB = Verb(
    "samples",
    "write the sample photographs kept for the test, degraded and clean",
    "lpienas samples --out photos\n  lpienas samples --out blurred --task deblur --page blurred.jpg",
    SamplesOptions,
    samples,
    "pictures that are written stay; the same command with --force writes all of them",
)
