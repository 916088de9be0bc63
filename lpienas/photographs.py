"""Photographs: files of them enhanced, and networks judged on them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lpienas.errors import Error, tells
from lpienas.fields import threads_here
from lpienas.networks import Network, enhancing_rows, load

if TYPE_CHECKING:
    from lpienas.comparing import Compared
    from results.progress import Watcher


@dataclass(frozen=True, slots=True)
class Photograph:
    """One that was enhanced."""

    source: Path
    output: Path
    size: tuple[int, int]  # height, width in pixels
    said: tuple[str, ...] = ()  # what of the source is not in the output


@dataclass(frozen=True, slots=True)
class Enhanced:
    """What became of photographs."""

    done: tuple[Photograph, ...]
    failed: tuple[tuple[Path, str], ...]  # source, and why


@dataclass(frozen=True, slots=True)
class Judged:
    """Means over photographs that a network was neither trained on nor chosen by."""

    model: str
    runtime: str
    images: int
    split: str | None  # test; None: all photographs of a folder
    judged: str  # what of each: "whole", or which crop
    left_out: tuple[str, ...]  # photographs of the folder that a run was trained on or its networks chosen by
    ssim: float
    psnr: float  # dB
    colour_shift: tuple[float, float, float]  # how much brighter than clean red, green and blue are, in levels of 255
    input_ssim: float  # of the degraded photographs themselves
    input_psnr: float
    ssim_definition: str
    says: str  # which photographs, for a sentence

    def to_json(self) -> dict[str, Any]:
        """As `lpienas evaluate --json` prints it."""
        return {name: value for name, value in asdict(self).items() if name != "says"}


@tells
def enhance(
    model: str | Path | Network,
    photos: str | Path | Sequence[str | Path],
    output: str | Path,
    existing: Literal["refuse", "overwrite", "skip"] = "refuse",
    watcher: "Watcher | None" = None,
) -> Enhanced:
    """Enhance picture files, and folders of them, with `model`, into `output`: a file for one, else a folder.

    A photograph that cannot be read or written costs that one, and stands in `failed`. Raises Error where nothing is
    found, and where a result exists already, unless `existing` says to overwrite it, or to skip its photograph.
    """
    from compress.runtime.photo import plan_outputs

    listed = [photos] if isinstance(photos, str | Path) else photos
    sources = [Path(one) for one in listed]
    planned = plan_outputs(sources, Path(output), force=existing == "overwrite", skip=existing == "skip")
    network = model if isinstance(model, Network) else load(model)
    return enhance_planned(network, planned, watcher)


def enhance_planned(
    network: Network,
    planned: Sequence[tuple[Path, Path]],
    watcher: "Watcher | None" = None,
    most_megapixels: float = 400,
) -> Enhanced:
    """Enhance each source into its target; `watcher` counts a hundred for a photograph, and says which are left out."""
    from compress.runtime.photo import enhance_photo
    from results.progress import Silent

    watcher = watcher or Silent()
    done: list[Photograph] = []
    failed: list[tuple[Path, str]] = []
    watcher.begin("enhance", 100 * len(planned))
    for number, (source, target) in enumerate(planned):
        on_tile = _counting(watcher, 100 * number, source.name)
        said: list[str] = []
        try:
            size = enhance_photo(enhancing_rows(network, on_tile), source, target, most_megapixels, said.append)
            done.append(Photograph(source, target, size, tuple(said)))
            for one in said:
                watcher.say(one)
        except (ValueError, OSError) as error:
            failed.append((source, _why(error, source)))
            watcher.say(f"left out: {failed[-1][1]}")
    return Enhanced(tuple(done), tuple(failed))


@tells
def evaluate(
    models: str | Path | Sequence[str | Path],
    data: str | Path | None = None,
    threads: int | None = None,
    watcher: "Watcher | None" = None,
    whole: bool = False,
) -> list[Judged]:
    """SSIM and PSNR of each of `models` on the photographs of `data` that none of them was trained on.

    Of each photograph a crop is judged, as training itself judges, or the `whole`. Without `data` on the test
    photographs of the first one's run, or of the samples. Raises Error where none is left.
    """
    from lpienas.comparing import CompareOptions, compare
    from results.progress import Silent

    paths = [Path(one) for one in ([models] if isinstance(models, str | Path) else models)]
    options = CompareOptions(data=data, whole=whole, threads=threads or threads_here())
    return judged(compare(paths, options, watcher or Silent()))


def judged(compared: "Compared") -> list[Judged]:
    """What the models that were named came to."""
    from lpienas.comparing import REFERENCE
    from results.compared import NETWORK

    on, given = compared.judged_on, compared.given
    return [
        Judged(
            model=row.name,
            runtime=row.runtime,
            images=len(row.photos),
            split=on.split,
            judged=on.crops,
            left_out=on.left_out,
            ssim=row.ssim,
            psnr=row.psnr,
            colour_shift=row.colour_shift,
            input_ssim=given.ssim,
            input_psnr=given.psnr,
            ssim_definition=compared.ssim_definition,
            says=on.says,
        )
        for row in compared.rows
        if row.kind == NETWORK and row.name != REFERENCE
    ]


def refuse_existing(paths: Sequence[Path], force: bool, apart_from: Sequence[Path] = ()) -> None:
    """Raises Error where one of `paths` is there, unless `force`, or is one of the files `apart_from` in any case."""
    kept = [(path.stat().st_dev, path.stat().st_ino) for path in apart_from if path.exists()]
    for path in paths:
        if path.is_dir():
            raise Error(f"{path} is a folder: name a file")
        if path.exists() and (path.stat().st_dev, path.stat().st_ino) in kept:
            raise Error(f"{path} is one of the photographs themselves, or one that is written here; name another file")
        if path.exists() and not force:
            raise Error(f"{path} exists: name another file, or --force to overwrite it")


def _counting(watcher: "Watcher", before: int, name: str) -> Callable[[int, int], None]:
    return lambda tile, tiles: watcher.at(before + 100 * tile // tiles, name)


def _why(error: Exception, source: Path) -> str:
    """The error of one photograph, which is named in any case."""
    says = (
        str(error)
        if not isinstance(error, OSError) or error.filename is None
        else f"{error.filename}: {error.strerror}"
    )
    return says if source.name in says else f"{source}: {says}"
