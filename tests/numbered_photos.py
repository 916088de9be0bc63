"""Photographs whose pixels say where they lie, and a blur that reads around them, for tests of patches and pairs."""

import numpy as np
import torch
from scipy.ndimage import uniform_filter

from nas.task.data.photos import Photo
from nas.task.degrade import SensorNoise
from nas.task.degrade.turns import EVERY_TURN, Turn

FAINT = SensorNoise(shot=(1e-12, 1e-12), read=(1e-9, 1e-9))


def numbered(name: str, height: int, width: int, blue: int = 0) -> Photo:
    """Red is the row and green the column of each pixel; blue says which photo."""
    rows = torch.arange(height, dtype=torch.uint8)[:, None].expand(height, width)
    columns = torch.arange(width, dtype=torch.uint8)[None, :].expand(height, width)
    return Photo(name, torch.stack([rows, columns, torch.full((height, width), blue, dtype=torch.uint8)]), None)


def as_pair(photo: Photo) -> Photo:
    return Photo(photo.name, photo.clean, 255 - photo.clean)


def as_bytes(images: torch.Tensor) -> np.ndarray:
    return (images * 255).round().to(torch.uint8).numpy()


class Mean:
    """Each pixel is the mean of 5 x 5: a blur that reads 2 pixels around an image."""

    margin = 2

    def __init__(self, turns: tuple[Turn, ...] = EVERY_TURN) -> None:
        self.turns = turns

    def degrade(self, clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(clean, 5, stride=1)

    def degrade_at(self, clean: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        return self.degrade(clean, generator)

    def in_turn(self, rank: int) -> "Mean":
        return self

    def describe(self) -> str:
        return "means"


def blurred(pixels: np.ndarray) -> np.ndarray:
    """(3, H, W), by scipy, what lies outside being the reflection."""
    return np.stack([uniform_filter(one.astype(float), 5, mode="mirror") for one in pixels])
