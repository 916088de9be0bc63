"""Pictures: test photographs before, after and clean, of the networks of a run that are worth looking at."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpienas.pages import ReportOptions

if TYPE_CHECKING:
    from torch import Tensor

    from nas.task.evaluation import Pair
    from results.compressions import Compression
    from results.page.story import Photograph
    from results.progress import Watcher
    from results.report import FrontReport
    from results.run import Run as Folder
    from search_spaces.family import OwnFamily

    Enhance = Callable[[Tensor], Tensor]  # an image (1, 3, H, W) in [0, 1] to an enhanced one

MOST_BYTES = 5 * 10**6  # of all pictures of a page together, as text

_QUALITY = 82  # of WebP, which is lossy: figures are of the pictures before it


def pictures_of(
    run: "Folder", report: "FrontReport", options: ReportOptions, most_bytes: int, watcher: "Watcher"
) -> "tuple[list[Photograph], str]":
    """Pictures of at most `most_bytes`, and in words which photographs they are.

    None where no network was trained fully, and where the photographs are gone, which `watcher` is told.
    """
    from nas.kept import kept_part
    from nas.task.data.layouts import DataError
    from nas.task.data.pairs import judged
    from nas.task.task import TaskSettings, pairs_to_test
    from results.run import NoTestPart
    from search_spaces.family import OwnFamily

    networks, unshown = networks_of(run, report, options.networks, [OwnFamily.named(one) for one in options.family])
    if unshown:
        watcher.say(f"no pictures of {unshown}: its code runs only where its file is named, with --family")
    if not options.photographs or not networks:
        return [], ""
    settings = TaskSettings.of_run(run.settings())
    try:
        photos = judged(kept_part(run, settings, "test"), settings.judged)
        pairs = pairs_to_test(photos, settings, settings.validation_side)
        places = chosen_places(run, report, [photo.name for photo in photos], options.photographs)
        watcher.begin(f"photographs of {run.folder.name}", len(places))
        found: list[Photograph] = []
        for done, place in enumerate(places, 1):
            made = _photograph(pairs[place], networks)
            most_bytes -= _bytes(made)
            if most_bytes < 0:
                watcher.say(f"{len(found)} of {len(places)} photographs are shown: more would not fit the page")
                break
            found.append(made)
            watcher.at(done, made.name)
    except (DataError, NoTestPart) as error:
        watcher.say(f"no photographs are shown: {error}")
        return [], ""
    side = settings.validation_side
    return found, f"{len(found)} of {len(photos)} test photographs, at most {side}x{side} pixels around the centre"


def networks_of(
    run: "Folder", report: "FrontReport", most: int, families: "Sequence[OwnFamily]" = ()
) -> "tuple[dict[str, Enhance], str]":
    """What is shown, by the key of results.page.story.Shown: the reference, networks of the front, what is shipped.

    And the family of which nothing is, since it is not one of `families`; empty where there is none.
    """
    from nas.confirm import folder_of
    from results.compressions import FLOAT, INT8, OlderCompression, compression_of
    from results.files import has_network, load_any, load_network
    from results.run import NotCompressed
    from results.study import full_trainings, open_study

    saved: dict[int, Path] = {}
    for training in full_trainings(open_study(run.study)):
        folder = folder_of(run, training)
        if has_network(folder / "network"):
            saved.setdefault(training.number, folder / "network")
    front = [candidate.number for candidate in report.front if candidate.number != report.reference.number]
    wanted = [report.reference.number, report.knee.number, *_spread(front, most)]
    family, unshown = run.settings().family, ""
    if family is not None and not any(one.name.to_json() == family for one in families):
        wanted, unshown = [report.reference.number], f"the family {family.get('name')}"
    found: dict[str, Enhance] = {
        str(number): _of_network(load_any(saved[number], families))
        for number in dict.fromkeys(wanted)
        if number in saved
    }
    try:
        compression = compression_of(run)
    except (NotCompressed, OlderCompression):
        return found, unshown
    found[FLOAT] = _of_network(load_network(compression.network(FLOAT)))
    if (int8 := _int8_file(compression)) is not None:
        found[INT8] = int8
    return found, unshown


def chosen_places(run: "Folder", report: "FrontReport", names: Sequence[str], most: int) -> list[int]:
    """Which photographs: the knee's worst ones for the half of them, and others evenly over the rest."""
    from results.study import full_trainings, open_study

    of_knee = [one for one in full_trainings(open_study(run.study)) if one.number == report.knee.number]
    known = {score.name: score.ssim for score in of_knee[0].test} if of_knee else {}
    by_score = sorted(range(len(names)), key=lambda place: known.get(names[place], 1.0))
    worst = by_score[: most // 2] if known else []
    rest = [place for place in range(len(names)) if place not in worst]
    return sorted([*worst, *_spread(rest, most - len(worst))])


def _spread(values: Sequence[int], most: int) -> list[int]:
    """At most `most` of `values`, evenly, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place * (len(values) - 1) / max(1, most - 1))] for place in range(most)]


def _of_network(network: Any) -> "Enhance":
    from search_spaces.receptive import margin_of
    from search_spaces.sides import on_any_size

    margin = margin_of(network.blueprint)
    return lambda image: on_any_size(network, image, margin)


def _int8_file(compression: "Compression") -> "Enhance | None":
    """The exported int8 file that runs here; the saved stage holds float weights, from which it was made."""
    from lpienas.networks import enhancing, load

    for name, figures in compression.listed()["files"].items():
        path = compression.exported / name
        if figures.get("precision", "").startswith("int8") and path.suffix in (".onnx", ".tflite") and path.exists():
            return enhancing(load(path))
    return None


def _photograph(pair: "Pair", networks: "Mapping[str, Enhance]") -> "Photograph":
    import torch

    from nas.task.metrics import psnr, ssim
    from results.page.story import Photograph

    name, degraded, clean = pair

    def scored(image: "Tensor") -> dict[str, Any]:
        quality = {"ssim": ssim(image, clean).item(), "psnr": psnr(image, clean).clamp(max=100.0).item()}
        return {name: round(value, 5) for name, value in quality.items()}

    outputs: dict[str, Any] = {}
    with torch.inference_mode():
        before = scored(degraded)
        for key, network in networks.items():
            image = network(degraded).float().clamp(0, 1).cpu()
            outputs[key] = {"picture": _picture(image), **scored(image)}
    size = (int(clean.shape[-2]), int(clean.shape[-1]))
    return Photograph(name, size, _picture(degraded), _picture(clean), before["ssim"], before["psnr"], outputs)


def _picture(image: "Tensor") -> str:
    """A `data:` address of the image (1, 3, H, W)."""
    from nas.task.panels import picture_of

    written = io.BytesIO()
    picture_of(image).save(written, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode()}"


def _bytes(photograph: "Photograph") -> int:
    outputs = sum(len(one["picture"]) for one in photograph.outputs.values())
    return len(photograph.degraded) + len(photograph.clean) + outputs
