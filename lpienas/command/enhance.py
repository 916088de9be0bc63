"""Enhance: photographs of any size, or folders of them."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.fields import a_file, count, named, needed, option, switch
from lpienas.shared import ALL_THREADS


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhanceOptions:
    """By which network, which photographs, and where to."""

    model: Path = named(
        "run folder, one of its compressions/NAME.json, a network's .json, .onnx, .tflite or .pte",
        "MODEL",
        parse=a_file,
    )
    photos: tuple[Path, ...] = named(
        "picture files, and folders whose pictures are all meant", "PHOTO", parse=a_file, several=True
    )
    output: Path = needed("picture file to write; a folder for several", "OUT", parse=a_file, short="-o")
    force: bool = switch("overwrite results that exist", instead="there")
    skip: bool = switch("leave results that exist, and do the rest", instead="there")
    megapixels: int = option(400, "larger pictures are refused by their header", "N", parse=count)
    compare: Path | None = option(None, "also draw before and after side by side", "FILE", parse=a_file)
    threads: int = ALL_THREADS


def enhance(asked: EnhanceOptions, json_only: bool) -> None:
    """Enhance them, and print where they are; those that could not be are named."""
    from compress.runtime.photo import draw_before_after, plan_outputs
    from lpienas.networks import load
    from lpienas.photographs import enhance_planned, refuse_existing

    planned = plan_outputs(asked.photos, asked.output, asked.force, asked.skip)
    if asked.compare is not None:
        if len(planned) != 1:
            raise ValueError(f"--compare draws one photograph, and {len(planned)} are to be enhanced; name one")
        if asked.compare.absolute() == planned[0][1].absolute():
            raise ValueError(f"--compare {asked.compare}: the result itself is written there; name another file")
        refuse_existing([asked.compare], asked.force, planned[0])
    network = load(asked.model, asked.threads)
    with bars() as shown:
        found = enhance_planned(network, planned, shown, asked.megapixels)
    if asked.compare is not None and found.done:
        draw_before_after(*planned[0], asked.compare)
    if json_only:
        done = [
            {"source": str(one.source), "output": str(one.output), "size": list(one.size), "said": list(one.said)}
            for one in found.done
        ]
        failed = [{"source": str(source), "error": why} for source, why in found.failed]
        as_json({"model": str(asked.model), "runtime": network.runtime.name, "photos": done, "failed": failed})
    else:
        for one in found.done:
            line(f"{one.output}: {one.size[0]}x{one.size[1]}, by {asked.model} in {network.runtime.name}")
    if found.failed:
        raise RuntimeError(f"{len(found.failed)} of {len(planned)} photographs could not be enhanced; the rest is done")


VERB = Verb(
    "enhance",
    "enhance photographs of any size, or folders of them",
    "lpienas enhance runs/night/exported/small/lpienet_int8.onnx photo.jpg -o better.png\n"
    "  lpienas enhance runs/night holiday/ -o better/",
    EnhanceOptions,
    enhance,
    "photographs that are done stay; the same command with --skip does the rest",
)
