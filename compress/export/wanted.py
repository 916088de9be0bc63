"""Wanted: which files are asked for, what each is of, and their names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compress.export.formats import FORMATS, IO, int8_as
from compress.export.onnx_file import OPSETS
from compress.int8.scheme import WIDTHS
from search_spaces.sides import padded_side


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files are asked for; raises ValueError for what no format has."""

    formats: Sequence[str]  # keys of FORMATS
    sizes: Sequence[tuple[int, int]]  # height, width; a format of static size has a file for each, padded to 8
    workers: int = 1  # files made at a time, each in a process of its own that needs about 1.2 GB
    licence: str | None = None  # what others may do with them; None: what was said last
    opset: int | None = None  # of ONNX files, one of OPSETS; None: as there is, or as the exporter writes
    io: str = "float"  # one of IO: what int8 files take and give
    activations: int = 8  # bits of int8 files, or 16, where a format has it

    def __post_init__(self) -> None:
        if self.opset is not None and self.opset not in OPSETS:
            raise ValueError(f"--opset {self.opset}: must be {OPSETS.start} to {OPSETS.stop - 1}")
        if self.io not in IO:
            raise ValueError(f"--io {self.io}: must be one of {', '.join(IO)}")
        if self.activations not in WIDTHS:
            raise ValueError(f"--activations {self.activations}: must be 8 or 16 bits")
        if self.activations == 16 and self.io != "float":
            raise ValueError(f"--io {self.io} has ends of 8 bits, and --activations 16 none: leave one of them out")
        if self.activations == 16 and self.opset is not None:
            raise ValueError(
                f"--opset {self.opset}: ONNX has no operators of 16 bits before opset 21, which --activations 16 "
                "writes; leave one of them out"
            )
        asks = f"--activations {self.activations}" if self.activations != 8 else f"--io {self.io}"
        having = [name for name, made in FORMATS.items() if self.int8 in made.all_writers]
        if self.int8 != "int8" and not set(having) & set(self.formats):
            raise ValueError(f"{asks}: no such int8 file of {', '.join(self.formats)}; there is of {', '.join(having)}")

    @property
    def int8(self) -> str:
        """The precision of the int8 files."""
        return int8_as(self.io, self.activations)

    @property
    def without_int8(self) -> list[str]:
        """A line for each format that has int8 files, but none of the kind that is asked for."""
        some = [name for name in self.formats if "int8" in FORMATS[name].precisions]
        lacking = [name for name in some if self.int8 not in FORMATS[name].all_writers]
        says = f"no int8 file, since it has none of the kind that is asked for ({self.int8})"
        return [f"{name}: {says}" for name in lacking]


def asked(wanted: Wanted) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Format, size and precision of every file; the sizes multiples of 8, each once."""
    padded = list(dict.fromkeys((padded_side(height), padded_side(width)) for height, width in wanted.sizes))
    for format in wanted.formats:
        made = FORMATS[format]
        for size in padded[:1] if made.any_size else padded:
            for precision in made.precisions:
                if precision != "int8":
                    yield format, size, precision
                elif wanted.int8 in made.all_writers:
                    yield format, size, wanted.int8


def file_name(format: str, precision: str, size: tuple[int, int]) -> str:
    """`lpienet_int8_512x512.tflite`, without the size where one file serves all."""
    made = FORMATS[format]
    return f"lpienet_{precision}{'' if made.any_size else f'_{size[0]}x{size[1]}'}{made.suffix}"
