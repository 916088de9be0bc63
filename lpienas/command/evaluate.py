"""Evaluate: networks, classical methods and quoted figures on the same photographs, in one table."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line, table
from lpienas.comparing import CompareOptions
from lpienas.fields import a_file, count, named, option, switch
from lpienas.shared import COMPRESSION

if TYPE_CHECKING:
    from lpienas.comparing import Compared

_CLIPPING = ("hdr", "mixed")  # tasks whose clipped pixels are judged apart


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions(CompareOptions):
    """Which networks, beside what, and what is written."""

    models: tuple[Path, ...] = named(
        "run folders, their compressions/NAME.json, networks, exported files; denoise is the one that comes with the "
        "package",
        "MODEL",
        parse=a_file,
        several=True,
    )
    compression: str | None = COMPRESSION
    csv: Path | None = option(None, "write every method's figures on every photograph", "FILE", parse=a_file)
    worst: int | None = option(
        None, "write the photographs on which the first model gains least, as pictures in --out", "N", parse=count
    )
    out: Path | None = option(None, "folder of the pictures of --worst", "DIR", parse=a_file)
    force: bool = switch("overwrite files that exist")


def evaluate(asked: EvaluateOptions, json_only: bool) -> None:
    """Print what each method comes to, and who is better by more than chance."""
    from lpienas.comparing import compare
    from lpienas.networks import of_compression
    from lpienas.photographs import judged, refuse_existing
    from lpienas.worst import draw, worst_files
    from results.compared import as_csv
    from results.files import written_whole

    if (asked.worst is None) != (asked.out is None):
        raise ValueError("--worst N and --out DIR go together: how many pictures, and where to")
    refuse_existing([] if asked.csv is None else [asked.csv], asked.force)
    with bars() as shown:
        found = compare(of_compression(asked.models, asked.compression), asked, shown)
    written = []
    if asked.csv is not None:
        with written_whole(asked.csv) as temporary:
            temporary.write_text(as_csv(found.rows))
        written.append(asked.csv)
    if asked.worst is not None and asked.out is not None:
        files = worst_files(found, asked.out, asked.worst)
        refuse_existing(list(files.values()), asked.force)
        for place, file in files.items():
            draw(found, place, file)
            written.append(file)
    if json_only:
        rows = [one.to_json() for one in judged(found)]
        more = {"compared": [row.to_json() for row in found.rows]}
        more |= {"verdicts": [one.to_json() for one in found.verdicts]}
        more |= {"quoted": [one.to_json() for one in found.quoted]}
        as_json(rows[0] | {"models": rows, **more, "said": found.said, "written": [str(path) for path in written]})
        return
    _show(found)
    for path in written:
        line(f"written: {path}")


def _show(found: "Compared") -> None:
    from nas.unseen import left_out_line
    from results.table import compared_table

    on, given = found.judged_on, found.given
    line(f"{on.says}, {on.crops}; as they are: SSIM {given.ssim:.4f}, PSNR {given.psnr:.2f} dB")
    if on.left_out:
        line(left_out_line(on.left_out))
    table(compared_table(found.rows, found.quoted, on.task in _CLIPPING))
    for row in found.rows:
        if row.told:
            line(f"* {row.name} is told {row.told}, which no camera knows: it stands apart from blind methods")
    for one in found.quoted:
        line(f"quoted, not measured here: {one.name}: {one.source}; evaluator: {one.evaluator}")
    for verdict in found.against_versus():
        line(verdict.sentence)
    if found.said:
        line(found.said)
    line(found.ssim_definition)


VERB = Verb(
    "evaluate",
    "compare networks with each other and with classical methods on photographs",
    "lpienas evaluate runs/night runs/night/exported/small/*.onnx --data ~/pairs --json\n"
    "  lpienas evaluate runs/night --data ~/pairs --against input nlm bm3d reference --csv all.csv\n"
    "  lpienas evaluate denoise --data ~/photos --against input nlm bm3d",
    EvaluateOptions,
    evaluate,
)
