"""Latency: how long one forward pass takes in a phone's runtime on this processor, measured and remembered."""

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress.export.formats import FORMATS, Variant, export_network
from compress.export.rewrite import rewritten
from compress.int8.quantize import post_training_quantize
from compress.quiet import quiet, quiet_natives
from compress.runtime.runtimes import Runtime, load
from nas.task.device import processor
from results.files import read_json, write_json
from search_spaces.blueprint import IMAGE_CHANNELS, Blueprint
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet
from search_spaces.networks import Network, built
from search_spaces.own import AnyBlueprint
from search_spaces.sides import STRIDE, padded_side

RUNTIMES = {"onnx": "onnxruntime", "litert": "ai-edge-litert"}  # format -> the package that runs it
PRECISE_ENOUGH = 0.02  # standard error of the median, as a part of it, at which repeating ends
FEWEST, MOST = 5, 200  # repeats
_WARM_UP = 2  # passes, not timed: the first allocates memory
# The network that others take turns with: of about the cost of a search's candidates.
YARDSTICK = Blueprint.from_genotype(
    Genotype(
        tuple(Stage(depth=1, width=width, attention="none") for width in (8, 16, 32, 16, 8)),
        activation="relu",
        head="conv3x3",
    )
)
_OPSET = 17  # the oldest of ONNX that has all operators of an LPIENet, float and int8


@dataclass(frozen=True, slots=True)
class Timing:
    """How a latency is measured; raises ValueError for a wrong value."""

    runtime: str = "onnx"  # a key of RUNTIMES
    precision: str = "float"
    size: tuple[int, int] = DEFAULT_SIZE  # height, width in pixels
    threads: int = 1
    seconds: float = 5.0  # of passes, at most, without the export

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise ValueError(f"runtime = {self.runtime!r}: must be one of {', '.join(RUNTIMES)}")
        if self.precision not in FORMATS[self.runtime].precisions:
            known = ", ".join(FORMATS[self.runtime].precisions)
            raise ValueError(f"precision = {self.precision!r}: must be one of {known}")
        if min(self.size) < 1:
            raise ValueError(f"size = {self.size[0]}x{self.size[1]}: both sides must be at least 1 pixel")
        if self.threads < 1:
            raise ValueError(f"threads = {self.threads}: must be at least 1")
        if not self.seconds > 0:
            raise ValueError(f"seconds = {self.seconds}: must be above 0")

    @property
    def made_by(self) -> dict[str, Any]:
        """All that decides a latency but the network, this host's processor among it.

        Raises ImportError where the runtime is missing.
        """
        made_by = {
            "runtime": self.runtime,
            "version": _version(RUNTIMES[self.runtime]),
            "precision": self.precision,
            "size": list(self.size),
            "threads": self.threads,
            "processor": processor(),
        }
        if rewrites := FORMATS[self.runtime].rewrites.get(self.precision):
            made_by["rewrites"] = list(rewrites)  # the file is another one since it has them
        return made_by


USUAL = Timing()


@dataclass(frozen=True, slots=True)
class Latency:
    """What repeated passes of one image took, its copies in and out included.

    With one thread the time is the thread's own on the processor, which equals the clock's on an idle machine; with
    several it is the clock's.
    """

    median: float  # ms
    spread: float  # ms, half the distance of the quartiles of single passes; of their shares, see latency_cost
    repeats: int
    runtime: str  # a key of RUNTIMES
    precision: str
    size: tuple[int, int]  # height, width in pixels, as asked; measured at the padded size
    threads: int

    @property
    def error(self) -> float:
        """Standard error of `median` in ms, as if passes were independent, so without slow changes."""
        return _error(self.spread, self.repeats)


def measure_latency(blueprint: Blueprint, timing: Timing = USUAL) -> Latency:
    """Latency of the network of `blueprint` for one image.

    The weights are untrained: the runtimes do the same work whatever the weights are. Passes are repeated until the
    median is known to PRECISE_ENOUGH, for `timing.seconds` at most, but FEWEST times at least. Other work on the
    machine makes the figure larger, without a larger spread to tell of it: by up to a half with one thread, whose
    caches and memory are shared, and several times with more. `latency_cost` is for what is to be compared. Raises
    ImportError where a runtime is missing.
    """
    run, image = opened(blueprint, timing)
    times = repeated(lambda: pass_time(run, image, timing.threads), timing.seconds)
    kind = (timing.runtime, timing.precision, timing.size, timing.threads)
    return Latency(statistics.median(times), spread_of(times), len(times), *kind)


def latency_cost(memory: Path, timing: Timing = USUAL) -> Callable[[AnyBlueprint], Latency]:
    """Latencies that can be compared: a function that measures each blueprint once for all time.

    Each takes turns with YARDSTICK; its latency is the median share of the yardstick's in neighbouring passes, times
    the yardstick's own, which is measured once. What else the machine does, and its clock, make both slower alike: on
    an idle machine latencies of one network scattered by 1 to 11 %, and such shares by less than 1 %
    (benchmarks/scatter.py).

    The folder `memory` keeps one JSON file for each blueprint, runtime and its version, precision, size, number of
    threads, and processor. Each is written whole, so a search may be killed at any moment, and several processes may
    share the folder. Repeats are those of `measure_latency`, and so is what it raises, at once; the function raises
    ValueError for a damaged file.
    """
    made_by, threads = timing.made_by, timing.threads

    def remembered(key: dict[str, Any], measure: Callable[[], Latency]) -> Latency:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        path = memory / f"{digest[:32]}.json"
        if not path.exists():
            write_json(path, {"key": key, "latency": asdict(measure())})
        return _read(path)

    def yardstick() -> Latency:
        key = made_by | {"blueprint": YARDSTICK.to_json()}
        return remembered(key, lambda: measure_latency(YARDSTICK, timing))

    @cache
    def opened_yardstick() -> Runtime:
        return opened(YARDSTICK, timing)[0]

    def beside_yardstick(blueprint: AnyBlueprint) -> Latency:
        whole, other = yardstick(), opened_yardstick()
        run, image = opened(blueprint, timing)
        shares = repeated(lambda: pass_time(run, image, threads) / pass_time(other, image, threads), timing.seconds)
        median, spread = whole.median * statistics.median(shares), whole.median * spread_of(shares)
        return replace(whole, median=median, spread=spread, repeats=len(shares))

    def cost(blueprint: AnyBlueprint) -> Latency:
        key = made_by | {"blueprint": blueprint.to_json(), "beside": YARDSTICK.to_json()}
        return remembered(key, lambda: beside_yardstick(blueprint))

    return cost


def opened(blueprint: AnyBlueprint, timing: Timing) -> tuple[Runtime, Tensor]:
    """An untrained network of `blueprint` in its runtime, and an image of the padded size for it."""
    runtime, size = timing.runtime, timing.size
    image = random_image(padded_side(size[0]), padded_side(size[1]))
    with tempfile.TemporaryDirectory(prefix="lpienas-") as folder:
        path = Path(folder) / f"network{FORMATS[runtime].suffix}"
        _export(built(blueprint, seed=0).eval(), timing, (image.shape[-2], image.shape[-1]), path)
        return load(path, timing.threads), image


def _export(network: Network, timing: Timing, size: tuple[int, int], path: Path) -> None:
    runtime, precision = timing.runtime, timing.precision
    calibration = [random_image(16 * STRIDE, 16 * STRIDE)]
    if runtime != "onnx":
        with quiet_natives():
            export_network(network, Variant(runtime, precision, size), path, calibration)
        return
    module: nn.Module = rewritten(network, FORMATS[runtime].rewrites.get(precision, ()))
    if precision == "int8":
        assert isinstance(module, LPIENet)  # searches of own families are refused int8
        module = post_training_quantize(module, calibration)
    _write_onnx_by_tracing(module, path)


def _write_onnx_by_tracing(module: nn.Module, path: Path) -> None:
    """The operators that `write_onnx` would write, by torch's older exporter, in a tenth to a thirtieth of the time.

    13 s became 0.4 s for the reference network, 27 s became 3 s in int8; ONNX Runtime gave bitwise equal images, in
    equal time. Not for files to ship: it is deprecated, and keeps no blueprint.
    """
    for name, symbolic in _INT8_OPERATORS.items():
        torch.onnx.register_custom_op_symbolic(name, symbolic, _OPSET)  # type: ignore[attr-defined]
    try:
        with quiet():
            torch.onnx.export(
                _Plain(module),
                (torch.zeros(1, IMAGE_CHANNELS, 4 * STRIDE, 5 * STRIDE),),
                str(path),
                dynamo=False,
                opset_version=_OPSET,
                input_names=["image"],
                output_names=["enhanced"],
                dynamic_axes={"image": {2: "height", 3: "width"}, "enhanced": {2: "height", 3: "width"}},
            )
    finally:
        for name in _INT8_OPERATORS:
            torch.onnx.unregister_custom_op_symbolic(name, _OPSET)  # type: ignore[attr-defined]


class _Plain(nn.Module):
    """A module in evaluation mode for ever: the exporter would call train(), which an int8 graph refuses."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.training = module.training = False

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.module(image)
        return output

    def train(self, mode: bool = True) -> "_Plain":
        return self


# The arguments of these are those of torch.ops.quantized_decomposed; the rest are int8's limits, and types.
def _quantize(graph: Any, x: Any, scale: Any, zero: Any, *rest: Any) -> Any:
    return graph.op("QuantizeLinear", x, *_scale_and_zero(graph, scale, zero))


def _dequantize(graph: Any, x: Any, scale: Any, zero: Any, *rest: Any) -> Any:
    return graph.op("DequantizeLinear", x, *_scale_and_zero(graph, scale, zero))


def _dequantize_weights(graph: Any, x: Any, scales: Any, zeros: Any, *axis_and_rest: Any) -> Any:
    int8 = graph.op("Cast", zeros, to_i=3)  # onnx.TensorProto.INT8
    return graph.op("DequantizeLinear", x, scales, int8, axis_i=int(_constant(axis_and_rest[0])))


def _scale_and_zero(graph: Any, scale: Any, zero: Any) -> tuple[Any, Any]:
    return (
        graph.op("Constant", value_t=torch.tensor(_constant(scale), dtype=torch.float32)),
        graph.op("Constant", value_t=torch.tensor(int(_constant(zero)), dtype=torch.int8)),
    )


def _constant(value: Any) -> float:
    from torch.onnx import symbolic_helper

    return float(symbolic_helper._node_get(value.node(), "value"))


_INT8_OPERATORS: dict[str, Callable[..., Any]] = {
    "quantized_decomposed::quantize_per_tensor": _quantize,
    "quantized_decomposed::dequantize_per_tensor": _dequantize,
    "quantized_decomposed::dequantize_per_channel": _dequantize_weights,
}


def pass_time(run: Runtime, image: Tensor, threads: int) -> float:
    """What one pass took, in ms."""
    # On a busy machine the reference network took 160 to 620 ms by the clock, and 124 to 180 by the thread's own.
    clock = time.thread_time if threads == 1 else time.perf_counter
    begun = clock()
    run(image)
    return 1e3 * (clock() - begun)


def repeated(figure: Callable[[], float], seconds: float) -> list[float]:
    """Figures until their median is known to PRECISE_ENOUGH, for `seconds` at most; FEWEST and MOST hold."""
    for _ in range(_WARM_UP):
        figure()
    figures: list[float] = []
    end = time.perf_counter() + seconds
    while len(figures) < FEWEST or (len(figures) < MOST and time.perf_counter() < end and not _is_precise(figures)):
        figures.append(figure())
    return figures


def _is_precise(times: Sequence[float]) -> bool:
    return _error(spread_of(times), len(times)) <= PRECISE_ENOUGH * statistics.median(times)


def spread_of(times: Sequence[float]) -> float:
    """Half the distance of the quartiles."""
    low, _, high = statistics.quantiles(times, n=4)
    return (high - low) / 2


def _error(spread: float, repeats: int) -> float:
    # Of normal noise: the standard deviation is the spread / 0.6745, and a median's error sqrt(pi / 2) of a mean's.
    return 1.2533 * spread / 0.6745 / sqrt(repeats)


def random_image(height: int, width: int) -> Tensor:
    """One image (1, 3, H, W) in [0, 1], always the same."""
    return torch.rand(1, IMAGE_CHANNELS, height, width, generator=torch.Generator().manual_seed(0))


def _read(path: Path) -> Latency:
    try:
        fields = read_json(path)["latency"]
        return Latency(**{**fields, "size": tuple(fields["size"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no latency ({error}); delete it to have it measured again") from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise ImportError(f"measuring latency needs {package}: pip install {package}") from error
