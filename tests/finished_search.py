"""Finished search: a run whose candidates are compressed, and what the tests of compression ask of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from compress.asked import asked_on
from compress.export.ship import ship
from compress.export.wanted import Wanted
from compress.int8.ways import RATES
from compress.pipeline import compress
from compress.settings import CompressSettings
from nas.task.task import Task
from nas.task.training import Recipe
from results.candidate import Candidate
from results.compressions import Compression, compression_of
from results.files import load_network
from results.front import ReferencePoint
from results.progress import Silent, Watcher
from results.record import RunSettings
from results.run import Run
from results.study import candidates, fix_reference_point, open_study
from search_spaces.blueprint import Blueprint
from search_spaces.cost import cost_of
from search_spaces.genotype import Genotype, Stage
from tests.scored import scored

MADE_WITH = RunSettings()
SETTINGS = CompressSettings(Recipe(6), Recipe(3), Recipe(3), prune=0.3, int8="ptq")
IN_FLOAT = replace(SETTINGS, int8="float")  # where nothing is asked of int8


def network_of(*widths: int) -> Genotype:
    """Its stages are three with two levels, five with three."""
    stages = tuple(Stage(1, width, 1.0, "none") for width in widths)
    return Genotype(stages, activation="relu", head="conv3x3", levels=(len(widths) + 1) // 2)


# Candidate 1 is compressed. Of the others 2 and 3 cost less than what pruning leaves of it, and 4 more.
GENOTYPES = tuple(network_of(*widths) for widths in ((16, 32, 16), (16, 16, 16), (8, 8, 8), (4, 8, 4), (16, 16, 12)))
SSIMS = (0.9, 0.85, 0.8, 0.7, 0.87)


class Told(Silent):
    """A Watcher that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def finished_search(folder: Path, made_with: RunSettings = MADE_WITH, genotypes: Sequence[Genotype] = GENOTYPES) -> Run:
    """A run with the scores of five genotypes."""
    made = Run(folder)
    made.describe(made_with)
    study = open_study(made.study, create=True)
    fix_reference_point(study, ReferencePoint(0.05, 10**10))
    for genotype, ssim in zip(genotypes, SSIMS, strict=True):
        scored(study, ssim, cost_of(Blueprint.from_genotype(genotype)).macs, genotype)
    return made


def candidate(run: Run, number: int) -> Candidate:
    return next(c for c in candidates(open_study(run.study).trials) if c.number == number)


def compressed(
    run: Run, number: int, task: Task, settings: CompressSettings = SETTINGS, watcher: Watcher | None = None
) -> Compression:
    """Candidate `number` of a run, compressed."""
    return compress(run, asked_on(run, candidate(run, number), settings, task), task, watcher or Silent())


def exported(run: Run, task: Task) -> dict[str, Any]:
    """ONNX files of the compression that is meant."""
    return ship(compression_of(run), task, Wanted(("onnx",), [(64, 64)]), Silent())


def state(run: Run, stage: str) -> dict[str, torch.Tensor]:
    """Weights of the compression that is meant."""
    return load_network(compression_of(run).network(stage)).state_dict()


def few_are_tried(patch: pytest.MonkeyPatch) -> None:
    """On the way to int8: two learning rates for a step each, and a short way to channels that suit it."""
    patch.setattr("compress.int8.ways.RATES", RATES[:2])
    patch.setattr("compress.int8.ways._SWEPT", 1)
    patch.setattr("compress.int8.equalise._STEPS", 10)


def made_at(run: Run) -> dict[str, int]:
    """When each stage in the store was completed, in ns, by its key."""
    return {path.parent.name: path.stat().st_mtime_ns for path in run.made.glob("*/record.json")}


def kinds(keys: Iterable[str]) -> list[str]:
    """Of keys of the store, in order."""
    return sorted(key.split("-")[0] for key in keys)


def require_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
