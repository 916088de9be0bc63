"""Shipped: the network that comes with the package is small, alive, and takes noise away."""

import numpy as np
import pytest
import torch
from skimage.data import stereo_motorcycle

from lpienas.ready import SHIPPED, ready, shipped_tasks
from nas.task.degrade import SensorNoise, add_sensor_noise
from results.files import load_network
from search_spaces.cost import DEFAULT_SIZE
from search_spaces.count import macs_of

BYTES = 2**20


@pytest.mark.parametrize("task", shipped_tasks())
def test_it_has_at_most_300_mmacs_and_a_megabyte(task):
    folder = SHIPPED / task
    assert macs_of(load_network(folder / "network").blueprint, DEFAULT_SIZE) <= 300_000_000
    assert sum(path.stat().st_size for path in folder.iterdir()) < BYTES


@pytest.mark.parametrize("precision", ["float", "16x8"])
def test_a_photograph_alone_gets_better_by_it(precision):
    pixels = stereo_motorcycle()[0][100:228, 200:328].copy()  # which it was not trained on
    clean = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    noisy = add_sensor_noise(clean, *SensorNoise().at(0.5), torch.Generator().manual_seed(0))[0]
    image = (noisy * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    better = ready("denoise", precision=precision).enhance(image)

    def error(given: np.ndarray) -> float:
        return float(np.mean((given / 255 - pixels / 255) ** 2))

    assert error(better) < error(image) / 3  # nearly 5 dB
