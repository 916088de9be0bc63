"""Page: how long the report of a thousand trials takes to write and to open, and how large it is.

    python benchmarks/page.py --trials 1000 --times 5

The run is made up: random networks of the default space with random scores, forty of them trained fully, and pictures
that fill all that a page leaves for them. It is opened in headless Chromium, each time by a new one, until the front
is drawn and the frame after it shown, and until all that stands further down is there too: by the clock, and in
processor seconds of all of the browser's processes. The shortest of --times counts, since other work on the machine
only makes them longer.
"""

import argparse
import base64
import io
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the browser of the tests

from lpienas.pictures import MOST_BYTES
from nas.suggest import suggest
from results.candidate import Scores
from results.front import ReferencePoint
from results.page.gather import story_of
from results.page.story import Handed, Photograph, Story
from results.page.write import write_page
from results.photo_score import PhotoScore
from results.record import RunSettings
from results.report import report_front
from results.run import Run
from results.study import (
    BUDGET,
    Trained,
    fix_reference_point,
    open_study,
    record_test_input,
    record_training,
    state_full,
)
from results.trials import attributes_of, tell_scores
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_of, parameters_of
from search_spaces.own import require_lpienet
from search_spaces.space import REFERENCE, default_space
from tests.browser import MISSING, chromium

_SIZE = (256, 256)
_FULLY, _SEEDS, _PHOTOGRAPHS = 40, 2, 39
_SIDE, _NETWORKS = 384, 6  # pixels of a picture, and networks that it is shown of
# It is there, and the frame after that has been shown.
_SHOWN = """(what) => document.querySelector(what)
  && new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true), 0)))"""
_STATES = {"front": "#front-chart[data-drawn=yes] svg", "all": "html[data-shown=whole]"}  # in this order


def main() -> None:
    """Print bytes of the page, seconds to gather and write it, and seconds to open it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--times", type=int, default=5, help="that the page is opened")
    parser.add_argument("--out", type=Path, help="keep the page there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = made_up(Path(folder) / "run", options.trials)
        path = options.out or Path(folder) / "report.html"
        begun, used = time.perf_counter(), time.process_time()
        study = open_study(run.study)
        story = story_of(run, study, report_front(study), Handed(photographs=list(pictures(MOST_BYTES))))
        size = write_page(path, Story([story], "0.1.0", "now"))
        print(f"{options.trials} trials: {size / 1e6:.2f} MB", end=", ")
        print(f"written in {time.perf_counter() - begun:.1f} s ({time.process_time() - used:.1f} s of processor)")
        times = [opened(path) for _ in range(options.times)]
    names = [f"{state}, {by}" for state in _STATES for by in ("clock", "processor")]
    for name, found in zip(names, zip(*times, strict=True), strict=True):
        print(f"{name}: {min(found):.2f} s ({', '.join(f'{one:.2f}' for one in found)})")


def opened(path: Path) -> list[float]:
    """Seconds until each of _STATES, by the clock and of the browser's processes."""
    with chromium() as browser:
        if browser is None:
            raise SystemExit(MISSING)
        whole = browser.new_browser_cdp_session()
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto("about:blank")

        def used() -> float:
            return sum(float(one["cpuTime"]) for one in whole.send("SystemInfo.getProcessInfo")["processInfo"])

        before, begun = used(), time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit")
        found = []
        for selector in _STATES.values():
            page.wait_for_function(_SHOWN, arg=selector)
            found += [time.perf_counter() - begun, used() - before]
        return found


def made_up(folder: Path, trials: int) -> Run:
    """A run of so many trials with a front; nothing is trained."""
    run, generator = Run(folder), random.Random(0)
    run.describe(RunSettings(budget="600M"))
    study, drawn = open_study(run.study, create=True), optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    fix_reference_point(study, ReferencePoint(0.6, 3e9))
    space, found = default_space(), {}
    for number in range(trials):
        trial = drawn.ask()
        genotype = require_lpienet(suggest(trial, space)) if number else REFERENCE
        blueprint = Blueprint.from_genotype(genotype)
        macs, parameters = macs_of(blueprint, _SIZE), parameters_of(blueprint)
        for name, value in attributes_of(genotype, macs, parameters, float(macs)).items():
            trial.set_user_attr(name, value)
        trial.set_constraint(BUDGET, -1.0)
        ssim = 0.7 + 0.02 * np.log10(macs / 1e6) + generator.gauss(0, 0.01)
        found[number] = Scores(ssim, 30.0, macs, parameters)
    study.add_trials(drawn.get_trials())
    for number, scores in found.items():
        tell_scores(study, number, scores)
    record_test_input(study, 0.6)
    state_full(study, 6000, "scratch")
    best = sorted(found, key=lambda number: -found[number].ssim)[: _FULLY - 1]
    for number in {0, *best}:
        for seed in range(_SEEDS):
            test = tuple(PhotoScore(str(place), generator.gauss(0.85, 0.02), 30.0) for place in range(_PHOTOGRAPHS))
            trained = Trained(number, "full", 6000, seed, "scratch", found[number].ssim + 0.05, 31.0, test)
            record_training(study, trained)
    return run


def pictures(most: int) -> Iterator[Photograph]:
    """Photographs with noise, as many as `most` bytes hold."""
    generator, left = np.random.default_rng(0), most
    for place in range(1000):
        made = [_picture(generator) for _ in range(2 + _NETWORKS)]
        left -= sum(map(len, made))
        if left < 0:
            return
        outputs = {str(key): {"picture": one, "ssim": 0.8, "psnr": 30.0} for key, one in enumerate(made[2:])}
        yield Photograph(f"photograph {place}", (_SIDE, _SIDE), made[0], made[1], 0.6, 25.0, outputs)


def _picture(generator: np.random.Generator) -> str:
    coarse = generator.integers(0, 255, (24, 24, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((_SIDE, _SIDE))) + generator.normal(0, 8, (_SIDE, _SIDE, 3))
    written = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(written, "WEBP", quality=82)
    return f"data:image/webp;base64,{base64.b64encode(written.getvalue()).decode()}"


if __name__ == "__main__":
    main()
