"""Traps: what accelerators trip over although each operator is on their list, read from the graph of a file.

Rules of LiteRT's GPU delegate are those of its source (accelerators.py), or faults that others met in older ones, which
are on many phones. Those of Qualcomm's NPU are its documentation's. Nothing here was run on such hardware.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

MOST_AXES = 4  # of a tensor on LiteRT's GPU: batch, height, width, channels
_NPU_AXES = 5  # likewise, of Qualcomm's NPU
MOST_TERMS = 2048  # of a sum in half precision: beyond, a term as large as the others' mean is less than half a step
_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
_CHOICES = ("CAST", "SELECT", "SELECT_V2")
_CLAMPS = ("RELU_0_TO_1", "RELU_N1_TO_1")
_TAKES_EQUAL_INPUTS = ("ADD", "MUL", "CONCATENATION")


@dataclass(frozen=True, slots=True)
class Trap:
    """What one accelerator may trip over in a file."""

    accelerator: str
    operator: str  # empty: the graph as a whole
    count: int
    says: str


@dataclass(frozen=True, slots=True)
class Step:
    """An operator of a .tflite graph; tensors are numbers, -1 for one that is left out."""

    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """What is needed of a .tflite file."""

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]  # by tensor
    types: tuple[str, ...]  # by tensor, as the schema names them
    constant: frozenset[int]  # tensors with values of their own
    mirrors: tuple[int, ...] = ()  # places of steps that pad by reflection with the edge repeated

    def used_by(self, tensor: int) -> list[Step]:
        return [step for step in self.steps if tensor in step.inputs]


def graph_of(content: bytes) -> Graph:
    """The graph of a .tflite file, by its schema; raises what the schema's code raises for a damaged one."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    operators = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    types = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    codes = [operators[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    steps = [
        Step(codes[one.opcodeIndex], tuple(map(int, one.inputs)), tuple(map(int, one.outputs)))
        for one in graph.operators
    ]
    symmetric = schema.MirrorPadMode.SYMMETRIC
    return Graph(
        steps=tuple(steps),
        outputs=tuple(map(int, graph.outputs)),
        shapes=tuple(tuple(map(int, () if tensor.shape is None else tensor.shape)) for tensor in graph.tensors),
        types=tuple(types[tensor.type] for tensor in graph.tensors),
        constant=frozenset(
            place
            for place, tensor in enumerate(graph.tensors)
            if model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data)
        ),
        mirrors=tuple(
            place
            for place, one in enumerate(graph.operators)
            if steps[place].operator == "MIRROR_PAD" and getattr(one.builtinOptions, "mode", None) == symmetric
        ),
    )


def gpu_traps(graph: Graph, accelerator: str) -> tuple[Trap, ...]:
    """What LiteRT's GPU delegate may trip over in `graph`, each kind of operator once for each reason."""
    found: Counter[tuple[str, str]] = Counter()
    for place, step in enumerate(graph.steps):
        for tells in _TRAPS:
            if (says := tells(graph, step, place)) is not None:
                found[step.operator, says] += 1
    return tuple(Trap(accelerator, operator, count, says) for (operator, says), count in sorted(found.items()))


def npu_traps(model: Any, accelerator: str) -> tuple[Trap, ...]:
    """What Qualcomm's NPU does not take of `model`, an onnx.ModelProto: it wants quantized graphs of fixed sizes."""
    graph = model.graph
    traps = []
    open_sides = [value.name for value in graph.input if not _is_static(value)]
    if open_sides:
        says = "takes graphs of fixed sizes only: export it with --to onnx-fixed"
        traps.append(Trap(accelerator, "", 1, says))
    if not any(node.op_type == "QuantizeLinear" for node in graph.node):
        says = "takes quantized graphs: this one is float; export the int8 network"
        traps.append(Trap(accelerator, "", 1, says))
    orders = [len(one.ints) for node in graph.node if node.op_type == "Transpose" for one in node.attribute]
    shuffles = sum(axes > _NPU_AXES for axes in orders)
    if shuffles:
        says = f"has more than {_NPU_AXES} axes (a pixel shuffle?) and stays outside"
        traps.append(Trap(accelerator, "Transpose", shuffles, says))
    return tuple(traps)


def _is_static(value: Any) -> bool:
    return all(side.HasField("dim_value") for side in value.type.tensor_type.shape.dim)


def _too_many_axes(graph: Graph, step: Step, place: int) -> str | None:
    """As a pixel shuffle is that is not written as DEPTH_TO_SPACE: of 6 axes."""
    most = max((len(graph.shapes[one]) for one in _tensors(graph, step)), default=0)
    return f"has {most} axes (a pixel shuffle?), and at most {MOST_AXES} are taken" if most > MOST_AXES else None


def _other_type(graph: Graph, step: Step, place: int) -> str | None:
    if step.operator in (*_COMPARISONS, *_CHOICES, "LOGICAL_AND", "GATHER", "ONE_HOT"):
        return None
    taken = ("FLOAT32", "FLOAT16", "INT8", "UINT8")
    others = sorted({graph.types[one] for one in _tensors(graph, step)} - set(taken))
    return f"holds {', '.join(others)}: only float and 8-bit tensors are taken" if others else None


def _lonely_comparison(graph: Graph, step: Step, place: int) -> str | None:
    if step.operator not in _COMPARISONS:
        return None
    users = [user.operator for output in step.outputs for user in graph.used_by(output)]
    if len(users) == 1 and users[0] in _CHOICES:
        return None
    return "is taken only where one CAST or SELECT, and nothing else, uses it"


def _equal_inputs(graph: Graph, step: Step, place: int) -> str | None:
    given = [one for one in step.inputs if one >= 0]
    if len(given) == len(set(given)):
        return None
    if step.operator in _TAKES_EQUAL_INPUTS:
        return "has two equal inputs, which older delegates refuse"
    return "has two equal inputs, which stays outside"


def _used_output(graph: Graph, step: Step, place: int) -> str | None:
    both = [one for one in step.outputs if one in graph.outputs and graph.used_by(one)]
    if step.operator != "ADD" or not both:
        return None
    return "is an output of the file and used again: delegates that fuse it with what follows lose one of the two"


def _clamp(graph: Graph, step: Step, place: int) -> str | None:
    if step.operator in _CLAMPS:
        return "is done as an addition, a ReLU and an addition, which round in half precision"
    return None


def _mirror(graph: Graph, step: Step, place: int) -> str | None:
    if step.operator != "MIRROR_PAD":
        return None
    if place in graph.mirrors:
        return "repeats the edge (SYMMETRIC), which stays outside; REFLECT is taken"
    return "is taken by LiteRT's GPU delegate, by most NPUs not: reflect outside of the graph"


def _long_sum(graph: Graph, step: Step, place: int) -> str | None:
    terms = _terms(graph, step)
    if terms <= MOST_TERMS:
        return None
    return (
        f"sums up {terms} values: in half precision, in which GPUs accumulate by default, more than {MOST_TERMS} lose "
        "what is added last"
    )


def _terms(graph: Graph, step: Step) -> int:
    """How many values make one of a result; 0 where they are not summed up."""
    if step.operator in ("CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"):
        weights = graph.shapes[step.inputs[1]]  # output channels first
        return prod(weights[1:])
    if step.operator in ("MEAN", "SUM"):
        return prod(graph.shapes[step.inputs[0]]) // max(1, prod(graph.shapes[step.outputs[0]]))
    return 0


def _tensors(graph: Graph, step: Step) -> list[int]:
    """What a step takes and gives while the file runs."""
    return [one for one in (*step.inputs, *step.outputs) if one >= 0 and one not in graph.constant]


_TRAPS: Sequence[Callable[[Graph, Step, int], str | None]] = (
    _too_many_axes, _other_type, _lonely_comparison, _equal_inputs, _used_output, _clamp, _mirror, _long_sum,
)  # fmt: skip


def lines_of(traps: Sequence[Trap]) -> Iterator[str]:
    """A report's line for each."""
    for one in traps:
        yield f"  {one.accelerator}: {f'{one.count} x {one.operator} ' if one.operator else ''}{one.says}"
