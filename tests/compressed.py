"""Compressed: a run with a compression that nobody had to compute, for the tests of what comes after."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from compress.int8.calibration import keep_calibration
from results import compressions
from results.compressions import CALIBRATION, Compression
from results.files import network_fingerprint, save_network
from results.run import Run
from results.store import Stage, Store
from search_spaces.lpienet import LPIENet

FIGURES = {"ssim": 0.9, "psnr": 30.0, "test_ssim": 0.8, "test_psnr": 29.0, "made_by": "trained"}
PATCHES = [image[None] for image in torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))]


def keep_compression(
    run: Run,
    networks: Mapping[str, LPIENet],
    scores: Mapping[str, Any] | None = None,
    name: str = "small",
    calibration: Sequence[Tensor] = PATCHES,
) -> Compression:
    """A compression of `run` whose `networks`, by stage (float, quantized), have these scores."""
    store, found = Store(run.made), dict(scores or {}) or {stage: dict(FIGURES) for stage in networks}
    parts = {}
    for stage, network in networks.items():
        save_network(run.folder / "aside", network)
        digest = network_fingerprint(run.folder / "aside")
        for suffix in (".json", ".safetensors"):
            (run.folder / "aside").with_suffix(suffix).unlink()
        made = Stage("int8" if stage == "quantized" else "training", {"test": digest, "name": name})
        save_network(store.at(made.key) / "network", network)
        if stage == "quantized":
            keep_calibration(store.at(made.key) / CALIBRATION, calibration)
        store.keep(made, "of a test", found[stage], 1.0)
        parts[stage] = {"stage": made.key, "file": "network"}
    record = {"key": name, "made_from": {}, "chosen": {"number": 1}, "networks": parts, "scores": found}
    return compressions.keep(run, name, record | {"ssim_definition": "SSIM as defined"})
