"""Calibrate: how far each cheap score agrees with full training."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lpienas.command.parser import Verb
from lpienas.command.printing import as_json, bars, line, table
from lpienas.command.search import CONTINUES
from lpienas.fields import count, option
from lpienas.run_settings import RunOptions
from lpienas.settings import STARTS
from lpienas.shared import A_RUN_TO_WRITE, FULL_STEPS, GPUS_PER_TRIAL, RAY, WORKER_THREADS, WORKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions(RunOptions):
    """What a run is made with, and what its calibration may spend."""

    out: Path = A_RUN_TO_WRITE
    networks: int = option(12, "networks to train fully", "N", parse=count)
    full_steps: int = FULL_STEPS
    seeds: int = option(1, "full trainings of each network", "N", parse=count)
    start: str = option(
        "inherited",
        "first weights of a full training: the supernet's, as a search does it (inherited), or random ones",
        choices=STARTS,
        default="",
    )
    short_steps: int | None = option(None, "of the highest rung", "N", parse=count, default="400")
    tau: float = option(0.7, "agreement that is asked for", "TAU", parse=float)
    workers: int | None = WORKERS
    threads: int | None = WORKER_THREADS
    ray: str | None = RAY
    gpus_per_trial: float | None = GPUS_PER_TRIAL


def calibrate(asked: CalibrateOptions, json_only: bool) -> None:
    """Train networks of all sizes fully, and print how well every score ranks them."""
    from lpienas.families import require_lpienets
    from lpienas.searches import STEPS, begun_task, made_with, placing_of
    from nas.calibrate import Calibrating, CalibrationSettings
    from nas.calibrate import calibrate as measure
    from nas.scoring.supernet import SupernetSettings
    from nas.scoring.training import INHERITED, SCRATCH
    from nas.searching import space_of
    from nas.task.training import Recipe
    from nas.where.choice import make_workers
    from nas.where.killed import Kills
    from results.record import OF_SUPERNET
    from results.run import Run
    from results.table import agreement_table
    from search_spaces.units import parse_macs

    run = Run(asked.out)
    require_lpienets(run, "calibrate")
    placing = placing_of(asked.ray, asked.gpus_per_trial)
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        made = made_with(run, asked)
        by_supernet = made.score in OF_SUPERNET  # whether the run's own --steps are those of the supernet
        supernet_steps = (made.steps if by_supernet else None) or STEPS["supernet"]
        short_steps = asked.short_steps or (None if by_supernet else made.steps) or STEPS["short"]
        budget = made.budget if made.cost == "macs" else None
        macs = None if budget is None else parse_macs(budget)
        settings = CalibrationSettings(
            full=Recipe(asked.full_steps),
            short=Recipe(short_steps),
            supernet=SupernetSettings.under(Recipe(supernet_steps), macs, made.size),
            networks=asked.networks,
            seeds=asked.seeds,
            budget=macs,
            size=made.size,
            target=asked.tau,
            seed=made.seed,
            start=INHERITED if asked.start == "inherited" else SCRATCH,
        )
        shown = stack.enter_context(bars())
        task = begun_task(run, made, asked.threads, shown, asked)
        made_of = (asked.workers, asked.threads or 1, Kills(run.killed), placing)
        workers = stack.enter_context(make_workers(task, *made_of))
        result = measure(Calibrating(run.folder, space_of(made), task, settings), workers, shown)
        run.summarize(calibration=result)
    if json_only:
        as_json(result)
        return
    table(agreement_table(result))
    line(f"advice: {result['advice']}")


VERB = Verb(
    "calibrate",
    "measure how far each cheap score agrees with full training",
    "lpienas calibrate --out runs/night --networks 12 --tau 0.8",
    CalibrateOptions,
    calibrate,
    CONTINUES,
)
