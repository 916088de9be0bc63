"""Plots: the front, and the way of a pruning, as pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from results.candidate import Candidate
from results.files import written_whole
from results.report import FrontReport

_AXIS = {
    "macs": "multiply-adds (MACs; 1 MAC = 2 FLOPs)",
    "latency": "latency in milliseconds, measured",
    "memory": "peak memory of activations",
}


def plot_front(
    path: Path,
    report: FrontReport,
    size: tuple[int, int],
    control: Sequence[Candidate] | None = None,
    others: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Write SSIM over cost (log axis) as PNG or SVG: front, what it dominates or what fell off, reference, knee.

    Candidates that were not trained fully, where others were, are grey dots at the search's own score, on an axis of
    its own, since it is of other photographs and shorter trainings. SSIM is that of the report's final figures.
    `control` is the front of another search of equal computing, `others` are further networks by name, each with its
    cost and its SSIM; both are drawn for comparison. Raises ValueError where the report's networks were tested and one
    of the control was not.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    _form(path)
    figure = Figure(figsize=(8, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    front, knee, reference = report.front, report.knee, report.reference
    scale, unit = {"macs": (1e6, "M"), "latency": (1.0, " ms"), "memory": (1e6, " MB")}[report.cost]

    def points(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
        return [c.scores.cost / scale for c in candidates], [report.final(c)[0] for c in candidates]

    kept = {candidate.number for candidate in (*front, *report.fell_off, reference)}
    dominated = [c for c in report.candidates if c.number not in kept]
    final = {candidate.number for candidate in report.candidates}
    untrained = [c for c in report.searched if c.number not in final and c.number != reference.number]
    if untrained:  # they show where the search looked
        behind = axes.twinx()
        behind.set_ylabel("the search's score (grey)", color="#5f6368")
        axes.set_zorder(behind.get_zorder() + 1)
        axes.patch.set_visible(False)
        shown = [c for c in untrained if c.scores.ssim > report.reference_point.ssim]
        label = "the search's score only (right)" + (
            f", {gone} too low to show" if (gone := len(untrained) - len(shown)) else ""
        )
        searched = [c.scores.cost / scale for c in shown], [c.scores.ssim for c in shown]
        behind.scatter(*searched, s=16, color="#9aa0a6", alpha=0.7, label=label, zorder=1)
    if dominated:
        inside, edge = ("none", "#1a73e8") if untrained else ("#9aa0a6", "#9aa0a6")
        axes.scatter(*points(dominated), s=26, facecolors=inside, edgecolors=edge, label="dominated", zorder=2)
    if report.fell_off:
        axes.scatter(*points(report.fell_off), s=40, marker="x", color="#5f6368", label="fell off the front", zorder=3)
    if control is not None:
        axes.step(*points(control), where="post", color="#188038", linewidth=1.2, alpha=0.7, zorder=1)
        axes.scatter(*points(control), s=30, marker="s", color="#188038", label="random search", zorder=3)
    axes.step(*points(front), where="post", color="#1a73e8", linewidth=1.2, alpha=0.7, zorder=1)
    axes.scatter(*points(front), s=40, color="#1a73e8", label="Pareto front", zorder=3)
    axes.scatter(*points([knee]), s=170, facecolors="none", edgecolors="#e8710a", linewidths=2, label="knee", zorder=4)
    if report.comparison is not None:
        axes.scatter(*points([reference]), s=130, marker="*", color="#d93025", label="LPIENet reference", zorder=5)
    for name, (cost, ssim) in (others or {}).items():
        axes.scatter([cost / scale], [ssim], s=130, marker="*", facecolors="none", edgecolors="#d93025", label=name)
    for candidate in front:
        position = (candidate.scores.cost / scale, report.final(candidate)[0])
        axes.annotate(str(candidate.number), position, textcoords="offset points", xytext=(5, -11), fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{unit}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"{_AXIS[report.cost]} at {size[0]}x{size[1]}")
    axes.set_ylabel(f"SSIM on the {report.split} photographs")
    degraded = report.reference_point.ssim if report.test is None else report.test.input_ssim
    title = (
        f"{len(report.candidates)} of {len(report.searched)} candidates, by {report.basis}; the degraded photographs "
        f"themselves have SSIM {degraded:.3f}"
    )
    axes.set_title(fill(title, 85), fontsize=10)
    axes.grid(alpha=0.25, which="both")
    figure.legend(loc="outside lower center", ncols=3)  # inside the axes it could hide the reference
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=_form(path))


def _form(path: Path) -> str:
    """png or svg, by the name; raises ValueError for another."""
    form = path.suffix.lower().removeprefix(".")
    if form not in ("png", "svg"):
        raise ValueError(f"{path}: a picture is drawn as .png or .svg")
    return form


def plot_way(path: Path, points: Sequence[tuple[float, float]], unit: str) -> None:
    """Write SSIM over cost after every move of a pruning as PNG or SVG; `unit` of the cost is "MACs" or "ms"."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    scale = 1e6 if unit == "MACs" else 1.0
    costs, ssims = [cost / scale for cost, _ in points], [ssim for _, ssim in points]
    axes.plot(costs, ssims, color="#1a73e8", marker="o", markersize=3, linewidth=1.2)
    axes.invert_xaxis()  # pruning goes from left to right
    axes.set_xlabel("multiply-adds in millions (1 MAC = 2 FLOPs)" if unit == "MACs" else "milliseconds, as modelled")
    axes.set_ylabel("SSIM on training patches, before fine-tuning")
    axes.set_title("The way down: after every move of pruning", fontsize=10)
    axes.grid(alpha=0.25)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=_form(path))
