"""Table: candidates and figures as rich tables for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from results.candidate import Candidate
from search_spaces.genotype import Genotype
from search_spaces.units import format_macs

_SHORT = {"none": "-", "channel": "c", "spatial": "s", "both": "cs"}


def front_table(front: Sequence[Candidate], knee: Candidate, reference: Candidate, size: tuple[int, int]) -> Table:
    """The front, cheapest first, and the reference below it."""
    table = Table(title=f"Pareto front (MACs at {size[0]}x{size[1]}; 1 MAC = 2 FLOPs)")
    table.add_column("number", justify="right")
    table.add_column("SSIM", justify="right")
    table.add_column("PSNR dB", justify="right")
    table.add_column("cost", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("widths")
    table.add_column("depths")
    table.add_column("expansion")
    table.add_column("attention")
    table.add_column("other")
    for candidate in front:
        mark = " knee" if candidate.number == knee.number else ""
        mark += " reference" if candidate.number == reference.number else ""
        table.add_row(*_row(candidate, mark), style="bold" if mark else "")
    if all(candidate.number != reference.number for candidate in front):
        table.add_section()
        table.add_row(*_row(reference, " reference"), style="cyan")
    return table


def describe_genes(genotype: Genotype) -> tuple[str, str, str, str, str]:
    """Widths, depths, expansions, attentions (c channel, s spatial, cs both) and the shared genes, as short text."""
    stages = genotype.stages
    return (
        "/".join(str(stage.width) for stage in stages),
        "/".join(str(stage.depth) for stage in stages),
        "/".join(f"{stage.expansion:g}" for stage in stages),
        "/".join(_SHORT[stage.attention] for stage in stages),
        f"{genotype.activation} {genotype.head}" + ("" if genotype.block == "released" else f" {genotype.block}"),
    )


def _row(candidate: Candidate, mark: str) -> list[str]:
    scores = candidate.scores
    return [
        f"{candidate.number}{mark}",
        f"{scores.ssim:.4f}",
        f"{scores.psnr:.2f}",
        format_macs(scores.macs),
        f"{scores.parameters:,}",
        *describe_genes(candidate.genotype),
    ]
