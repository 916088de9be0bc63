"""The rows of benchmarks/int8.py: one network made into integers by our ways and by other people's tools."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from compress.export.executorch_file import write_executorch
from compress.export.formats import FORMATS, Variant, export_network
from compress.export.litert_file import described, to_litert
from compress.export.litert_wide import mosaics
from compress.export.onnx_file import write_onnx
from compress.int8.fitted import fitted
from compress.int8.quantize import post_training_quantize
from compress.int8.scheme import Scheme
from compress.int8.sensitivity import sensitivity
from compress.int8.ways import Quantizing, to_int8
from compress.quiet import quiet
from compress.runtime.runtimes import Runtime, load, load_in_openvino
from compress.runtime.tiles import enhance
from compress.settings import CompressSettings
from nas.task.task import Task
from results.files import load_network, save_network, write_json
from results.progress import Silent
from search_spaces.lpienet import LPIENet

Run = Callable[[Tensor], Tensor]  # a photograph (1, 3, H, W) in [0, 1], any size, to an enhanced one
TRAINED, LONGER = "trained", "longer"  # networks after training for int8, and as long in float


class Unavailable(Exception):
    """A tool that is not installed, or fails on this network; the message says which."""


@dataclass(frozen=True)
class Case:
    """A network, and what its rows are made with."""

    network: LPIENet
    task: Task
    calibration: list[Tensor]
    folder: Path  # of its cells, and of the networks after training for int8
    steps: int  # of that training
    side: int  # pixels of the files of one size: a crop with its halo

    def fitted(self, levels: int) -> LPIENet:
        """The network as int8 is made of it without training, with the channels of so many levels held twice."""
        path = self.folder / f"fitted-{levels}"
        if not path.with_suffix(".safetensors").exists():
            save_network(path, fitted(self.network, self.calibration, levels))
        return load_network(path).eval()

    def trained(self, levels: int) -> LPIENet:
        """The best by the ways of `compress`, after training too, with the channels of so many levels held twice."""
        return self._after_training(f"{TRAINED}-{levels}", levels)

    def longer(self) -> LPIENet:
        """The network after as many steps in float, which begin where quantization-aware training does."""
        return self._after_training(LONGER, 0)

    def _after_training(self, name: str, levels: int) -> LPIENet:
        """One of the networks of a training for int8, which happens once for each number of levels."""
        path = self.folder / name
        if not path.with_suffix(".safetensors").exists():
            recipe = CompressSettings.of_steps(2 * self.steps).quantization
            asked = Quantizing("best", recipe, self.calibration, twice=levels)
            made = to_int8(self.network, self.task, asked, Silent(), self.folder / "checkpoint")
            assert made.longer is not None  # `best` makes it
            save_network(self.folder / LONGER, made.longer.cpu())
            save_network(self.folder / f"{TRAINED}-{levels}", made.network.cpu())
            write_json(self.folder / f"trained-{levels}-figures.json", made.figures)
            for left in self.folder.glob("checkpoint*"):
                left.unlink()
        return load_network(path).eval()


def _float(case: Case) -> Run:
    return _in_torch(case, case.network)


def _longer(case: Case) -> Run:
    return _in_torch(case, case.longer())


def _ours(case: Case, format: str = "litert", precision: str = "int8", trained: bool = False, levels: int = 0) -> Run:
    """An exported file in its own runtime; of a network as it was trained in float, as `compress` quantizes it then."""
    network = case.trained(levels) if trained else case.fitted(levels)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"ours{FORMATS[format].suffix}"
        size = None if FORMATS[format].any_size else (case.side, case.side)
        export_network(network, Variant(format, precision, size), path, case.calibration)
        return _run(load(path))


def _of_scheme(case: Case, scheme: Scheme) -> Run:
    """What no processor's delegate runs, computed in torch by the graph that a file would be made of."""
    return _in_torch(case, post_training_quantize(case.fitted(0), case.calibration, scheme=scheme))


def _costly_wide(case: Case, layers: int) -> Run:
    """The so many layers that lose the most alone, at 16 bits."""
    alone = sensitivity(case.network, case.calibration, list(case.task.validation)[:12], Silent())[1:]
    return _of_scheme(case, Scheme(wide=frozenset(one.layer for one in alone[:layers])))


def _weights_only(case: Case) -> Run:
    from ai_edge_quantizer import recipe

    return _by_ai_edge(case, recipe.weight_only_wi8_afp32())


def _ai_edge(case: Case) -> Run:
    from ai_edge_quantizer import recipe

    return _by_ai_edge(case, recipe.static_wi8_ai8())


def _by_ai_edge(case: Case, recipe: Any) -> Run:
    from ai_edge_quantizer.quantizer import Quantizer

    size = (case.side, case.side)
    images = [image.permute(0, 2, 3, 1).contiguous().numpy() for image in mosaics(case.calibration, size)]
    with TemporaryDirectory() as folder, quiet(), redirect_stdout(sys.stderr):
        path = Path(folder) / "theirs.tflite"
        quantizer = Quantizer(to_litert(case.network, size), recipe)
        ranges = None
        if quantizer.need_calibration:
            ranges = quantizer.calibrate({"serving_default": [{"args_0": image} for image in images]}, num_threads=1)
        made = bytes(quantizer.quantize(ranges).quantized_model)
        path.write_bytes(described(made, case.network.blueprint, None))
        return _run(load(path))


def _onnxruntime(case: Case) -> Run:
    """Static quantization to Q/DQ, per channel, signed, by least and largest values."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Patches(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter(case.calibration)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self.left, None)
            return None if image is None else {"image": image.numpy()}

    with TemporaryDirectory() as folder:
        plain, made = Path(folder) / "float.onnx", Path(folder) / "theirs.onnx"
        write_onnx(case.network, case.network.blueprint, None, plain)
        quantize_static(
            plain,
            made,
            Patches(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return _run(load(made))


def _nncf(case: Case) -> Run:
    """Post-training quantization of the ONNX file in OpenVINO; what it leaves in float stays there."""
    import nncf
    import openvino

    with TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        write_onnx(case.network, case.network.blueprint, None, plain)
        model = openvino.Core().read_model(str(plain))
        patches = nncf.Dataset([image.numpy() for image in case.calibration])
        made = nncf.quantize(model, patches, subset_size=len(case.calibration))
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(made, "CPU", settings)
        blueprint = load_in_openvino(plain).blueprint

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(compiled([image.numpy()])[0].copy())

    return _run(Runtime("OpenVINO", None, blueprint, run))


def _xnnpack(case: Case) -> Run:
    """torchao's PT2E with the quantizer that comes with XNNPACK, in ExecuTorch."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    size = (case.side, case.side)
    with TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "theirs.pte"
        program = torch.export.export(case.network, (torch.zeros(1, 3, *size),)).module()
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        prepared = prepare_pt2e(program, quantizer)
        for image in mosaics(case.calibration, size):
            prepared(image)
        write_executorch(convert_pt2e(prepared), case.network.blueprint, size, path)
        return _run(load(path))


def _in_torch(case: Case, module: Callable[[Tensor], Tensor]) -> Run:
    def run(image: Tensor) -> Tensor:
        with torch.inference_mode():
            return module(image)

    return _run(Runtime("PyTorch", None, case.network.blueprint, run))


def _run(runtime: Runtime) -> Run:
    return partial(enhance, runtime)


def _or_unavailable(make: Callable[[Case], Run]) -> Callable[[Case], Run]:
    """Another tool's error, of whatever type, is a cell that says so, and not the end of the benchmark."""

    def made(case: Case) -> Run:
        try:
            return make(case)
        except ImportError as error:
            raise Unavailable(f"not installed: {error.name}") from error
        except Exception as error:
            raise Unavailable(f"{type(error).__name__}: {str(error).splitlines()[0][:200]}") from error

    return made


ROWS: dict[str, Callable[[Case], Run]] = {
    "float": _float,
    "float-longer": _longer,
    "int8": _ours,
    "int8-twice": partial(_ours, levels=1),
    "int8-onnxruntime": partial(_ours, format="onnx"),
    "int8-executorch": partial(_ours, format="executorch"),
    "int8-settled": partial(_of_scheme, scheme=Scheme(settled=True)),
    "int8-trained": partial(_ours, trained=True),
    "int8-twice-trained": partial(_ours, trained=True, levels=1),
    "int8-ends": partial(_ours, precision="int8-io-int8"),
    "int8-costly-16": partial(_costly_wide, layers=4),
    "int8-8-costly-16": partial(_costly_wide, layers=8),
    "16x8": partial(_ours, precision="16x8"),
    "16x8-onnxruntime": partial(_ours, format="onnx", precision="16x8"),
    "weights-only": _or_unavailable(_weights_only),
    "onnxruntime": _or_unavailable(_onnxruntime),
    "ai-edge-quantizer": _or_unavailable(_ai_edge),
    "openvino-nncf": _or_unavailable(_nncf),
    "torchao-xnnpack": _or_unavailable(_xnnpack),
}
