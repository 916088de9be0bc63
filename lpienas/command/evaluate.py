"""Evaluate: SSIM and PSNR of networks on photographs."""

from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line
from lpienas.fields import a_file, named, option
from lpienas.shared import ALL_THREADS, COMPRESSION, WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """Which networks, on which photographs."""

    models: tuple[Path, ...] = named(
        "run folders, their compressions/NAME.json, networks, and exported files", "MODEL", parse=a_file, several=True
    )
    data: Path | None = option(
        None,
        "pairs, or clean photographs to be degraded; of the folder that the run was searched on only its test "
        "photographs count",
        "DIR",
        parse=a_file,
        default="default: the test photographs of the run, or of the samples",
    )
    compression: str | None = COMPRESSION
    whole: bool = WHOLE
    threads: int = ALL_THREADS


def evaluate(asked: EvaluateOptions, json_only: bool) -> None:
    """Print what each network comes to, beside the photographs themselves."""
    from lpienas.networks import of_compression
    from lpienas.photographs import evaluate as judge
    from nas.unseen import left_out_line

    with bars() as shown:
        found = judge(of_compression(asked.models, asked.compression), asked.data, asked.threads, shown, asked.whole)
    if json_only:
        rows = [one.to_json() for one in found]
        as_json(rows[0] | {"models": rows})
        return
    first = found[0]
    line(f"{first.says}, {first.judged}; as they are: SSIM {first.input_ssim:.4f}, PSNR {first.input_psnr:.2f} dB")
    if first.left_out:
        line(left_out_line(first.left_out))
    for one in found:
        shift = " ".join(f"{levels:+.2f}" for levels in one.colour_shift)
        line(f"{one.model} ({one.runtime}): SSIM {one.ssim:.4f}, PSNR {one.psnr:.2f} dB, R G B {shift} of 255")
    line("R G B: mean colour shift, how much brighter than the clean side, in levels of 255")
    line(first.ssim_definition)


VERB = Verb(
    "evaluate",
    "measure SSIM and PSNR on photographs",
    "lpienas evaluate runs/night runs/night/exported/small/*.onnx --data ~/pairs --json",
    EvaluateOptions,
    evaluate,
)
