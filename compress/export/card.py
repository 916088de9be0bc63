"""Card: what a run's exported files are, for whoever gets them: the model card, and what each file says of itself."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.export.formats import FORMATS, SCHEMES, io_of
from compress.export.front_matter import front_matter
from compress.export.public import public_command, public_text
from compress.runtime.about import COREML_UNITS, About, input_text, output_text
from nas.anatomy import verdict
from nas.task.evaluation import Quality
from nas.task.task import Task
from nas.unseen import Unseen
from results.compressions import FLOAT, INT8, Compression
from results.files import read_json, written_whole
from results.paired import interval_words
from results.run import versions
from search_spaces.blueprint import Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of, parameters_of
from search_spaces.own import AnyBlueprint, OwnBlueprint
from search_spaces.units import format_macs

NOT_RUN = "converted, not run on this platform"
# Packages that write files of each format, and the one that they were checked in.
MADE_WITH = {
    "onnx": ("lpienas", "torch", "torchao", "onnx", "onnxruntime"),
    "onnx-fixed": ("lpienas", "torch", "torchao", "onnx", "onnxruntime"),
    "litert": ("lpienas", "torch", "torchao", "litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
    "executorch": ("lpienas", "torch", "torchao", "executorch"),
    "coreml": ("lpienas", "torch", "coremltools"),
}
_VERSIONED = (
    "lpienas", "torch", "torchao", "onnx", "onnxruntime", "litert-torch", "ai-edge-litert", "ai-edge-quantizer",
    "executorch", "coremltools",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a network before it becomes a file."""

    blueprint: AnyBlueprint
    quality: str  # a sentence, with the photographs that it is of
    training: str
    licence: str

    @classmethod
    def by_run(cls, blueprint: AnyBlueprint, scores: Mapping[str, Any], task: Task, licence: str) -> "Known":
        """Of a network of a run, with `scores` in PyTorch."""
        quality = (
            f"SSIM {scores['test_ssim']:.4f}, PSNR {scores['test_psnr']:.2f} dB on {_photographs(task)} in "
            "PyTorch, before it became this file (the photographs themselves: "
            f"SSIM {task.test_input.ssim:.4f}, PSNR {task.test_input.psnr:.2f} dB)"
        )
        training = public_text(f"{task.photos.source} {degradation(task)}{taught(task)}", task.settings.data)
        return cls(blueprint, quality, training, licence)

    @classmethod
    def alone(cls, blueprint: AnyBlueprint, quality: Quality, judged_on: Unseen, licence: str) -> "Known":
        """Of a network that has no run, so that its training is not known."""
        pairs, test = judged_on.pairs, "test " if judged_on.split == "test" else ""
        said = (
            f"SSIM {quality.ssim:.4f}, PSNR {quality.psnr:.2f} dB on {pairs.photographs} {test}photographs "
            f"({judged_on.crops}{pairs.says}) in PyTorch, before it became this file"
        )
        return cls(blueprint, said, "Not known: exported from a network without its run.", licence)


def about_of(known: Known, format: str, precision: str) -> About:
    """What a file of a network says of itself."""
    layout = FORMATS[format].layout
    return About(
        network=f"{_kind(known.blueprint)} that enhances photographs: {_size_text(known.blueprint)}",
        input=input_text(layout, io_of(precision)),
        output=output_text(layout, io_of(precision)),
        precision=precision,
        quality=known.quality,
        training=known.training,
        licence=known.licence,
        made_by=f"lpienas {versions()['lpienas']}",
    )


def degradation(task: Task) -> str:
    """What the network learned to undo."""
    named = "" if task.settings.task == "denoise" else f" (task {task.settings.task})"
    pairs = sum(photo.is_pair for photo in task.photos.training)
    if pairs < len(task.photos.training):
        return f"Degradation{named}: {task.settings.degradation.describe()}."
    if not task.settings.synthetic:
        return f"Degradation{named}: that of the degraded sides of the pairs; nothing was added."
    return (
        f"Degradation{named}: that of the degraded sides of the pairs; in {task.settings.synthetic:.0%} of the patches "
        f"instead {task.settings.degradation.describe()}."
    )


def taught(task: Task) -> str:
    """Whose outputs are a part of what the network learned; empty where nobody's are."""
    teacher = task.settings.teacher
    if teacher is None:
        return ""
    return (
        f" {teacher.share:.0%} of the target is what another network made of the degraded side: "
        f"{Path(teacher.path).name}, digest {teacher.digest[:12]}."
    )


def write_card(compression: Compression, exported: Mapping[str, Any], task: Task, licence: str) -> Path:
    """Write MODEL_CARD.md beside the files of a compression, from its record and the run's; returns its path."""
    record = read_json(compression.run.folder / "run.json")
    lines = card(compression, exported, record, task, licence)
    with written_whole(compression.card) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return compression.card


def card(
    compression: Compression, exported: Mapping[str, Any], record: Mapping[str, Any], task: Task, licence: str
) -> Iterator[str]:
    """The lines of a model card; `exported` are the figures of each file, `record` is the run's run.json."""
    data = task.settings.data
    stages = {FLOAT: ("float", "float16"), INT8: tuple(SCHEMES)}
    name = f"lpienet-{compression.name}"
    yield from front_matter(name, exported, licence, _photographs(task), task.settings.task)
    yield from (
        "# Model card",
        "",
        "An LPIENet: a small convolutional network that takes a degraded photograph and gives an enhanced one of the "
        "same size.",
        "",
        "## Files",
        "",
        f"SSIM and PSNR of every file are measured in its own runtime, on {_photographs(task)}. These themselves have "
        f"SSIM {task.test_input.ssim:.4f} and PSNR {task.test_input.psnr:.2f} dB. The network was not trained on them, "
        "and nothing was chosen by them.",
        "",
        "| file | precision | size (height x width) | layout | bytes | SSIM | PSNR | runtime | from its network |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    yield from (_row(file, figures) for file, figures in sorted(exported.items()))
    yield from (
        "",
        "The last column says how far a file's output lies from that of the PyTorch network that it came from: the "
        "largest difference of a value in [0, 1], for int8 the PSNR between the two, and how far what the network "
        "changes stands above the file's error in it, on the photograph where it does least. -io-int8 and -io-uint8 "
        "are int8 files whose image and output are integers too. float16 keeps the weights of convolutions in 16 bits, "
        "and is compared with the network of the rounded weights.",
        "",
        f"{compression.record['ssim_definition']}.",
        "",
        *_origins(exported),
        "## Input and output",
        "",
    )
    for layout, io in sorted({(_layout(figures), io_of(figures["precision"])) for figures in exported.values()}):
        yield f"- {input_text(layout, io)}; {output_text(layout, io)}."
    yield from (
        "- A file of one size takes images of exactly that size. `lpienas enhance FILE PHOTO` takes any photograph "
        "through it, in overlapping tiles. ONNX files of size `any` take any sides that are multiples of 8.",
        "- Every file keeps the rule by which tiles are cut for it, as JSON under `lpienas.tiles`: halo and stride in "
        "pixels. Outside a picture stands its reflection.",
    )
    if any(file.endswith(".mlpackage") for file in exported):
        yield (
            f"- Core ML files: run them with compute units `{COREML_UNITS}` until the neural engine of the device was "
            "checked against these figures; none of them was run on one."
        )
    yield from (
        "",
        "## Network",
        "",
    )
    for stage, precisions in stages.items():
        made = {figures["precision"] for figures in exported.values()}
        if there := [precision for precision in precisions if precision in made]:
            scores = compression.scores[stage]
            blueprint = Blueprint.from_json(read_json(compression.network(stage).with_suffix(".json")))
            how = scores.get("method", f"the {scores['made_by']} network" if "made_by" in scores else "as trained")
            yield from (
                f"{' and '.join(there)}: {_size_text(blueprint)}; {how}; in PyTorch "
                f"SSIM {scores['test_ssim']:.4f}, PSNR {scores['test_psnr']:.2f} dB on the test photographs. "
                "Blueprint:",
                "",
                "```json",
                json.dumps(blueprint.to_json()),
                "```",
                "",
            )
    if "anatomy" in compression.record:
        yield from _anatomy(compression.record["anatomy"])
    yield from (
        "## Training",
        "",
        public_text(task.photos.source, data),
        public_text(degradation(task) + taught(task), data),
        "",
        "## Limits",
        "",
        "- It undoes the degradation above and was judged by it. Other cameras, other noise and compressed photographs "
        "were not measured.",
        "- SSIM and PSNR compare with a clean photograph; they do not say whether details are true. It is not for "
        "pictures that serve as evidence or diagnosis.",
        "- Files were run on the processor of the machine that made them, not on a phone, a GPU or an NPU. A GPU "
        "computes in float16 and may differ by more than the table says.",
    )
    if any(figures["runtime"] is None for figures in exported.values()):
        yield f"- Files marked `{NOT_RUN}` were never run; `lpienas export` on macOS runs them."
    yield from ("", "## Licence", "", licence, "", "## How it was made", "")
    yield from (f"    {public_command(entry['command'])}" for entry in record["commands"])
    found = versions()
    made_with = ", ".join(f"{package} {found[package]}" for package in _VERSIONED)
    yield from ("", f"This card with {made_with}, on {record['platform']}; what made each file stands beside it.")


def _origins(exported: Mapping[str, Any]) -> Iterator[str]:
    """What tells each file from another one, and what made it; files of older versions say neither."""
    yield from ("| file | SHA-256 | made with |", "|---|---|---|")
    for file, figures in sorted(exported.items()):
        made_with = ", ".join(f"{package} {version}" for package, version in figures.get("made_with", {}).items())
        opset = f", opset {figures['opset']}" if "opset" in figures else ""
        yield f"| `{file}` | `{figures.get('sha256', '')}` | {made_with}{opset} |"
    yield ""
    if any(file.endswith(".mlpackage") for file in exported):
        yield from ("Of a folder it is that of a list of its files, as `sha256sum` prints them, by name.", "")


def _anatomy(found: Mapping[str, Any]) -> Iterator[str]:
    """What each part of the float network is worth, as nas.anatomy.Anatomy.to_json gives it."""
    yield from (
        "Parts of the float network, and what SSIM and PSNR lose when a part gives its mean instead, channel by "
        f"channel, on {found['photographs']}:",
        "",
        "| part | share of MACs | channels that fire | SSIM lost | 95 % interval | PSNR lost |",
        "|---|---|---|---|---|---|",
    )
    for part in found["stages"]:
        share = "" if part["kind"] == "skip" else f"{part['macs_share']:.1%}"
        interval = interval_words(part.get("ssim_low"), part.get("ssim_high"))
        lost = f"{part['ssim_lost']:.4f} | {interval} | {part['psnr_lost']:.2f} dB"
        yield f"| {part['name']} | {share} | {part['firing']:.0%} | {lost} |"
    said = verdict(found)
    yield from ("", f"{said[0].upper()}{said[1:]}.", "")


def _row(name: str, figures: Mapping[str, Any]) -> str:
    size = figures["size"] if isinstance(figures["size"], str) else "x".join(map(str, figures["size"]))
    cells = [f"`{name}`", figures["precision"], size, _layout(figures), f"{figures['bytes']:,}"]
    if figures["runtime"] is None:
        return "| " + " | ".join([*cells, "", "", NOT_RUN, ""]) + " |"
    parity = figures["parity"]
    far = f"{parity['max_difference']:.1e}"
    if figures["precision"] in SCHEMES and parity["psnr_db"] is not None:  # None: equal to the bit
        far = f"{parity['psnr_db']:.1f} dB"
        if parity.get("update_db") is not None:  # as files of older versions say nothing of
            far += f", update {parity['update_db']:.1f} dB"
    return (
        "| "
        + " | ".join([*cells, f"{figures['ssim']:.4f}", f"{figures['psnr']:.2f} dB", figures["runtime"], far])
        + " |"
    )


def _photographs(task: Task) -> str:
    """What SSIM and PSNR are means over."""
    side, count = task.settings.validation_side, task.test.photographs
    of_each = f"at most {side}x{side} pixels around the centre of each{task.test.says}"
    return f"{count} test photograph{'s' if count > 1 else ''} ({of_each})"


def _layout(figures: Mapping[str, Any]) -> str:
    layout: str = figures.get("layout", "NCHW")  # all that versions before 2026-11-23 wrote
    return layout


def _kind(blueprint: AnyBlueprint) -> str:
    return f"network of the family {blueprint.family.name}" if isinstance(blueprint, OwnBlueprint) else "LPIENet"


def _size_text(blueprint: AnyBlueprint) -> str:
    macs = format_macs(macs_of(blueprint, DEFAULT_SIZE))
    return f"{parameters_of(blueprint):,} parameters, {macs} at {DEFAULT_SIZE[0]}x{DEFAULT_SIZE[1]}"
