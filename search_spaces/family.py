"""Family: what a search asks of networks that a user wrote, and the file in which they are written.

Its code runs where a user names the file, on the command line or in Python. No run folder and no network has it run:
they hold its name and the digest of its source, by which another source is noticed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from search_spaces.code import digest_of, file_and_name, run_code
from search_spaces.genotype import Gene
from search_spaces.own import FamilyName, OwnBlueprint, as_genes
from search_spaces.sides import STRIDE

_DIGEST = 16  # bytes
_SHOWN = 3  # genes of a network that an error is about


class Family(Protocol):
    """What a user writes. Costs, files, tiles and tables follow from it."""

    choices: Mapping[str, tuple[Gene, ...]]  # of each gene; numbers in rising order

    def build(self, genes: Mapping[str, Any]) -> nn.Module:
        """A network with random weights, from an image (B, 3, H, W) in [0, 1] to one of that shape.

        H and W are multiples of 8. Every combination of choices has to be a network.
        """

    def radius(self, genes: Mapping[str, Any]) -> int:
        """How many pixels, at most, lie between an output pixel and an input pixel that can change it, per axis.

        Of a network that pools: between a block of 8x8 output pixels that begins at multiples of 8 and an input pixel.
        """


class FamilyError(ValueError):
    """A family's file cannot be used, or is another one than a run was made with."""


class OwnNetwork(nn.Module):
    """A network of an own family, with what is known of it; image (B, 3, H, W) to (B, 3, H, W)."""

    def __init__(self, blueprint: OwnBlueprint, inside: nn.Module) -> None:
        super().__init__()
        self.blueprint, self.inside = blueprint, inside

    def forward(self, image: Tensor) -> Tensor:
        output: Tensor = self.inside(image)
        return output


@dataclass(frozen=True, slots=True)
class OwnFamily:
    """A family whose file a user named; a value that may go to other processes, which read the file again."""

    name: FamilyName  # with its path

    @classmethod
    def named(cls, text: str) -> "OwnFamily":
        """From `FILE.py:NAME`; the file is run, and raises FamilyError where it is not what a search needs."""
        named = file_and_name(text)
        if named is None:
            raise FamilyError(f"--family {text}: write the file and what in it is the family, like plain.py:Plain")
        path, name = named[0].absolute(), named[1]
        if not path.is_file():
            raise FamilyError(f"--family {text}: {path} is not there")
        family = cls(FamilyName(name, digest_of(path.read_bytes(), _DIGEST), path))
        family.code()
        return family

    def code(self) -> Family:
        """What the file defines; raises FamilyError where it changed since it was named, or defines something else."""
        assert self.name.path is not None
        return _code(self.name.path, self.name.name, self.name.source)

    @property
    def choices(self) -> dict[str, tuple[Gene, ...]]:
        return {gene: tuple(values) for gene, values in self.code().choices.items()}

    def blueprint(self, genes: Mapping[str, Gene]) -> OwnBlueprint:
        """What is known of the network of `genes`: counted by fvcore, and its radius, which is tried out.

        Raises FamilyError for a network that is not one, and for a radius that it sees beyond.
        """
        return _blueprint(self, as_genes(genes))

    def build(self, blueprint: OwnBlueprint, seed: int) -> OwnNetwork:
        """The network with the random weights of `seed`; the global random state is left as it was."""
        with torch.random.fork_rng(devices=[]), _told(self.name.name, "build"):
            torch.default_generator.manual_seed(seed)
            inside = self.code().build(dict(blueprint.genes))
        if not isinstance(inside, nn.Module):
            raise FamilyError(f"{self.name.name}.build gave a {type(inside).__name__}: must be a torch.nn.Module")
        return OwnNetwork(blueprint, inside)


@lru_cache(maxsize=8)
def _code(path: Path, name: str, source: str) -> Family:
    text = path.read_bytes()
    if digest_of(text, _DIGEST) != source:
        raise FamilyError(f"{path} changed while it was in use: begin again")
    try:
        loaded = run_code(text, path, f"lpienas_family_{source}")
    except Exception as error:  # whatever a user's file raises
        raise FamilyError(f"{path} cannot be run ({type(error).__name__}: {error})") from error
    found = getattr(loaded, name, None)
    if found is None:
        raise FamilyError(f"{path} has no {name}")
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise FamilyError(f"{path}: {name}() needs arguments ({error}): must be made without any") from error
    _require_family(found, name)
    family: Family = found
    return family


def _require_family(found: Any, name: str) -> None:
    lacks = [part for part in ("choices", "build", "radius") if not hasattr(found, part)]
    if lacks:
        raise FamilyError(f"{name} has no {', no '.join(lacks)}: a family has choices, build and radius")
    if not isinstance(found.choices, Mapping) or not found.choices:
        raise FamilyError(f"{name}.choices = {found.choices!r}: must be a dict from each gene to a tuple of its values")
    for gene, values in found.choices.items():
        if not isinstance(values, tuple | list) or not values or len(set(values)) != len(values):
            raise FamilyError(f"{name}.choices[{gene!r}] = {values!r}: must be distinct values, at least one")
        try:
            as_genes({f"{gene}, choice {place}": value for place, value in enumerate(values, 1)})
        except ValueError as error:
            raise FamilyError(f"{name}.choices: {error}") from error


@lru_cache(maxsize=4096)
def _blueprint(family: OwnFamily, genes: tuple[tuple[str, Gene], ...]) -> OwnBlueprint:
    from search_spaces.cost import traced_macs  # with fvcore, which enhancing does without

    of = f"{family.name.name} with " + ", ".join(f"{gene}={value}" for gene, value in genes[:_SHOWN])
    with _told(of, "radius"):
        radius = family.code().radius(dict(genes))
    if not isinstance(radius, int) or isinstance(radius, bool) or radius < 0:
        raise FamilyError(f"{of}: radius = {radius!r}: must be a whole number of pixels, at least 0")
    network = family.build(OwnBlueprint(family.name, genes, radius, 1, 1), 0)
    with _told(of, "the network"):
        _require_seen(network, radius, of)
        macs = traced_macs(network)
    parameters = sum(one.numel() for one in network.parameters() if one.requires_grad)
    return OwnBlueprint(family.name, genes, radius, macs, parameters)


def _require_seen(network: nn.Module, radius: int, of: str) -> None:
    """Raises FamilyError where the network takes no images, or sees further than `radius`.

    NaN goes wherever a pixel's value goes, so an output that is a number has not seen one.
    """
    network.eval()
    beyond = -(-radius // STRIDE) * STRIDE
    side = 2 * beyond + 3 * STRIDE
    image = torch.full((1, 3, side, side), torch.nan)
    first, end = beyond + STRIDE - radius, beyond + 2 * STRIDE + radius
    image[..., first:end, first:end] = 0.5
    with torch.inference_mode():
        output = network(image)
    if not isinstance(output, Tensor) or output.shape != image.shape:
        gave = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise FamilyError(f"{of} makes of an image {tuple(image.shape)} {gave}: must be of the same shape")
    block = output[..., beyond + STRIDE : beyond + 2 * STRIDE, beyond + STRIDE : beyond + 2 * STRIDE]
    if block.isnan().any():
        raise FamilyError(
            f"{of} sees further than the {radius} pixels that its radius says: tiles of an image would show seams. "
            "Give a larger radius; a network that takes means over the whole image has none, and goes into no tiles"
        )


@contextmanager
def _told(of: str, part: str) -> Iterator[None]:
    """Within it a user's code runs; what it raises becomes a FamilyError that names the network."""
    try:
        yield
    except FamilyError:
        raise
    except Exception as error:
        raise FamilyError(f"{of}: {part} fails ({type(error).__name__}: {error})") from error
