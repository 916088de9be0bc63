"""Shown run: a finished run with everything on it that a page shows, and stories made of it; nothing is trained."""

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from results import compressions
from results.files import write_json
from results.page.gather import story_of
from results.page.story import Handed, Photograph, RunStory, Story
from results.photo_score import PhotoScore
from results.record import RunSettings
from results.report import report_front
from results.run import Run
from results.study import Trained, open_study, record_test_input, record_training, state_full
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from tests.compressed import keep_compression
from tests.finished_search import finished_search, network_of

TESTED = {0: 0.80, 1: 0.84, 2: 0.82, 3: 0.83}  # SSIM on test photographs; candidate 4 was not trained fully
PARTS = ("training", "validation", "test")
SETTINGS = RunSettings(budget="600M", seed=7)
GENOTYPES = tuple(
    network_of(*widths)
    for widths in ((16, 32, 64, 32, 16), (16, 16, 16, 16, 16), (8, 8, 8, 8, 8), (4, 8, 8, 8, 4), (16, 16, 16, 16, 12))
)


def shown_run(folder: Path, photograph: str = "photo") -> Run:
    """Five candidates, four of them trained fully twice, one compressed; photographs are `photograph`0 to 7."""
    run = finished_search(folder, SETTINGS, GENOTYPES)
    study = open_study(run.study)
    record_test_input(study, 0.6)
    state_full(study, 60, "scratch")
    for number, ssim in TESTED.items():
        for seed in (0, 1):
            scatter = [0.001 * ((3 * number + 5 * seed + place) % 4) for place in range(8)]
            test = tuple(PhotoScore(f"{photograph}{place}", ssim + up, 30.0) for place, up in enumerate(scatter))
            record_training(study, Trained(number, "full", 60, seed, "scratch", ssim + 0.01, 31.0, test))
    figures = {"ssim": 0.85, "psnr": 31.0, "test_ssim": 0.835, "test_psnr": 30.0, "macs": 10**8, "parameters": 5000}
    scores = {
        "trained": figures,
        "pruned": figures | {"before_fine_tuning": figures | {"test_ssim": 0.7}},
        "float": figures | {"made_by": "pruned"},
        "quantized": figures | {"method": "post-training quantization"},
    }
    network = build(Blueprint.from_genotype(GENOTYPES[1]), seed=0)
    made = keep_compression(run, dict.fromkeys(scores, network), scores)
    compressions.keep(run, made.name, dict(made.record) | {"anatomy": anatomy_of("float")})
    made.list_files(
        "", {"net_int8.onnx": {"precision": "int8", "bytes": 12345, "runtime": "ONNX Runtime", "ssim": 0.83}}
    )
    run.summarize(sensitivity={made.name: [{"layer": "all layers", "ssim_loss": 0.004, "psnr_loss": 0.2}]})
    entries = [{"name": f"{photograph}{place}", "split": PARTS[place % 3]} for place in range(8)]
    write_json(run.photographs, {"says": "eight photographs", "fingerprint": "f00d", "photographs": entries})
    write_json(
        run.calibration,
        {"advice": "use it", "agreements": [{"name": "short", "tau": 0.7, "low": 0.4, "high": 0.9, "seconds": 1.5}]},
    )
    return run


def anatomy_of(network: str) -> dict[str, Any]:
    part = {"kind": "stage", "macs_share": 0.2, "firing": 1.0, "ssim_lost": 0.03, "psnr_lost": 1.0}
    branch = part | {"name": "encoder1.skip", "kind": "skip"}
    stages = [part | {"name": name} for name in ("encoder1", "encoder2", "encoder3", "decoder1", "decoder2", "head")]
    return {"network": network, "macs": 10**8, "photographs": "2 photographs", "stages": [*stages, branch]}


def picture(colour: str) -> str:
    written = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(written, "WEBP")
    return f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode()}"


def handed(photograph: str = "photo", network: str = "network") -> Handed:
    def pictured(place: int, ssim: float) -> Photograph:
        outputs = {
            key: {"picture": picture(colour), "ssim": ssim, "psnr": 30.0}
            for key, colour in (("0", "gray"), ("1", "olive"), ("2", "teal"), ("float", "navy"))
        }
        name = f"{photograph}{place}"
        return Photograph(name, (64, 96), picture("maroon"), picture("white"), 0.6, 25.0, outputs)

    row = {"network": network, "runtime": "onnx", "precision": "float", "size": [256, 256], "threads": 1}
    row |= {"median": 12.5, "spread": 0.5, "faster": [3.0, 0.1], "peak_memory": 10**7, "file_bytes": 10**5, "ssim": 0.8}
    return Handed(
        anatomies={1: [anatomy_of(network)]},
        photographs=[pictured(place, ssim) for place, ssim in ((0, 0.9), (1, 0.7), (2, 0.8))],
        says="3 of 8 test photographs",
        latency=[row],
        latency_says="8 photographs",
        control=[{"name": "random search, candidate 9", "cost": 9e7, "ssim": 0.81}],
        control_course={"points": [{"trial": n, "minutes": n / 9, "hypervolume": n / 99} for n in (1, 2, 3)]},
    )


def told(run: Run, given: Handed | None = None) -> RunStory:
    study = open_study(run.study)
    return story_of(run, study, report_front(study), handed() if given is None else given)


def story(*runs: RunStory) -> Story:
    return Story(runs, "0.1", "2026-11-25T12:00+00:00")


def crowded(run: RunStory, networks: int) -> RunStory:
    """The same run with so many networks, most of them scored by the search alone."""
    like = run.networks[1]
    more = [
        replace(
            like,
            key=str(number),
            name=f"candidate {number}",
            kind="searched",
            knee=False,
            cost=like.cost * (0.3 + number / networks),
            search_ssim=0.7 + 0.1 * ((number * 37) % networks) / networks,
            **dict.fromkeys(("ssim", "psnr", "test_ssim", "test_psnr", "low", "high")),
        )
        for number in range(100, 100 + networks - len(run.networks))
    ]
    return replace(run, networks=[*run.networks, *more])
