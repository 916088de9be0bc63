"""JPEG: what the compression of a finished photograph leaves of it."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

GRID = 16  # pixels; a block of colour at half the resolution, after which the grid repeats


def recompressed(image: Tensor, quality: int, corner: tuple[int, int]) -> Tensor:
    """`image` (3, H, W) in [0, 1] as a JPEG of `quality` (1 to 95), colour at half the resolution, gives it back.

    `corner` (down, across), below GRID, is where in the grid of blocks the image begins: patches begin anywhere.
    """
    down, across = corner
    pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()
    padded = np.pad(pixels, ((down, 0), (across, 0), (0, 0)), mode="edge")
    file = io.BytesIO()
    Image.fromarray(padded).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    decoded = np.array(Image.open(file))[down:, across:]
    return torch.from_numpy(decoded).to(image.device).permute(2, 0, 1).to(image.dtype).div_(255)
