"""Samples: the sample photographs kept for the test, noisy and clean."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line
from lpienas.fields import a_file, needed, option, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesOptions:
    """Where to, and with which noise."""

    out: Path = needed("folder to write noisy/ and clean/ in", "DIR", parse=a_file)
    seed: int = option(0, "of the noise", "N", parse=int)
    force: bool = switch("overwrite pictures that exist")


def samples(asked: SamplesOptions, json_only: bool) -> None:
    """Write them, and print where."""
    from lpienas.photographs import refuse_existing
    from nas.task.data.photos import sample_photos, write_pairs
    from nas.task.task import TaskSettings, pairs_to_test

    pairs = pairs_to_test(sample_photos().test, TaskSettings(seed=asked.seed), None)
    files = [asked.out / side / f"{name}.png" for name, *_ in pairs for side in ("noisy", "clean")]
    refuse_existing(files, asked.force)
    written = write_pairs(pairs, asked.out)
    if json_only:
        as_json({"written": [str(path) for path in written]})
    else:
        line(f"{len(written)} pictures in {asked.out}/noisy and {asked.out}/clean")


VERB = Verb(
    "samples",
    "write the sample photographs kept for the test, noisy and clean",
    "lpienas samples --out photos",
    SamplesOptions,
    samples,
    "pictures that are written stay; the same command with --force writes all of them",
)
