"""Networks: a run's network, a saved one or an exported file, opened, as an object that enhances pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lpienas.errors import tells
from lpienas.fields import threads_here
from lpienas.included import at, hold_of

if TYPE_CHECKING:
    from torch import Tensor

    from compress.runtime.noise_level import Hold
    from compress.runtime.runtimes import Runtime
    from compress.runtime.tiles import Rows
    from lpienas.shown import BeforeAfter

Picture = TypeVar("Picture")
OnTile = Callable[[int, int], None]  # tiles that are done, and all


@dataclass(frozen=True, slots=True)
class Network:
    """An opened network; not for several threads at once, since a runtime owns one set of buffers."""

    path: Path
    runtime: "Runtime"
    hold: float = 0.0  # times the noise of a photograph that its updates are held to; 0: they are as they are
    noise_level: float | None = None  # of the photographs: root mean square in levels of 255; None: not known

    def __post_init__(self) -> None:
        if self.noise_level is not None and not self.hold:
            raise ValueError(f"noise level = {self.noise_level:g} with hold = 0: nothing would be held to it")
        _ = self.limit  # raises

    @property
    def limit(self) -> "Hold | None":
        """What updates are held to."""
        from compress.runtime.noise_level import Hold

        noise = None if self.noise_level is None else self.noise_level / 255
        return Hold(self.hold, noise) if self.hold else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in pixels that a file of one size takes at a time; None: any. `enhance` cuts tiles of it."""
        return self.runtime.size

    @property
    def halo(self) -> int:
        """How many pixels around an output pixel, at most, can change it."""
        from compress.runtime.tiles import seen_by

        return seen_by(self.runtime)

    @property
    @tells
    def scores(self) -> Mapping[str, Any]:
        """SSIM and PSNR (dB) that its run measured on the test photographs; empty where no run is known."""
        return _scores(self.path)

    @tells
    def enhance(self, image: Picture, on_tile: OnTile | None = None) -> Picture:
        """`image` enhanced, of the same kind, shape and type: a NumPy array, a PIL picture or a tensor.

        Arrays are (H, W, 3), tensors (3, H, W) or (1, 3, H, W); RGB, uint8 or uint16 over their whole range, or floats
        in [0, 1]. Files of photographs: `lpienas.enhance`.
        """
        import numpy as np
        import torch

        if isinstance(image, torch.Tensor):
            batch = image[None] if image.dim() == 3 else image
            return self.of_tensor(batch, on_tile).reshape(image.shape)  # type: ignore[return-value]
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or image.shape[-1] != 3:
                raise ValueError(f"image has shape {image.shape}: must be (height, width, 3), RGB")
            found = self.of_tensor(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None], on_tile)
            pixels: Any = found[0].permute(1, 2, 0).contiguous().numpy()
            return pixels  # type: ignore[no-any-return]
        from PIL import Image

        if isinstance(image, Image.Image):
            if image.mode != "RGB":
                raise ValueError(f"image has mode {image.mode}: must be RGB; see its convert()")
            return Image.fromarray(self.enhance(np.array(image), on_tile))  # type: ignore[return-value]
        raise ValueError(
            f"image is a {type(image).__name__}: must be an array, a PIL picture or a tensor; "
            "for files there is lpienas.enhance"
        )

    def of_tensor(self, image: "Tensor", on_tile: OnTile | None = None) -> "Tensor":
        """`enhance` for an image (1, 3, H, W), which keeps its type; floats are clipped to [0, 1] as a picture is."""
        from compress.runtime.tiles import enhance

        output = enhance(self.runtime, image, on_tile, hold=self.limit)
        return output.clamp(0, 1) if output.is_floating_point() else output

    def compare(self, image: Picture) -> "BeforeAfter":
        """`image` beside itself enhanced, for a notebook; of the kinds that `enhance` takes."""
        from lpienas.shown import BeforeAfter

        return BeforeAfter(image, self.enhance(image))


@tells
def load(
    model: str | Path, threads: int | None = None, hold: float | None = None, noise_level: float | None = None
) -> Network:
    """Open a run's compression (RUN, RUN/compressions/NAME.json), a network (its .json), a .onnx, .tflite or .pte file.

    "denoise" is the denoiser that comes with the package. `threads` of the processor (None: all). A denoiser takes away
    at most `hold` times the noise that the photograph has at that brightness, 1 or more, and weighs that, for which it
    runs twice (compress.runtime.noise_level has what pays); 0: whatever it finds; None: 0, but of "denoise" what it
    ships with. `noise_level` is the root mean square of the photographs' noise in levels of 255, where it is known:
    they are held to it. Raises Error for what is none of these, or damaged.
    """
    import torch

    from compress.runtime.runtimes import load as opened
    from compress.runtime.runtimes import require_survives
    from results.compressions import compression_at
    from results.run import is_run

    path, count = at(Path(model)), threads or threads_here()
    shipped = 0.0 if path == Path(model) else hold_of(str(model))
    torch.set_num_threads(count)
    require_survives(path)
    compressed = is_run(path) or compression_at(path) is not None
    network = Network(path, opened(saved_network(path) if compressed else path, count), shipped)
    return holding(network, hold, noise_level)


def holding(network: Network, hold: float | None, noise_level: float | None) -> Network:
    """`network` held as asked; where only the noise of the photographs is named, as the denoiser of the package is."""
    from compress.runtime.noise_level import HELD

    if hold is None:
        hold = network.hold or (0.0 if noise_level is None else HELD)
    return replace(network, hold=hold, noise_level=noise_level)


def saved_network(path: Path) -> Path:
    """Path without suffix of the saved network that `path` names.

    That is the float network of a compression, RUN/compressions/NAME.json or the last one of a run folder.
    """
    from results.compressions import FLOAT, OlderCompression, compression_at, compression_of, older_network
    from results.files import network_at
    from results.run import Run, is_run

    path = at(path)
    if is_run(path):
        try:
            return compression_of(Run(path)).network(FLOAT)
        except OlderCompression:
            return older_network(Run(path))
    compression = compression_at(path)
    if compression is not None:
        return compression.network(FLOAT)
    found = network_at(path)
    if found is None:
        raise FileNotFoundError(f"{path} is neither a run folder nor a network: name its .json, beside .safetensors")
    return found


def of_compression(models: Sequence[Path], name: str | None) -> list[Path]:
    """`models`, with the compression of this name in place of every run folder; None: as they are."""
    from results.compressions import compression_of
    from results.run import Run, is_run

    if name is not None and not any(map(is_run, models)):
        raise ValueError(f"--compression {name} is for a run folder, and none is named")
    return [compression_of(Run(path), name).path if name is not None and is_run(path) else path for path in models]


def _scores(path: Path) -> Mapping[str, Any]:
    """What the record of a compression, of an exported file or of a stage says of `path`."""
    from results.compressions import FLOAT, OlderCompression, compression_at, compression_of
    from results.files import read_json
    from results.run import NotCompressed, Run, is_run

    figures: Mapping[str, Any] = {}
    if is_run(path):
        try:
            figures = compression_of(Run(path)).scores[FLOAT]
        except OlderCompression:
            figures = Run(path).read_summary().get("scores", {}).get(FLOAT, {})
        except NotCompressed:
            return {}
    elif (compression := compression_at(path)) is not None:
        figures = compression.scores[FLOAT]
    elif (files := path.with_name("files.json")).is_file():
        figures = read_json(files).get("files", {}).get(path.name, {})
        return {name: figures[name] for name in ("ssim", "psnr") if figures.get(name) is not None}
    elif path.stem == "network" and (record := path.with_name("record.json")).is_file():
        figures = read_json(record).get("figures", {})
    return {name: figures[f"test_{name}"] for name in ("ssim", "psnr") if f"test_{name}" in figures}


def enhancing(network: Network) -> "Callable[[Tensor], Tensor]":
    """What nas.task.evaluation takes: an image (1, 3, H, W) to an enhanced one."""
    from compress.runtime.tiles import enhance

    return partial(enhance, network.runtime, hold=network.limit)


def enhancing_rows(network: Network, on_tile: OnTile) -> "Callable[[Rows], Iterator[Tensor]]":
    """What compress.runtime.photo takes: an image that is read in parts to its enhanced rows."""
    from compress.runtime.tiles import enhance_rows

    return partial(enhance_rows, network.runtime, on_tile=on_tile, hold=network.limit)
