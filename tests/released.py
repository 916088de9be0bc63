"""Released: LPIENet's own space and a small network of it, for the tests of networks."""

import torch
from torch import Tensor

from search_spaces.blueprint import Blueprint
from search_spaces.genotype import ATTENTIONS, STAGES, Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from search_spaces.space import Space, default_space

# LPIENet's own wiring, with a ReLU before every block.
RELEASED = Space.from_json(
    {
        f"{name}.{gene}": values
        for name in STAGES
        for gene, values in (
            ("depth", [1, 2, 3]),
            ("width", list(default_space().choices[f"{name}.width"])),
            ("expansion", [0.5, 1.0, 1.5, 2.0]),
            ("attention", list(ATTENTIONS)),
        )
    }
    | {"block": ["released", "mobilenet"], "activation": ["elu", "relu"], "head": ["conv3x3"]}
)
SMALL = Genotype(tuple(Stage(depth=1, width=width) for width in (4, 8, 12, 8, 4)))


def network_of(genotype: Genotype, seed: int = 0) -> LPIENet:
    return build(Blueprint.from_genotype(genotype), seed)


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))
