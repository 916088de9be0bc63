"""Text plot: the front drawn in the terminal's own characters."""

import math
from collections.abc import Sequence

from results.candidate import Candidate
from results.report import FrontReport

_SCALES = {"macs": (1e6, "MMACs"), "latency": (1.0, "ms"), "memory": (1e6, "MB")}
_TICKS = (1, 2, 5)  # of each decade


def text_plot(report: FrontReport, width: int = 76, height: int = 16) -> str:
    """SSIM over the cost (log axis) in final figures: front, knee, what it dominates, the reference.

    `width` and `height` are in characters, without colours.
    """
    import plotext

    scale, unit = _SCALES[report.cost]
    front = [candidate for candidate in report.front if candidate.number != report.reference.number]
    kinds: list[tuple[str, str, Sequence[Candidate]]] = [
        ("·", "dominated", report.trained_and_dominated),
        ("●", "front", front),
        ("◆", f"knee, {report.knee.number}", [report.knee] if report.knee in front else []),
        ("*", "reference", [] if report.comparison is None else [report.reference]),
    ]
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    costs = []
    for marker, _, candidates in kinds:
        if candidates:
            decades = [math.log10(candidate.scores.cost / scale) for candidate in candidates]
            costs += decades
            plotext.scatter(decades, [report.final(one)[0] for one in candidates], marker=marker)
    ticks = _ticks(min(costs), max(costs))
    plotext.xticks([math.log10(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
    drawn: str = plotext.uncolorize(plotext.build())
    marks = "   ".join(f"{marker} {name}" for marker, name, candidates in kinds if candidates)
    axes = f"SSIM on the {report.split} photographs over {unit}"  # a legend inside would hide networks
    return "\n".join(text.rstrip() for text in (*drawn.splitlines(), marks, axes))


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade between two logarithms, and a little beyond."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [first * 10.0**decade for decade in decades for first in _TICKS]
    return [tick for tick in ticks if low - 0.02 <= math.log10(tick) <= high + 0.02] or [10**low]
