"""Said: what a search tells while it goes on."""

from results.candidate import Candidate
from results.front import knee, pareto_front
from search_spaces.space import REFERENCE
from search_spaces.units import format_cost


def best_so_far(found: list[Candidate], cost: str) -> str:
    """`SSIM best 0.831, knee 0.821 at 340 MMACs`, or nothing yet."""
    front = pareto_front(found)
    if not front:
        return ""
    chosen = knee(front).scores
    at = f"{chosen.cost / 1e6:.0f}M" if cost == "macs" else format_cost(cost, chosen.cost)
    return f"SSIM best {front[-1].scores.ssim:.3f}, knee {chosen.ssim:.3f} at {at}"


def candidate_line(candidate: Candidate, cost: str) -> str:
    scores, name = candidate.scores, " (LPIENet reference)" if candidate.genotype == REFERENCE else ""
    return (
        f"candidate {candidate.number}{name}: SSIM {scores.ssim:.4f}, PSNR {scores.psnr:.2f} dB, "
        f"{format_cost(cost, scores.cost)}"
    )
