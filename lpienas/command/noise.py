"""Noise: a camera's noise profile, from pairs of photographs."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, line, table
from lpienas.fields import a_file, needed, option, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseOptions:
    """Of which pairs, and where the profile goes."""

    data: Path = needed("pairs of noisy and clean photographs", "DIR", parse=a_file)
    out: Path | None = option(None, "write the profile, for --noise-profile of a search", "FILE.json", parse=a_file)
    force: bool = switch("overwrite a file that exists")


def noise(asked: NoiseOptions, json_only: bool) -> None:
    """Print the noise of each pair, and write the profile of all."""
    from lpienas.photographs import refuse_existing
    from nas.task.data.photos import read_folder
    from nas.task.noise_of_pairs import noise_of, profile_of
    from results.files import write_json
    from results.table import noise_table

    if asked.out is not None:
        refuse_existing([asked.out], asked.force)
    photos = read_folder(asked.data)
    seen = [(photo.name, noise_of(photo)) for photo in photos]
    found = [one for _, one in seen if one is not None]
    left_out = [name for name, one in seen if one is None]
    source = f"estimated by lpienas from {len(found)} pairs of photographs"
    profile = profile_of(found, asked.data.absolute().name, source)
    if asked.out is not None:
        write_json(asked.out, profile.to_json())
    if json_only:
        rows = [one.to_json() for one in found]
        as_json({"photographs": rows, "left_out": left_out, "profile": profile.to_json()})
        return
    table(noise_table([one.to_json() for one in found]))
    line(profile.describe())
    if left_out:
        line(f"left out, too few flat and unclipped blocks: {', '.join(left_out)}")
    if asked.out is not None:
        line(f"profile written to {asked.out}")


VERB = Verb(
    "noise",
    "estimate a camera's noise profile from pairs of photographs",
    "lpienas noise --data ~/pairs --out my-camera.json\n"
    "  lpienas search --out runs/night --data ~/photos --noise camera --noise-profile my-camera.json",
    NoiseOptions,
    noise,
)
