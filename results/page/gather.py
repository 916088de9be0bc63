"""Gather: the story of one run, from its folder, its report, and what is handed in from above."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from results.candidate import Candidate
from results.compressions import Compression, OlderCompression, compression_of
from results.files import read_json
from results.matrix import judge_trained
from results.page.course import course_of, importance_of
from results.page.made import files_of, made_of, stages_made, way_of
from results.page.story import (
    COMPRESSED,
    DOMINATED,
    FELL_OFF,
    FRONT,
    REFERENCE,
    SEARCHED,
    Handed,
    RunStory,
    Shown,
)
from results.report import FrontReport, by_number, is_tested
from results.run import NotCompressed, Run
from results.study import Trained, full_trainings, genotype_of
from results.table import genes_line
from search_spaces.blueprint import Blueprint
from search_spaces.count import macs_by_part, macs_of, parameters_of
from search_spaces.genotype import Genotype
from search_spaces.units import parse_cost
from search_spaces.wiring import sites

STAGES = {"float": "compressed, float", "quantized": "compressed, int8"}  # stages that are networks of their own

_AXES = {
    "macs": {"axis": "multiply-adds (MACs; 1 MAC = 2 FLOPs)", "unit": "M", "scale": 1e6},
    "latency": {"axis": "latency, measured", "unit": "ms", "scale": 1.0},
    "memory": {"axis": "peak memory of activations", "unit": "MB", "scale": 1e6},
}


def story_of(run: Run, study: optuna.Study, report: FrontReport, handed: Handed) -> RunStory:
    """The story of a run whose report is `report`; raises ValueError for a damaged summary."""
    settings, summary = run.settings(), run.read_summary()
    trials = study.get_trials(deepcopy=False)
    size, budget = settings.size, settings.budget
    full = by_number(full_trainings(study))
    compression = _compression(run)
    shipped = [] if compression is None else _shipped(compression, report, size)
    anatomies = {str(number): found[0] for number, found in handed.anatomies.items() if found}
    if compression is not None and "anatomy" in compression.record and shipped:
        anatomies[shipped[0].key] = compression.record["anatomy"]
    return RunStory(
        name=run.folder.absolute().name,
        verdict=report.verdict,
        basis=report.basis,
        measured_on=report.measured_on,
        split=report.split,
        cost={
            "kind": report.cost,
            **_AXES[report.cost],
            "size": f"{size[0]}x{size[1]}",
            "budget": None if budget is None else parse_cost(report.cost, budget),
        },
        input_ssim=report.reference_point.ssim if report.test is None else report.test.input_ssim,
        hypervolume=report.hypervolume if report.test is None else report.test.hypervolume,
        seed_noise=report.seed_noise,
        trials=report.trials,
        networks=[*_networks(report, full, size), *shipped],
        rejected=_rejected(trials, report.cost),
        failed=[_why(trial) for trial in trials if trial.state is TrialState.FAIL],
        control=handed.control,
        control_course=handed.control_course,
        anatomies=anatomies,
        photographs=handed.photographs,
        photographs_say=handed.says,
        compression=() if compression is None else stages_made(compression),
        pruning_curve=() if compression is None else way_of(compression),
        sensitivity=() if compression is None else summary.get("sensitivity", {}).get(compression.name, ()),
        files=() if compression is None else files_of(compression),
        latency=handed.latency,
        latency_says=handed.latency_says,
        course=course_of(trials, report.reference_point),
        importance=importance_of(study),
        calibration=read_json(run.calibration) if run.calibration.exists() else {},
        made=made_of(run),
    )


def stages_of(blueprint: Blueprint, size: tuple[int, int]) -> list[dict[str, Any]]:
    """What is drawn of a network, stage by stage in the order of computation, the head last."""
    whole, parts = macs_of(blueprint, size), macs_by_part(blueprint, size)
    found = []
    for site in sites(blueprint):
        stage: dict[str, Any] = {"name": site.name, "level": site.level, "share": parts.get(site.name, 0) / whole}
        if site.skip is not None:
            stage["skip"] = site.skip
        if site.plan is not None:
            stage |= {
                "width": site.plan.width,
                "hidden": [block.depthwise for block in site.plan.blocks],
                "attention": site.plan.attention,
            }
        found.append(stage)
    return found


def _networks(report: FrontReport, full: Mapping[int, Sequence[Trained]], size: tuple[int, int]) -> list[Shown]:
    """The reference first, then every scored candidate in the order of trials."""
    reference = report.reference
    final = {candidate.number: candidate for candidate in report.candidates}
    kinds = dict.fromkeys(final, DOMINATED)
    kinds |= {candidate.number: FELL_OFF for candidate in report.fell_off}
    kinds |= {candidate.number: FRONT for candidate in report.front}
    kinds[reference.number] = REFERENCE
    searched = {candidate.number: candidate for candidate in report.searched}
    every = {reference.number: reference} | searched | final | {reference.number: reference}
    found = []
    for number, candidate in every.items():
        kind = kinds.get(number, SEARCHED)
        measured = kind != SEARCHED and (number != reference.number or report.comparison is not None)
        low, high = _interval(candidate, report, full) if measured else (None, None)
        scores = candidate.scores
        found.append(
            Shown(
                key=str(number),
                name="LPIENet reference" if kind == REFERENCE else f"candidate {number}",
                kind=kind,
                cost=scores.cost,
                macs=scores.macs,
                parameters=scores.parameters,
                stages=_stages(candidate, size),
                genes=genes_line(candidate.genotype),
                choices={gene: candidate.genotype.flat()[gene] for gene in candidate.genotype.counting()},
                knee=number == report.knee.number,
                ssim=scores.ssim if measured else None,
                psnr=scores.psnr if measured else None,
                test_ssim=scores.test_ssim,
                test_psnr=scores.test_psnr,
                low=low,
                high=high,
                search_ssim=searched[number].scores.ssim if number in searched else None,
                trainings=len(full.get(number, ())),
            )
        )
    return found


def _stages(candidate: Candidate, size: tuple[int, int]) -> list[dict[str, Any]]:
    """None of an own network, whose parts are not known here."""
    genotype = candidate.genotype
    return stages_of(Blueprint.from_genotype(genotype), size) if isinstance(genotype, Genotype) else []


def _interval(
    candidate: Candidate, report: FrontReport, full: Mapping[int, Sequence[Trained]]
) -> tuple[float | None, float | None]:
    """Of the test score, for other photographs and trainings, as a difference from the reference's.

    Photographs differ far more from one another than networks do on the same ones: an interval of the mean itself
    would hide every difference.
    """
    reference = report.reference
    if candidate.number == reference.number or not (is_tested(candidate) and is_tested(reference)):
        return None, None
    judged = judge_trained(full, candidate.number, reference.number, 1)
    if judged is None or judged.low is None or judged.high is None:
        return None, None
    reached, _ = report.final(candidate)
    return reached + judged.low - judged.gain, reached + judged.high - judged.gain


def _compression(run: Run) -> Compression | None:
    """The one that was asked for last."""
    try:
        return compression_of(run)
    except (NotCompressed, OlderCompression):
        return None


def _shipped(compression: Compression, report: FrontReport, size: tuple[int, int]) -> list[Shown]:
    """The compressed network in float and in int8, where there are; a measured cost of theirs is not known."""
    found = []
    for stage, name in STAGES.items():
        if not compression.has(stage):
            continue
        figures = compression.scores[stage]
        blueprint = Blueprint.from_json(read_json(compression.network(stage).with_suffix(".json")))
        macs = macs_of(blueprint, size)
        found.append(
            Shown(
                key=stage,
                name=name,
                kind=COMPRESSED,
                cost=float(macs) if report.cost == "macs" else 0.0,
                macs=macs,
                parameters=parameters_of(blueprint),
                stages=stages_of(blueprint, size),
                genes=f"of candidate {compression.record['chosen']['number']}",
                choices={},
                **{score: figures.get(score) for score in ("ssim", "psnr", "test_ssim", "test_psnr")},
            )
        )
    return found


def _rejected(trials: Sequence[FrozenTrial], cost: str) -> list[dict[str, Any]]:
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED and genotype_of(trial) is not None]
    known = [(trial, trial.user_attrs.get("cost", trial.user_attrs.get("macs"))) for trial in pruned]
    return [_why(trial) | {"cost": value} for trial, value in known if value]


def _why(trial: FrozenTrial) -> dict[str, Any]:
    return {"number": trial.number, "reason": str(trial.user_attrs.get("reason", ""))}
