"""Teacher: another network, from a file, whose outputs are a part of what a network learns to make of its patches.

Patches depend on (seed, step), and several trainings see the same ones, so outputs are kept on disk, each by a digest
of the patches that it is of.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.task.training import Batch
from results.files import load_network, network_at, network_fingerprint, read_tensors, write_tensors
from search_spaces.sides import on_any_size

MOST_BYTES = 4 * 10**9  # of the outputs of one teacher on disk; more are made and not kept
_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Teacher:
    """A saved network or an ONNX file, with what it held when it was chosen; raises ValueError for a wrong share."""

    path: str
    digest: str  # hexadecimal, of its bytes
    share: float = 0.5  # of its output in the target; the rest is the clean patch

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"teacher share = {self.share}: must be above 0, at most 1")

    @classmethod
    def of(cls, path: Path, share: float = 0.5) -> "Teacher":
        """The one at `path`; raises ValueError for another kind of file, FileNotFoundError where there is none."""
        return cls(str(path.absolute()), _digest(path), share)

    def restore(self, degraded: Tensor) -> Tensor:
        """What it makes of `degraded` (B, 3, P, P) in [0, 1]; raises ValueError where its file has changed."""
        with torch.no_grad():
            output: Tensor = _opened(self.path, self.digest)(degraded)
        return output.clamp(0, 1)

    def to_json(self) -> dict[str, Any]:
        """For run.json."""
        return asdict(self)


def taught(batch: Batch, teacher: Teacher, folder: Path) -> Batch:
    """`batch` whose clean side is, by the teacher's share, what it makes of the degraded one; kept below `folder`."""

    def lesson(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batch(step)
        return degraded, clean.lerp(_kept(teacher, degraded, folder).to(clean), teacher.share)

    return lesson


def _kept(teacher: Teacher, degraded: Tensor, folder: Path) -> Tensor:
    """In half precision, whether it was kept or not, so that a training does not depend on that."""
    pixels = degraded.detach().cpu().contiguous()
    name = blake2b(pixels.numpy().tobytes() + str(tuple(pixels.shape)).encode(), digest_size=16).hexdigest()
    file = folder / teacher.digest[:24] / name[:2] / f"{name}.safetensors"
    if file.exists():
        try:
            return read_tensors(file)[_OUTPUT].float()
        except (ValueError, KeyError):
            file.unlink(missing_ok=True)  # damaged: it is made again
    output = teacher.restore(pixels).half()
    if _room(file.parents[1]):
        write_tensors(file, {_OUTPUT: output})
    return output.float()


def _room(folder: Path) -> bool:
    """Whether more may be kept; judged by one of the 256 folders, so that not each of many files is asked each time."""
    first = folder / "00"
    held = sum(file.stat().st_size for file in first.iterdir()) if first.is_dir() else 0
    return 256 * held < MOST_BYTES


def _digest(path: Path) -> str:
    if (network := network_at(path)) is not None:
        return network_fingerprint(network)
    if path.suffix != ".onnx":
        raise ValueError(f"teacher {path}: must be a run, a network's .json, or an .onnx file; export others to ONNX")
    return blake2b(path.read_bytes(), digest_size=32).hexdigest()


@lru_cache(maxsize=2)
def _opened(path: str, digest: str) -> Any:
    """A function from patches to patches."""
    file = Path(path)
    if _digest(file) != digest:
        raise ValueError(f"teacher {path}: the file is not the one that was chosen any more; bring that back")
    if (network := network_at(file)) is not None:
        return partial(on_any_size, load_network(network).eval())
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # on Windows it would tell its makers
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # workers stand side by side
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return partial(_by_onnx, session, path)


def _by_onnx(session: Any, path: str, degraded: Tensor) -> Tensor:
    """One patch at a time, as files for phones take them."""
    name = session.get_inputs()[0].name
    try:
        found = [session.run(None, {name: patch[None].numpy()})[0] for patch in degraded.float()]
    except Exception as error:  # the library's own types
        raise ValueError(
            f"teacher {path}: does not take patches (1, 3, {degraded.shape[-2]}, {degraded.shape[-1]}) ({error}): "
            "export it for any size, or choose another --patch"
        ) from error
    output = torch.cat([torch.from_numpy(one) for one in found])
    if output.shape != degraded.shape:
        raise ValueError(f"teacher {path}: makes {tuple(output.shape)} of {tuple(degraded.shape)}: must keep the shape")
    return output
