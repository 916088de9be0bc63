"""Runtimes: an exported file, opened by the library that phones use, as a function from image to image."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from platform import system
from typing import Any

import torch
from torch import Tensor

from compress.quiet import quiet, quiet_natives
from compress.runtime.about import BLUEPRINT_KEY, COREML_UNITS, KEY, METHODS, TILES_KEY, from_text
from compress.runtime.levels import LEVELS, Integers
from compress.runtime.rule import TileRule, rule_from_text, rule_of
from results.files import load_network, network_at, read_json, sha256_of
from search_spaces.lpienet import LPIENet
from search_spaces.networks import blueprint_from_json
from search_spaces.own import AnyBlueprint
from search_spaces.sides import STRIDE


@dataclass(frozen=True, slots=True)
class Runtime:
    """An opened file. Not for several threads at once: it owns one set of buffers."""

    name: str  # of the library, for tables
    size: tuple[int, int] | None  # height, width; None where any multiples of STRIDE will do
    blueprint: AnyBlueprint | None  # as kept in the file; None in a file made elsewhere
    _run: Callable[[Tensor], Tensor]
    about: Mapping[str, str] = field(default_factory=dict)  # fields of an About, as kept in the file
    rule: TileRule | None = None  # how tiles are cut for it; None in a file that says neither that nor its blueprint
    ends: tuple[Integers, Integers] | None = None  # what its image and its output are kept as; None: floats

    def __call__(self, image: Tensor) -> Tensor:
        """Enhanced `image`, both (1, 3, H, W) float32; raises ValueError for another shape (see tiles.enhance).

        A file with integer ends is given the nearest ones, and what it gives becomes floats.
        """
        sides = (image.shape[-2], image.shape[-1]) if image.dim() == 4 else (0, 0)
        fits = sides == self.size if self.size else not (sides[0] % STRIDE or sides[1] % STRIDE)
        if image.dim() != 4 or tuple(image.shape[:2]) != (1, 3) or not fits:
            wanted = f"{self.size[0]}, {self.size[1]}" if self.size else f"multiples of {STRIDE}"
            raise ValueError(f"{self.name} needs an image of shape (1, 3, {wanted}), got {tuple(image.shape)}")
        # Contiguous: a permuted image keeps channels-last strides, which ExecuTorch takes for another shape.
        given = image.detach().to("cpu", torch.float32).contiguous()
        if self.ends is None:
            return self._run(given)
        taken, gave = self.ends
        return gave.back(self._run(taken.of(given)))

    def blended(self, strength: float) -> "Runtime":
        """The same, whose output is `strength` of the enhanced image and the rest of the given one.

        Raises ValueError unless 0 <= strength <= 1.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength = {strength}: must be from 0, the photograph as it is, to 1")
        return replace(self, ends=None, _run=lambda image: torch.lerp(image, self(image), strength))


def in_pytorch(network: LPIENet) -> Runtime:
    """A float network as it is, on the processor; threads are those that torch is set to."""
    network = network.cpu().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(image: Tensor) -> Tensor:
        with torch.inference_mode():
            output: Tensor = network(image)
        return output

    return Runtime("PyTorch", None, network.blueprint, run, rule=rule_of(network.blueprint))


def load(path: Path, threads: int = 1) -> Runtime:
    """Open `path` by its suffix: .onnx, .tflite, .pte or, on macOS, .mlpackage; or a saved network, in PyTorch.

    `threads` is the number of CPU threads; ExecuTorch has one pool for the process, so there the last call counts.
    Raises FileNotFoundError, ImportError naming the package to install, and ValueError for an unknown suffix or a
    damaged file.
    """
    if (network := network_at(path)) is not None:
        return in_pytorch(load_network(network))
    if path.suffix not in (*_OPENERS, ".json", ".safetensors"):
        raise ValueError(
            f"{path}: a file to run must end in one of {', '.join(_OPENERS)}, or be a network: its .json, with the "
            ".safetensors beside it"
        )
    if not path.exists():
        made = "name a network's .json" if path.suffix not in _OPENERS else "export it first"
        raise FileNotFoundError(f"{path} is not there; {made}")
    if path.suffix == ".mlpackage" and system() != "Darwin":
        raise ValueError(f"{path}: Core ML files run on macOS only")
    if threads < 1:
        raise ValueError(f"threads = {threads}: must be at least 1")
    try:
        with quiet(), quiet_natives():  # ExecuTorch and LiteRT tell of processors, thread pools and delegates
            return _OPENERS[path.suffix](path, threads)
    except ImportError as error:
        raise ImportError(f"opening {path} needs {error.name}: pip install {_PACKAGES[path.suffix]}") from error
    except Exception as error:  # each library has its own types, down to a bare RuntimeError
        raise ValueError(f"{path} cannot be opened ({error}); it is damaged or not ours: export it again") from error


def require_survives(path: Path) -> None:
    """Raises ValueError for a file that ends the process that opens it, as damaged ones may.

    It is opened in a process of its own first, which takes half a second and more: for files that come from elsewhere.
    One that the list beside it names by its digest has run here before.
    """
    if path.suffix not in _OPENS or not path.is_file() or _is_listed(path):
        return
    name, opens = _OPENS[path.suffix]
    words = [sys.executable, "-P", "-c", opens, str(path.absolute())]
    tried = subprocess.run(words, capture_output=True, check=False)
    if tried.returncode < 0:  # other errors are told by opening it here
        raise ValueError(
            f"{path} cannot be opened ({name} ends with signal {-tried.returncode}); it is damaged or not ours: export "
            "it again"
        )


def _is_listed(path: Path) -> bool:
    """Whether files.json, which an export writes beside its files, names these bytes."""
    try:
        figures = read_json(path.with_name("files.json"))["files"][path.name]
        return bool(figures["sha256"] == sha256_of(path))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_in_openvino(path: Path, threads: int = 1) -> Runtime:
    """Open an ONNX file in OpenVINO, which is optional; raises ImportError without it, ValueError for another file."""
    try:
        import openvino
    except ImportError as error:
        raise ImportError("running an ONNX file in OpenVINO needs openvino: pip install 'lpienas[openvino]'") from error
    own = load(path, threads)  # a damaged file is named here; its size and blueprint are those of ONNX Runtime
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # or float files run in bfloat16 where the processor has it
    }
    model = openvino.Core().compile_model(str(path), "CPU", settings)

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(model([image.numpy()])[0].copy())

    return Runtime("OpenVINO", own.size, own.blueprint, run, own.about, own.rule)


def _open_onnx(path: Path, threads: int) -> Runtime:
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows it would tell its makers
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdqisint8allowed", "1")  # or int8 convolutions run in float
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    ends = _ends([_ONNX_TYPES.get(end.type) for end in (source, target)])
    _require_pictures(source.shape, 1)
    _require_pictures(target.shape, 1)
    texts = session.get_modelmeta().custom_metadata_map

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {source.name: image.numpy()})[0])

    height, width = source.shape[2:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return _described("ONNX Runtime", size, run, texts, ends)


def _open_litert(path: Path, threads: int) -> Runtime:
    from ai_edge_litert.interpreter import Interpreter

    content = path.read_bytes()
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()

    shape = [int(side) for side in source["shape"]]
    channels_last = shape[-1] == 3  # files of older versions, and of other makers, may be channels-first

    kinds = [_LITERT_TYPES.get(end["dtype"].__name__) for end in (source, target)]
    ends = _ends(kinds, [end["quantization"] for end in (source, target)])
    for end in (source, target):
        _require_pictures(end["shape"].tolist(), 3 if channels_last else 1)

    def run(image: Tensor) -> Tensor:
        interpreter.set_tensor(source["index"], (image.permute(0, 2, 3, 1) if channels_last else image).numpy())
        interpreter.invoke()
        output = torch.from_numpy(interpreter.get_tensor(target["index"]))  # a copy
        return output.permute(0, 3, 1, 2) if channels_last else output

    height, width = shape[1:3] if channels_last else shape[2:]
    return _described("LiteRT", (height, width), run, _litert_metadata(content), ends)


def _open_executorch(path: Path, threads: int) -> Runtime:
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
    from executorch.runtime import Runtime as Library
    from executorch.runtime import Verification

    with path.open("rb") as file:
        if file.read(8)[4:6] != b"ET":  # the library ends the whole process on a file of another kind
            raise ValueError("not an ExecuTorch program")
    _unsafe_reset_threadpool(threads)
    # By path: a program made from bytes does not keep them, and runs in freed memory.
    program = Library.get().load_program(path, verification=Verification.InternalConsistency)
    method = program.load_method("forward")
    texts = {
        key: bytes(program.load_method(name).execute([])[0].tolist()).decode()
        for key, name in METHODS.items()
        if name in program.method_names
    }

    def run(image: Tensor) -> Tensor:
        output: Tensor = method.execute([image])[0]
        return output.clone()  # the next call writes into the same memory

    taken, given = method.metadata.input_tensor_meta(0), method.metadata.output_tensor_meta(0)
    ends = _ends([_EXECUTORCH_TYPES.get(end.dtype()) for end in (taken, given)])
    _require_pictures(list(taken.sizes()), 1)
    height, width = taken.sizes()[2:]
    return _described("ExecuTorch", (height, width), run, texts, ends)


def _open_coreml(path: Path, threads: int) -> Runtime:
    import coremltools

    units = coremltools.ComputeUnit[COREML_UNITS]  # macOS decides on threads
    model = coremltools.models.MLModel(str(path), compute_units=units)
    texts = model.user_defined_metadata

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(model.predict({"image": image.numpy()})["enhanced"]).float()

    height, width = model.get_spec().description.input[0].type.multiArrayType.shape[2:]
    return _described("Core ML", (int(height), int(width)), run, texts)


def _ends(
    kinds: Sequence[torch.dtype | None], scales: Sequence[tuple[float, int]] | None = None
) -> tuple[Integers, Integers] | None:
    """Of two ends, by their types and, where a file says it, what their integers stand for; None: floats.

    Raises ValueError for others than float32 or integers at both.
    """
    if all(kind == torch.float32 for kind in kinds):
        return None
    known = LEVELS if scales is None else _INTEGERS
    if any(kind not in known for kind in kinds):
        names = " and ".join("another" if kind is None else str(kind).removeprefix("torch.") for kind in kinds)
        raise ValueError(f"its ends are of type {names}, where photographs are float32, uint8 or int8 at both")
    if scales is None:
        image, output = (LEVELS[kind] for kind in kinds if kind is not None)
    else:
        image, output = (Integers(kind, *at) for kind, at in zip(kinds, scales, strict=True) if kind is not None)
    return image, output


def _require_pictures(shape: Sequence[Any], channels_at: int) -> None:
    """Raises ValueError where a file does not take, or give, one RGB picture; unknown sides are no ints."""
    sides = [side for place, side in enumerate(shape) if place not in (0, channels_at)]
    fits = len(shape) == 4 and shape[channels_at] == 3 and (not isinstance(shape[0], int) or shape[0] == 1)
    fits = fits and all(not isinstance(side, int) or (side > 0 and side % STRIDE == 0) for side in sides)
    if not fits:
        layout = "(1, 3, height, width)" if channels_at == 1 else "(1, height, width, 3)"
        raise ValueError(
            f"it has an end of shape ({', '.join(map(str, shape))}), where photographs are {layout}, with sides that "
            f"are multiples of {STRIDE}"
        )


def _litert_metadata(content: bytes) -> dict[str, str]:
    """The named metadata of ours, by name."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    entries = {entry.Name().decode(): entry for entry in map(model.Metadata, range(model.MetadataLength()))}
    return {
        name: bytes(model.Buffers(entries[name].Buffer()).DataAsNumpy()).decode() for name in METHODS if name in entries
    }


def _described(
    name: str,
    size: tuple[int, int] | None,
    run: Callable[[Tensor], Tensor],
    texts: Mapping[str, str],
    ends: tuple[Integers, Integers] | None = None,
) -> Runtime:
    """A file as its own `texts` describe it; of older ones the rule of tiles follows from the blueprint."""
    text = texts.get(BLUEPRINT_KEY)
    blueprint = blueprint_from_json(json.loads(text)) if text else None
    rule = rule_from_text(texts.get(TILES_KEY)) or (rule_of(blueprint) if blueprint else None)
    return Runtime(name, size, blueprint, run, from_text(texts.get(KEY)), rule, ends)


_ONNX_TYPES = {"tensor(float)": torch.float32, "tensor(uint8)": torch.uint8, "tensor(int8)": torch.int8}
_INTEGERS = (torch.uint8, torch.int8, torch.int16)
_LITERT_TYPES = {"float32": torch.float32, "uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16}
_EXECUTORCH_TYPES = {6: torch.float32, 0: torch.uint8, 1: torch.int8}  # by its numbers
_OPENERS = {".onnx": _open_onnx, ".tflite": _open_litert, ".pte": _open_executorch, ".mlpackage": _open_coreml}
_OPENS = {  # what opens a file, without our own code
    ".tflite": (
        "LiteRT",
        "from ai_edge_litert.interpreter import Interpreter; import sys; Interpreter(sys.argv[1]).allocate_tensors()",
    ),
    ".onnx": (
        "ONNX Runtime",
        "import onnxruntime, sys; onnxruntime.disable_telemetry_events(); "
        "onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])",
    ),
    ".pte": (
        "ExecuTorch",
        "import sys; open(sys.argv[1], 'rb').read(8)[4:6] == b'ET' or sys.exit(1); "
        "from executorch.runtime import Runtime, Verification; Runtime.get().load_program("
        "sys.argv[1], verification=Verification.InternalConsistency).load_method('forward')",
    ),
}
_PACKAGES = {
    ".onnx": "onnxruntime",
    ".tflite": "ai-edge-litert",
    ".pte": "'lpienas[export]'",
    ".mlpackage": "'lpienas[coreml]'",
}
