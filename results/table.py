"""Table: candidates and figures as rich tables for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from results.candidate import Candidate
from search_spaces.genotype import Genotype


def front_table(front: Sequence[Candidate], knee: Candidate, reference: Candidate, size: tuple[int, int]) -> Table:
    """The front, cheapest first, and the reference below it; fits a terminal of 80 columns."""
    table = Table(title=f"Pareto front (costs at {size[0]}x{size[1]}; 1 MAC = 2 FLOPs)")
    table.add_column("number")
    for column in ("SSIM", "PSNR dB", "MMACs", "MFLOPs", "parameters"):
        table.add_column(column, justify="right", no_wrap=True)
    for candidate in front:
        mark = " knee" if candidate.number == knee.number else ""
        mark += " reference" if candidate.number == reference.number else ""
        table.add_row(*_row(candidate, mark), style="bold" if mark else "")
    if all(candidate.number != reference.number for candidate in front):
        table.add_section()
        table.add_row(*_row(reference, " reference"), style="cyan")
    return table


def gene_lines(candidates: Sequence[Candidate]) -> list[str]:
    """One line a candidate: its genes, stage by stage in the order encoder1/2/3, decoder1/2."""
    return [f"  {candidate.number}: {_genes(candidate.genotype)}" for candidate in candidates]


def _genes(genotype: Genotype) -> str:
    stages = genotype.stages
    widths = "/".join(str(stage.width) for stage in stages)
    depths = "/".join(str(stage.depth) for stage in stages)
    expansions = "/".join(f"{stage.expansion:g}" for stage in stages)
    attentions = "/".join(stage.attention for stage in stages)
    block = "" if genotype.block == "released" else f", {genotype.block} block"
    return (
        f"width {widths}, depth {depths}, expansion {expansions}, attention {attentions}, {genotype.activation}, "
        f"{genotype.head} head{block}"
    )


def _row(candidate: Candidate, mark: str) -> list[str]:
    scores = candidate.scores
    return [
        f"{candidate.number}{mark}",
        f"{scores.ssim:.4f}",
        f"{scores.psnr:.2f}",
        f"{scores.macs / 1e6:.1f}",
        f"{2 * scores.macs / 1e6:.1f}",
        f"{scores.parameters:,}",
    ]
