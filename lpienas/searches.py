"""Searches: a run folder is made or gone on with, and the best of its candidates are trained fully."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpienas.errors import tells
from lpienas.families import family_of, opened_family
from lpienas.run_settings import ReadOptions, RunOptions, settled
from lpienas.runs import Run
from lpienas.settings import SearchOptions
from lpienas.sharing import (
    require_moved,
    require_same_photographs,
    require_same_study,
    settings_of_study,
    without_password,
)
from results.record import FOLDERS, OF_SUPERNET, RunSettings

if TYPE_CHECKING:  # torch takes seconds to import; `--help` and wrong arguments answer at once
    from nas.searching import SearchSettings
    from nas.task.task import Task
    from nas.where.joined import Placing
    from results.progress import Watcher
    from results.run import Run as Folder
    from search_spaces.family import OwnFamily
    from search_spaces.own import AnyBlueprint

OWN = "own"  # noise of a run whose photographs are degraded by the user's code alone
STEPS = {"short": 400, "halving": 400, "supernet": 8000, "tuned": 8000}  # of training, by what is scored


@tells
def search(out: str | Path, options: SearchOptions | None = None, watcher: "Watcher | None" = None) -> Run:
    """Score networks and train the best of them fully, in the run folder `out`, made or continued.

    Scores are SSIM on the validation photographs against the cost; a folder that is there keeps the settings that
    `options` leave None. May be killed at any time: the same call goes on. Workers are processes that import the
    caller's script again: call it under `if __name__ == "__main__":`. Raises Error for settings or photographs that
    cannot be used, before anything is trained.
    """
    from nas.task.recipes import PLANS
    from results.progress import Silent
    from results.run import Run as Folder
    from results.run import versions
    from results.spent import Counting, Spent

    options, watcher = options or SearchOptions(), watcher or Silent()
    run = Folder(Path(out))
    with ExitStack() as stack:
        stack.enter_context(run.locked())
        summary = run.read_summary()  # a damaged one is named before the work
        spent = Spent(run.spent, summary.get("cpu_seconds", 0.0))
        placing = placing_of(options.ray, options.gpus_per_trial)
        own = opened_family(options.family)
        asked = made_with(run, options, own)
        if options.lease is not None and asked.storage is None:
            raise ValueError("--lease: searches share a study only with --storage; leave it out")
        plan = PLANS[asked.recipe]
        steps = asked.steps or plan.scoring_steps or STEPS[asked.score]
        asked = replace(asked, steps=steps)
        trials = plan.trials if options.trials is None else options.trials
        confirmed = plan.confirm if options.confirm is None else options.confirm
        # Where the photographs are is compared with what is known of them, below.
        run.require_same(asked, apart=("sampler", *FOLDERS))

        # What is refused is refused before this, which takes seconds to import.
        from nas.confirm import Confirming, ConfirmSettings, confirm
        from nas.logs import require_writer
        from nas.samplers import resolve_sampler
        from nas.search import search as score
        from nas.searching import Searching, SearchSettings, space_of
        from nas.task.training import Recipe
        from nas.where.choice import make_workers
        from nas.where.killed import Kills
        from results.leases import Alone, Among, Leases
        from results.photo_score import crops_of
        from results.storage import Shared, connected
        from search_spaces.own_space import OwnSpace
        from search_spaces.units import format_cost, parse_cost

        if options.tensorboard:
            require_writer()
        logs = run.logs if options.tensorboard else None
        # Once: each is told other things.
        asked = replace(asked, sampler=resolve_sampler(asked.sampler, trials, own is not None))
        run.require_same(asked, apart=FOLDERS)
        space = space_of(asked) if own is None else OwnSpace.of(own).fixed(asked.fix)
        settings = SearchSettings(
            trials=trials,
            recipe=Recipe(steps),
            score=asked.score,
            cost=asked.cost,
            budget=None if asked.budget is None else parse_cost(asked.cost, asked.budget),
            size=asked.size,
            sampler=asked.sampler,
            seed=asked.seed,
        )
        task = begun_task(run, asked, options.threads, watcher, options)
        require_same_photographs(asked, task)
        run.require_same(asked)
        run.describe(asked)
        leases: Leases = Alone()
        if isinstance(where := run.study, Shared):
            storage = connected(where, watcher.say)
            leases = stack.enter_context(Among(storage, where.study, run.folder, options.lease))
        stack.enter_context(spent)
        watcher = Counting(watcher, spent)
        if settings.budget is not None:
            at = f"{settings.size[0]}x{settings.size[1]}"
            watcher.say(f"budget {format_cost(settings.cost, settings.budget)} at {at}")
        made_of = (options.workers, options.threads or 1, Kills(run.killed), placing)
        workers = stack.enter_context(make_workers(task, *made_of))
        spent.others = workers.seconds
        searching = Searching(run, space, task, settings, _cost_of(run, settings, asked.latency_in, watcher), logs)
        score(searching, workers, watcher, leases)
        if confirmed:
            most = max(options.seeds, options.least_seeds)
            full_steps = options.full_steps or plan.steps(len(task.photos.training), task.settings.batch)
            full = ConfirmSettings(plan.training(full_steps), confirmed, most, options.least_seeds, settings.seed)
            inherits = settings.score in OF_SUPERNET and options.start == "inherited"
            inherited = searching.inherited if inherits else None
            searched = space if isinstance(space, OwnSpace) else None
            confirming = Confirming(run, task, inherited, searched, logs, leases, space.hand_made())
            confirm(confirming, full, workers, watcher)
        made = Run(run.folder)
        report = made.report()
        run.summarize(
            settings=asked.to_json(),
            cpu_seconds=spent.seconds(),
            seed=settings.seed,
            versions=versions(),
            input=task.input.to_json(),
            test_input=task.test_input.to_json(),
            judged=crops_of(task.settings.validation_side),
            reference=report.to_json()["reference"],
            search=report.to_json(),
        )
    return made


def placing_of(ray: str | None, gpus: float | None) -> "Placing | None":
    """Which Ray cluster is asked for; None: none is. Raises ValueError, and ModuleNotFoundError without Ray."""
    if ray is None:
        if gpus is not None:
            raise ValueError(f"--gpus-per-trial {gpus:g}: is of a Ray cluster; name it with --ray, or leave it out")
        return None
    from importlib.util import find_spec

    from nas.where.joined import Placing

    if find_spec("ray") is None:
        raise ModuleNotFoundError("No module named 'ray'", name="ray")
    return Placing(ray, gpus or 0.0)


def made_with(run: "Folder", options: RunOptions, family: "OwnFamily | None" = None) -> RunSettings:
    """What decides a search: given, else as the folder was made with, else the default; `family` is of the user's own.

    Raises ValueError.
    """
    begun = (run.folder / "run.json").exists()
    if not begun and run.study.exists():
        raise ValueError(
            f"{run.study} is there, and no run.json, which says with what settings it was made: put a copy of run.json "
            "back, or start another run with --out"
        )
    options = without_password(options)
    known = run.settings() if begun else settings_of_study(options)
    asked = _with_files(settled(options, known), options)
    if known is not None:
        require_moved(run.folder, known, asked)
    if known is None:
        from nas.task.data.splits import PARTS

        asked = replace(asked, splits=PARTS)
    asked = replace(asked, **family_of(run, family, known, asked))
    if asked.space is None and (known is None or known.fix == asked.fix):
        from nas.searching import space_of

        # A run keeps the space that it was begun in, whatever the default becomes in a later version.
        asked = replace(asked, space=space_of(asked).to_json())
    if asked.storage is not None:
        require_same_study(asked)
    return asked


def _with_files(settings: RunSettings, options: RunOptions) -> RunSettings:
    """What the files hold that `options` name, and the recipe's loss where none is asked for.

    Raises ValueError for a file that does not go with the noise, and for words that weigh no term of a loss.
    """
    from nas.task.losses import Loss, weighted
    from nas.task.recipes import PLANS

    settings = replace(settings, loss=settings.loss or PLANS[settings.recipe].loss)
    weighted(Loss(), settings.loss)
    if options.teacher is not None:
        settings = replace(settings, teacher=_teacher(Path(options.teacher), settings.teacher_share))
    if options.kernels is not None:
        from nas.task.degrade.kernels import KernelFile

        settings = replace(settings, kernels=KernelFile.of(options.kernels).to_json())
    if options.degradation is not None or options.own_loss is not None:
        settings = _with_own_code(settings, options)
    if options.noise_profile is not None:
        from nas.task.degrade.profile import find_profile

        settings = replace(settings, noise_profile=find_profile(options.noise_profile).to_json())
        if settings.noise == "white":
            raise ValueError(
                f"--noise-profile {options.noise_profile}: white noise has none; add --noise camera or blend"
            )
    if settings.noise not in ("white", OWN) and settings.noise_profile is None:
        from nas.task.degrade.profile import DEFAULT_PROFILE, PROFILES

        # Kept, whatever a later version's default is.
        settings = replace(settings, noise_profile=PROFILES[DEFAULT_PROFILE].to_json())
    return settings


def _teacher(path: Path, share: float) -> dict[str, Any]:
    """What run.json keeps of a teacher: of a run, the float network of its last compression."""
    from lpienas.networks import saved_network
    from nas.task.teacher import Teacher

    return Teacher.of(saved_network(path).with_suffix(".json") if path.is_dir() else path, share).to_json()


def _with_own_code(settings: RunSettings, options: RunOptions) -> RunSettings:
    """What the user's code is; raises ValueError where it is of no use, or leaves an option without effect."""
    from nas.task.degrade.own import Own
    from nas.task.own import OwnCode
    from nas.task.own_loss import OwnLoss

    if options.degradation is not None:
        without_effect = [name for name in ("noise", "noise_profile", "blend") if getattr(options, name) is not None]
        if without_effect:
            raise ValueError(
                f"--degradation {options.degradation}: stands in the place of noise; leave out "
                f"{', '.join(without_effect)}"
            )
        code = Own(OwnCode.named(options.degradation)).code
        settings = replace(settings, degradation=code.to_json(), noise=OWN)
    if options.own_loss is not None:
        if options.loss is not None:
            raise ValueError(f"--own-loss {options.own_loss}: stands in the place of --loss; leave out one of them")
        settings = replace(settings, own_loss=OwnLoss(OwnCode.named(options.own_loss)).code.to_json())
    return settings


def begun_task(
    run: "Folder", settings: RunSettings, threads: int | None, watcher: "Watcher", reading: ReadOptions
) -> "Task":
    """`opened_task` of a run that begins or goes on: which photographs it is about is written down the first time."""
    return _task(run, settings, threads, watcher, (reading, True))


def opened_task(
    run: "Folder",
    settings: RunSettings,
    threads: int | None,
    watcher: "Watcher",
    reading: ReadOptions | None = None,
) -> "Task":
    """What the networks of a run are trained for, on this machine; raises ValueError for photographs of no use.

    Without `reading` those of the run's photographs that are still there will do.
    """
    return _task(run, settings, threads, watcher, (reading or ReadOptions(photographs="kept"), False))


def _task(
    run: "Folder",
    settings: RunSettings,
    threads: int | None,
    watcher: "Watcher",
    how: tuple[ReadOptions, bool],  # and whether the run begins
) -> "Task":
    from nas.kept import photographs_of
    from nas.prepare import prepare
    from nas.survey import look_at_pairs, warnings_on
    from nas.task.data.photos import decoded_bytes
    from nas.task.data.tiles import DEFAULT_BYTES, Tiles, default_folder
    from nas.task.task import TaskSettings

    made = (run.folder / "run.json").exists()
    if made:
        run.require_test_part()
    reading, begins = how
    wanted, tiles = TaskSettings.of_run(settings), Tiles(default_folder(), reading.cache or DEFAULT_BYTES)
    photos, listed = photographs_of(run, wanted, tiles, reading.photographs == "kept", begins)
    watcher.say(f"photographs: {photos.source}")
    watcher.say(f"task: {wanted.task}" if wanted.own is None else f"task: to undo {wanted.own.describe()}")
    for problem in listed.left_out:
        watcher.say(f"left out: {problem}")
    watcher.say(tiles.describe(decoded_bytes(listed.photographs)))
    if begins and not made:
        for warning in warnings_on(listed.photographs, look_at_pairs(photos, watcher)):
            watcher.say(f"warning: {warning}")
    task = prepare(wanted, run.device, threads, photos)
    watcher.say(f"device: {task.device.describe()}")
    return task


def _cost_of(
    run: "Folder", settings: "SearchSettings", latency_in: str, watcher: "Watcher"
) -> "Callable[[AnyBlueprint], float]":
    """What a search makes small, of a blueprint; `latency_in` is a runtime and a precision.

    Latencies are measured by this process, wherever candidates are trained: all on one machine, which is said.
    """
    size = settings.size
    if settings.cost == "macs":
        from search_spaces.count import macs_of

        return lambda blueprint: float(macs_of(blueprint, size))
    if settings.cost == "memory":
        from search_spaces.memory import peak_activation_bytes

        return lambda blueprint: float(peak_activation_bytes(blueprint, size))
    from compress.bench.host import measuring_host
    from compress.bench.latency import Timing, latency_cost

    watcher.say(f"latency is measured on {measuring_host(run.folder / 'latency')}, by the search itself")
    runtime, precision = latency_in.split("-")
    measured = latency_cost(run.folder / "latency", Timing(runtime, precision, size))
    return lambda blueprint: measured(blueprint).median
