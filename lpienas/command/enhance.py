"""Enhance: photographs of any size, or folders of them, and SIDD's benchmark blocks."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.fields import a_file, count, named, needed, option, switch
from lpienas.run_settings import TASKS
from lpienas.shared import ALL_THREADS

if TYPE_CHECKING:
    from lpienas.networks import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhanceOptions:
    """By which network, which photographs, and where to."""

    words: tuple[Path, ...] = named(
        "the network, where it is not the one that comes with the package: run folder, one of its "
        "compressions/NAME.json, a network's .json, .onnx, .tflite or .pte; then picture files, folders whose pictures "
        "are all meant, or the .mat file of SIDD's benchmark blocks",
        "MODEL|PHOTO",
        parse=a_file,
        several=True,
    )
    output: Path = needed(
        "picture file to write; a folder for several; of blocks .mat, or .csv as SIDD's contest on Kaggle takes it",
        "OUT",
        parse=a_file,
        short="-o",
    )
    task: str | None = option(
        None, "of networks that come with the package: which", choices=TASKS, default="denoise, without MODEL"
    )
    precision: str | None = option(
        None,
        "of networks that come with the package: float, or weights of 8 and activations of 16 bits, as NPUs compute",
        choices=("float", "16x8"),
        default="float, without MODEL",
    )
    strength: float = option(
        1.0, "how much of the enhanced picture, the rest of it as it is: from 0 to 1", "SHARE", parse=float
    )
    hold: float | None = option(
        None,
        "of a denoiser: take away nowhere more than so many times the noise that the photograph has at that "
        "brightness, and of it what answers a little more noise, so that texture is not taken for noise; it takes "
        "twice as long; 1 or more, 0 for no limit",
        "TIMES",
        parse=float,
        default="1.5 for the one that comes with the package, else 0",
    )
    noise_level: float | None = option(
        None,
        "how much noise the photographs have, where it is known, as of a camera at one sensitivity: its root mean "
        "square in levels of 255; a denoiser that is told it is held to it, and leaves more of nearly clean ones",
        "LEVELS",
        parse=float,
        default="as far as the network sees it",
    )
    force: bool = switch("overwrite results that exist", instead="there")
    skip: bool = switch("leave results that exist, and do the rest", instead="there")
    megapixels: int = option(400, "larger pictures are refused by their header", "N", parse=count)
    compare: Path | None = option(None, "also draw before and after side by side", "FILE", parse=a_file)
    threads: int = ALL_THREADS


def enhance(asked: EnhanceOptions, json_only: bool) -> None:
    """Enhance them, and print where they are; those that could not be are named."""
    from compress.runtime.photo import draw_before_after, plan_outputs
    from lpienas.photographs import enhance_planned, refuse_existing
    from lpienas.ready import BLOCKS, model_and_photos

    model, photos = model_and_photos(asked.words)
    if [photo.suffix.lower() for photo in photos] == [BLOCKS]:
        _enhance_blocks(asked, model, json_only)
        return
    planned = plan_outputs(photos, asked.output, asked.force, asked.skip)
    if asked.compare is not None:
        if len(planned) != 1:
            raise ValueError(f"--compare draws one photograph, and {len(planned)} are to be enhanced; name one")
        if asked.compare.absolute() == planned[0][1].absolute():
            raise ValueError(f"--compare {asked.compare}: the result itself is written there; name another file")
        refuse_existing([asked.compare], asked.force, planned[0])
    network = _opened(asked, model)
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
        as_json({"model": str(network.path), "runtime": network.runtime.name, "photos": done, "failed": failed})
    else:
        for one in found.done:
            line(f"{one.output}: {one.size[0]}x{one.size[1]}, by {network.path} in {network.runtime.name}")
    if found.failed:
        raise RuntimeError(f"{len(found.failed)} of {len(planned)} photographs could not be enhanced; the rest is done")


def _opened(asked: EnhanceOptions, model: Path | None) -> "Network":
    from dataclasses import replace

    from lpienas.networks import holding, load
    from lpienas.ready import DEFAULT, ready

    if model is not None and asked.task is not None:
        raise ValueError(f"--task {asked.task} picks a network that comes with the package, and {model} is named: one")
    if model is not None and asked.precision is not None:
        raise ValueError(
            f"--precision {asked.precision} is of a network that comes with the package; {model} has its own"
        )
    if model is None:
        network = ready(asked.task or DEFAULT, asked.threads, precision=asked.precision or "float")
    else:
        network = load(model, asked.threads)
    network = holding(network, asked.hold, asked.noise_level)
    return network if asked.strength == 1 else replace(network, runtime=network.runtime.blended(asked.strength))


def _enhance_blocks(asked: EnhanceOptions, model: Path | None, json_only: bool) -> None:
    from compress.runtime.blocks import enhance_blocks
    from lpienas.networks import enhancing
    from lpienas.photographs import refuse_existing

    source = asked.words[-1]
    if asked.compare is not None:
        raise ValueError(f"--compare draws a photograph, and {source} holds blocks")
    refuse_existing([asked.output], asked.force, [source])
    network = _opened(asked, model)
    with bars() as shown:
        shown.begin(source.name, 100)
        named_by = f"lpienas, {network.path.name}"
        images, each = enhance_blocks(
            enhancing(network), source, asked.output, named_by, lambda done, of: shown.at(100 * done // of)
        )
    if json_only:
        as_json({"model": str(network.path), "output": str(asked.output), "images": images, "blocks": images * each})
    else:
        line(f"{asked.output}: {images * each} blocks of {images} images, by {network.path} in {network.runtime.name}")


VERB = Verb(
    "enhance",
    "enhance photographs of any size, or folders of them",
    "lpienas enhance runs/night/exported/small/lpienet_int8.onnx photo.jpg -o better.png\n"
    "  lpienas enhance runs/night holiday/ -o better/\n"
    "  lpienas enhance photo.jpg -o better.jpg --task denoise --strength 0.7\n"
    "  lpienas enhance photo.jpg -o better.jpg --noise-level 2.5\n"
    "  lpienas enhance runs/night BenchmarkNoisyBlocksSrgb.mat -o SubmitSrgb.mat",
    EnhanceOptions,
    enhance,
    "photographs that are done stay; the same command with --skip does the rest",
)
