"""Phone log: what LiteRT's tools printed on a phone becomes rows of a bench."""

import re
from dataclasses import dataclass
from pathlib import Path

from compress.bench.bench import REFERENCE, Row

TOOLS = ("benchmark_model", "benchmark_litert_model")  # TensorFlow Lite's, and LiteRT's, which knows NPUs too
_START = "STARTING!"  # both begin so
# Of TensorFlow Lite's tool in microseconds, of LiteRT's in milliseconds.
_IN_MICROSECONDS = re.compile(r"Inference \(avg\): ([\d.e+]+)")
_IN_MILLISECONDS = re.compile(r"Inference \(avg\):\s+([\d.]+) ms \((\d+) runs\)")
_DELEGATES = {"gpu": "GPU", "dispatch": "NPU", "xnnpack": "CPU, XNNPACK", "nnapi": "NNAPI"}  # a part of its name


def imported(path: Path) -> list[Row]:
    """The rows in the log `path` of either tool of TOOLS, one for each graph that it ran.

    Precision and size come from the graph's name where lpienas gave it; one that begins with `reference` is the LPIENet
    reference, beside which the others stand. Raises ValueError where there is no result.
    """
    rows = rows_of(path.read_text(errors="replace"))
    if not rows:
        raise ValueError(
            f"{path} has no result of {' or '.join(TOOLS)}: no graph with a line `Inference (avg)` is in it"
        )
    return rows


def rows_of(text: str) -> list[Row]:
    """The rows in a log; a graph that did not run to its end has none."""
    return [row for part in re.split(f"(?={_START})", text) if (row := _row(part)) is not None]


@dataclass(frozen=True, slots=True)
class _Times:
    """In ms."""

    middle: float
    is_mean: bool  # the median was not printed
    deviation: float
    passes: int


def _row(part: str) -> Row | None:
    graph = re.search(r"(?:Graph: \[|Loading model from: )([^\]\n]+)", part)
    times = _times(part)
    if graph is None or times is None:
        return None
    name = Path(graph[1].strip()).name
    made = re.search(r"_(float|float16|16x8|int8(?:-io-u?int8)?)_(\d+)x(\d+)\.tflite$", name)
    memory = re.search(r"overall=([\d.]+)", part) or re.search(r"Overall footprint:\s+([\d.]+) MB", part)
    threads = re.search(r"[Nn]um threads: \[(\d+)\]", part)
    return Row(
        network=REFERENCE if re.match(r"reference[-_.]", name) else name,
        runtime=f"LiteRT on the phone ({_accelerator(part)})",
        precision=made[1] if made else "unknown",
        size=(int(made[2]), int(made[3])) if made else None,
        median=times.middle,
        spread=times.deviation,
        passes=times.passes,
        threads=int(threads[1]) if threads else None,
        peak_memory=round(float(memory[1]) * 1e6) if memory else None,
        file_bytes=None,
        ssim=None,
        is_mean=times.is_mean,
    )


def _times(part: str) -> _Times | None:
    """Both tools print `count=...` of the warm-up, then of the passes; newer ones with the median; then the mean."""
    of_litert = _IN_MILLISECONDS.search(part)
    of_tflite = None if of_litert else _IN_MICROSECONDS.search(part)
    found = of_litert or of_tflite
    if found is None:
        return None
    passes = re.findall(r"count=(\d+)[^\n]*?\bstd=([\d.e+]+)", part)
    medians = re.findall(r"count=\d+[^\n]*?\bmedian=([\d.e+]+)", part)
    mean = float(found[1]) if of_litert else float(found[1]) / 1e3
    if passes:
        count, deviation = int(passes[-1][0]), float(passes[-1][1]) / 1e3
    else:
        spread = re.search(r"Inference \(std\):\s+([\d.]+)", part)
        count, deviation = int(of_litert[2]) if of_litert else 0, float(spread[1]) if spread else 0.0
    return _Times(float(medians[-1]) / 1e3 if medians else mean, not medians, deviation, count)


def _accelerator(text: str) -> str:
    """The delegate that the log says was applied, and whether it took all operators; the processor where none was."""
    asked = re.search(r"Explicitly applied (\w+) delegate, and the model graph will be (completely|partially)", text)
    if asked is not None:
        name = "CPU, XNNPACK" if asked[1] == "XNNPACK" else asked[1]
        return name if asked[2] == "completely" else f"{name}, in part"
    if "explicitly applied" not in text:  # LiteRT's tool, which says only what was replaced
        taken = re.findall(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\)", text)
        named = [(_named(delegate), part == whole) for part, whole, delegate in taken]
        # XNNPACK is applied without being asked for, also to what another delegate leaves.
        for name, whole in sorted(named, key=lambda one: one[0].startswith("CPU")):
            return name if whole else f"{name}, in part"
    return "CPU, XNNPACK" if "XNNPACK delegate for CPU" in text else "CPU"


def _named(delegate: str) -> str:
    return next((name for part, name in _DELEGATES.items() if part in delegate.lower()), delegate)
