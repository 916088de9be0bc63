"""Delegates: which operators of an exported file a phone's accelerated library does not take, and why.

What XNNPACK takes is read from the file itself (ExecuTorch decides when the file is written) or from the interpreter
after it has planned (LiteRT). What GPUs and NPUs take is compared with their own sources (accelerators.py, traps.py),
and was not run.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress.export.accelerators import DOCUMENTED, LITERT_GPU, QNN
from compress.export.traps import Trap, gpu_traps, graph_of, lines_of, npu_traps
from compress.quiet import quiet
from compress.runtime.runtimes import require_survives
from search_spaces.sides import on_any_size

FLOAT16_LIMIT = 65504.0  # the largest float16; a GPU delegate that computes in it overflows above


@dataclass(frozen=True, slots=True)
class Outside:
    """An operator that stays outside."""

    operator: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Delegated:
    """What becomes of one file."""

    file: str
    delegate: str | None  # None where the runtime on the processor has none
    partitions: int | None  # the parts that the delegate runs; 1 with nothing outside is the best
    outside: tuple[Outside, ...]
    documented: Mapping[str, tuple[str, ...]]  # name of the list -> operators of the file that are not on it
    operators: Mapping[str, int] | None  # all of the file by kind; None where the delegate's own format hides them
    traps: tuple[Trap, ...] = ()  # what is on the list and may fail all the same

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


# Rules of executorch 1.5.1, backends/xnnpack/partition/config
_REASONS = {
    "aten::mean": "XNNPACK's partitioner takes a mean over rows and columns, not one over channels",
    "aten::amax": "XNNPACK's partitioner has no rule for amax",
}
_NO_RULE = {
    ".pte": "XNNPACK's partitioner has no rule for it, or not with these arguments",
    ".tflite": "LiteRT's XNNPACK delegate does not take it, or not with these arguments",
}


def delegated(path: Path) -> Delegated:
    """What the delegates take of the file `path`, .tflite, .pte or .onnx.

    Raises ValueError for another suffix or a damaged file, FileNotFoundError, ImportError naming what to install.
    """
    if path.suffix not in _READERS:
        raise ValueError(f"{path}: must end in one of {', '.join(_READERS)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; export it first")
    require_survives(path)
    try:
        with quiet():
            partitions, outside, operators = _READERS[path.suffix](path)
            traps = _traps(path)
    except ImportError as error:
        raise ImportError(f"reading {path} needs {error.name}: pip install {_PACKAGES[path.suffix]}") from error
    except Exception as error:  # each library has its own types
        raise ValueError(f"{path} cannot be read ({error}); it is damaged or not ours: export it again") from error
    missing = {
        one.name: tuple(sorted(set(operators) - one.operators))
        for one in DOCUMENTED
        if one.suffix == path.suffix and operators is not None
    }
    reason = _NO_RULE.get(path.suffix, "")
    return Delegated(
        file=path.name,
        delegate=None if partitions is None else "XNNPACK",
        partitions=partitions,
        outside=tuple(Outside(name, count, _REASONS.get(name, reason)) for name, count in sorted(outside.items())),
        documented=missing,
        operators=operators,
        traps=traps,
    )


@dataclass(frozen=True, slots=True)
class LargestActivation:
    """The largest absolute value that any module of a network put out."""

    module: str
    value: float

    @property
    def fits_float16(self) -> bool:
        return self.value < FLOAT16_LIMIT

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"float16_limit": FLOAT16_LIMIT, "fits_float16": self.fits_float16}


def largest_activation(network: nn.Module, images: Iterable[Tensor]) -> LargestActivation:
    """Over all modules and `images` (B, 3, H, W) in [0, 1]; raises ValueError without images."""
    found = LargestActivation("", -1.0)
    names = {module: name or "output" for name, module in network.named_modules()}

    def look(module: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal found
        value = float(output.abs().max())
        if not value <= found.value:  # written so that NaN is found
            found = LargestActivation(names[module], value)

    hooks = [module.register_forward_hook(look) for module in names]
    try:
        with torch.no_grad():
            for image in images:
                on_any_size(network, image)
    finally:
        for hook in hooks:
            hook.remove()
    if not found.module:
        raise ValueError("images is empty: the activations of a network need at least one photograph")
    return found


def report_lines(files: Sequence[Delegated], largest: Mapping[str, LargestActivation]) -> list[str]:
    """The report as text, one file after the other, then the activations of each run's float network by its name."""
    lines = []
    for one in files:
        if one.partitions is None:
            lines.append(f"{one.file}: no delegate on the processor; the runtime has kernels of its own")
        else:
            parts = "one partition" if one.partitions == 1 else f"{one.partitions} partitions"
            whole = "" if one.outside else ", nothing outside"
            lines.append(f"{one.file}: {one.delegate} takes {parts}{whole}")
        lines += [f"  outside: {out.count} x {out.operator}: {out.reason}" for out in one.outside]
        for name, operators in one.documented.items():
            said = f"not on its list: {', '.join(operators)}" if operators else "all operators are on its list"
            lines.append(f"  {name}, by {_DATES[name]}, not run: {said}")
        lines += lines_of(one.traps)
    for run, found in largest.items():
        verdict = "below" if found.fits_float16 else "NOT below"
        lines.append(
            f"{run}: largest activation on the validation photographs {found.value:.4g}, of {found.module}, {verdict} "
            f"the limit of float16, {FLOAT16_LIMIT:.0f}"
        )
    return lines


def _traps(path: Path) -> tuple[Trap, ...]:
    if path.suffix == ".tflite":
        return gpu_traps(graph_of(path.read_bytes()), LITERT_GPU)
    if path.suffix == ".onnx":
        import onnx

        return npu_traps(onnx.load(str(path)), QNN)
    return ()


_DATES = {one.name: f"its source of {one.date}" if one.date else "its documentation" for one in DOCUMENTED}
_Read = tuple[int | None, Counter[str], Counter[str] | None]  # partitions, operators outside, all operators


def _read_executorch(path: Path) -> _Read:
    from executorch.exir._serialize._program import deserialize_pte_binary
    from executorch.exir.schema import DelegateCall, KernelCall

    program = deserialize_pte_binary(path.read_bytes()).program
    (plan,) = [plan for plan in program.execution_plan if plan.name == "forward"]
    calls = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions]
    # The schema's name ends in the overload that writes into memory given to it: aten::mean.out
    kernels = [plan.operators[call.op_index].name for call in calls if isinstance(call, KernelCall)]
    outside = Counter(name.partition(".")[0] for name in kernels)
    return sum(isinstance(call, DelegateCall) for call in calls), outside, None


def _read_litert(path: Path) -> _Read:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()  # plans; the nodes that were replaced stay in the list, delegates come behind them
    nodes = interpreter._get_ops_details()
    delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
    plain = [node for node in nodes if node["op_name"] != "DELEGATE"]
    maker = {tensor: node for node in plain for tensor in node["outputs"]}
    inside: set[int] = set()
    for delegate in delegates:
        # What it runs is what lies between its inputs and its outputs.
        given, wanted = set(delegate["inputs"]), list(delegate["outputs"])
        while wanted:
            tensor = wanted.pop()
            if tensor not in given and tensor in maker and maker[tensor]["index"] not in inside:
                inside.add(maker[tensor]["index"])
                wanted += list(maker[tensor]["inputs"])
    outside = Counter(node["op_name"] for node in plain if node["index"] not in inside)
    return len(delegates), outside, Counter(node["op_name"] for node in plain)


def _read_onnx(path: Path) -> _Read:
    import onnx

    model = onnx.load(str(path))
    return None, Counter(), Counter(node.op_type for node in model.graph.node)


_READERS = {".tflite": _read_litert, ".pte": _read_executorch, ".onnx": _read_onnx}
READABLE = tuple(_READERS)  # suffixes
_PACKAGES = {".tflite": "ai-edge-litert", ".pte": "'lpienas[export]'", ".onnx": "'lpienas[export]'"}
