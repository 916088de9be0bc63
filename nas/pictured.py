"""Pictured: what a full training came to, as a note and a picture beside its trial, for whoever looks at the study."""

import io
from collections.abc import Sequence
from pathlib import Path

import optuna
import torch

from nas.task.evaluation import mean_quality
from nas.task.panels import picture_of, side_by_side
from nas.task.task import Task
from results.dashboard import Beside
from results.files import load_any
from results.study import Trained, trainings
from search_spaces.family import OwnFamily
from search_spaces.receptive import margin_of
from search_spaces.sides import on_any_size

_QUALITY = 85  # of WebP


def show_training(beside: Beside, made: Trained, network: Path, task: Task, families: Sequence[OwnFamily]) -> None:
    """Put beside the trial of `made` what its trainings came to, and the first validation photograph by `network`.

    That photograph stands there degraded, enhanced and clean, side by side; it is the same one for all trials.
    """
    name, degraded, clean = task.validation[0]
    opened = load_any(network, families)
    with torch.inference_mode():
        enhanced = on_any_size(opened, degraded, margin_of(opened.blueprint)).clamp(0, 1)
    named = f"{Path(name).stem} degraded, by training {made.seed}, clean"
    written = io.BytesIO()
    side_by_side([picture_of(image) for image in (degraded, enhanced, clean)]).save(written, "WEBP", quality=_QUALITY)
    beside.picture(made.number, named, written.getvalue(), ".webp")
    beside.note(made.number, _note(beside.study, made.number, name))


def _note(study: optuna.Study, number: int, photograph: str) -> str:
    rows = [training for training in trainings(study, "full") if training.number == number]
    lines = [
        "Full trainings:",
        "",
        "| steps | from | training | SSIM, test | PSNR dB, test | SSIM, validation | kept in |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in rows:
        test = mean_quality(one.test) if one.test else None
        figures = ("", "") if test is None else (f"{test.ssim:.4f}", f"{test.psnr:.2f}")
        kept = "" if one.key is None else f"made/{one.key}"
        lines.append(f"| {one.steps} | {one.start} | {one.seed} | {' | '.join(figures)} | {one.ssim:.4f} | {kept} |")
    plain = photograph.replace("`", "'")  # it stands in Markdown
    return "\n".join([*lines, "", f"Pictures: validation photograph `{plain}`: degraded, enhanced, clean."])
