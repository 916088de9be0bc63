"""Plots: the front as a picture."""

from collections.abc import Sequence
from pathlib import Path

from results.candidate import Candidate
from results.files import written_whole


def plot_front(
    path: Path,
    candidates: Sequence[Candidate],
    front: Sequence[Candidate],
    knee: Candidate,
    reference: Candidate,
    size: tuple[int, int],
    input_ssim: float,
) -> None:
    """Write SSIM over MACs (log axis) as PNG: the front, what it dominates, the reference, the knee."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(8, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    on_front = {candidate.number for candidate in front}
    dominated = [c for c in candidates if c.number not in on_front]
    axes.scatter(*_points(dominated), s=22, color="#9aa0a6", label="dominated", zorder=2)
    axes.step(*_points(front), where="post", color="#1a73e8", linewidth=1.2, alpha=0.7, zorder=1)
    axes.scatter(*_points(front), s=40, color="#1a73e8", label="Pareto front", zorder=3)
    axes.scatter(*_points([knee]), s=170, facecolors="none", edgecolors="#e8710a", linewidths=2, label="knee", zorder=4)
    axes.scatter(*_points([reference]), s=130, marker="*", color="#d93025", label="LPIENet reference", zorder=5)
    for candidate in front:
        position = (candidate.scores.macs / 1e6, candidate.scores.ssim)
        axes.annotate(str(candidate.number), position, textcoords="offset points", xytext=(5, -11), fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}M"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"multiply-adds (MACs) at {size[0]}x{size[1]}; 1 MAC = 2 FLOPs")
    axes.set_ylabel("SSIM on the validation photographs")
    axes.set_title(
        f"{len(candidates)} candidates scored; the degraded photographs themselves have SSIM {input_ssim:.3f}"
    )
    axes.grid(alpha=0.25, which="both")
    figure.legend(loc="outside lower center", ncols=4)  # inside the axes it could hide the reference
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png")


def _points(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
    return [c.scores.macs / 1e6 for c in candidates], [c.scores.ssim for c in candidates]
