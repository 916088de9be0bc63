"""Plain: a residual CNN, x + head(body(x)), as a family of networks for lpienas to search.

lpienas search --out runs/plain --family examples/plain.py:Plain --trials 40
lpienas report runs/night runs/plain --family examples/plain.py:Plain
lpienas export runs/plain --family examples/plain.py:Plain
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}


class PlainCNN(nn.Module):
    """Convolutions in a row at full resolution, which learn what is to be added to the image."""

    def __init__(self, genes: Mapping[str, Any]) -> None:
        super().__init__()
        width, kernel = genes["width"], genes["kernel"]
        layers: list[nn.Module] = []
        channels = 3
        for _ in range(genes["depth"]):
            layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), ACTIVATIONS[genes["activation"]]()]
            channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.normal_(self.head.weight, std=1e-3)  # begins near the identity

    def forward(self, image: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, 3, H, W)
        added: Tensor = self.head(self.body(image))
        return image + added


class Plain:
    """What a search asks of the family: its choices, a network of some of them, and how far that sees."""

    choices = {  # noqa: RUF012
        "width": (4, 8, 16, 24, 32),
        "depth": (1, 2, 3, 4, 6),
        "kernel": (3, 5),
        "activation": ("relu", "gelu"),
    }

    def build(self, genes: Mapping[str, Any]) -> nn.Module:
        """The network of these genes, with random weights."""
        return PlainCNN(genes)

    def radius(self, genes: Mapping[str, Any]) -> int:
        """Pixels: half a kernel for each convolution of the body, and one for the head."""
        return int(genes["depth"]) * (int(genes["kernel"]) // 2) + 1
