"""Runs: a finished search as a value: its front, its knee, its table, and what is made of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpienas.errors import Error, tells
from lpienas.settings import CompressOptions, ExportOptions

if TYPE_CHECKING:
    from compress.settings import CompressSettings
    from lpienas.networks import Network
    from nas.task.task import Task
    from results.candidate import Candidate
    from results.compressions import Compression
    from results.progress import Watcher
    from results.report import FrontReport
    from results.run import Run as Folder


@dataclass(frozen=True, slots=True)
class Front(Sequence["Candidate"]):
    """The candidates that no other one beats, cheapest first; a notebook shows them as a table."""

    candidates: tuple["Candidate", ...]
    rows: tuple[Mapping[str, Any], ...]  # what a table shows of them and of the reference
    says: str  # whether the front beats the reference

    def __len__(self) -> int:
        return len(self.candidates)

    def __getitem__(self, place: Any) -> Any:
        return self.candidates[place]

    def __iter__(self) -> "Iterator[Candidate]":
        return iter(self.candidates)

    def _repr_html_(self) -> str:
        from lpienas.shown import html_table

        return html_table(self.rows, self.says)


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder; everything is read from it when it is asked for."""

    folder: Path

    def report(self) -> "FrontReport":
        """All that the study says about its front, by the best scores that there are."""
        from nas.confirm import anatomies
        from nas.searching import space_of
        from results.report import report_front
        from results.run import Run as Folder
        from results.study import open_study

        run = Folder(self.folder)
        settings, study = run.settings(), open_study(run.study)
        kept = anatomies(run, study)
        hand_made = space_of(settings).hand_made() if settings.family is None else ()
        return report_front(study, settings.score, settings.cost, kept, hand_made)

    @property
    @tells
    def front(self) -> Front:
        """The candidates that no other one beats, cheapest first, by the validation photographs."""
        with_reference = self.table()
        report = self.report()
        return Front(tuple(report.front), tuple(row for row in with_reference if row["role"]), report.verdict)

    @property
    @tells
    def knee(self) -> "Candidate":
        """The candidate of the front after which SSIM rises least for its cost."""
        return self.report().knee

    @tells
    def table(self) -> list[dict[str, Any]]:
        """Every scored candidate and the reference, cheapest first, a dict each: `pandas.DataFrame(run.table())`.

        `ssim` and `psnr` (dB) are of the validation photographs, `test_ssim` and `test_psnr` of the test photographs
        (None: not trained fully), `macs` at the run's size; `role` is knee, front, reference or empty.
        """
        report = self.report()
        final = {candidate.number: candidate for candidate in report.candidates}
        on_front = {candidate.number for candidate in report.front}
        others = (one for one in report.searched if one.number != report.reference.number)
        every = [report.reference, *(final.get(one.number, one) for one in others)]

        def role(number: int) -> str:
            if number == report.reference.number:
                return "reference"
            return "knee" if number == report.knee.number else "front" if number in on_front else ""

        ordered = sorted(every, key=lambda one: (one.scores.cost, one.number))
        rows = [{"role": role(one.number), **one.to_json()} for one in ordered]
        unknown = {} if report.failed is None else {"ssim": None, "psnr": None}
        return [row | unknown if row["role"] == "reference" else row for row in rows]

    @property
    def network(self) -> "Network":
        """The compressed network; raises Error before `compress`."""
        from lpienas.networks import load

        return load(self.folder)

    @tells
    def task(self, watcher: "Watcher | None" = None) -> "Task":
        """What the networks of this run are trained for: photographs, noise, loss."""
        from lpienas.searches import opened_task
        from results.progress import Silent
        from results.run import Run as Folder

        run = Folder(self.folder)
        return opened_task(run, run.settings(), None, watcher or Silent())

    @tells
    def compress(self, options: CompressOptions | None = None, watcher: "Watcher | None" = None) -> dict[str, Any]:
        """Train the picked candidate fully, prune and quantize it; returns the record of the compression.

        Other options make another compression, beside those that are there; what was made from the same already is not
        made again. May be killed at any time: the same call goes on. Raises Error for what cannot be picked or reached.
        """
        from compress.asked import asked_on, asked_unopened
        from lpienas.families import require_lpienets
        from lpienas.searches import opened_task
        from results.compressions import compression_of, made_as, path_of
        from results.pick import pick
        from results.progress import Silent
        from results.run import Run as Folder

        options, watcher, run = options or CompressOptions(), watcher or Silent(), Folder(self.folder)
        require_lpienets(run, "compress")
        settings = run.settings()
        with run.locked():
            run.read_summary()
            _figures(run)  # what is damaged is named before the work
            run.require_test_part()
            if options.name is not None:
                path_of(run, options.name)  # one that cannot be is named before the work
            chosen = pick(self.report(), options.pick)
            plan = _plan_of(options, run, chosen)
            asked = asked_unopened(run, chosen, plan) if options.photographs == "same" else None
            made = None if asked is None else made_as(run, asked.key)
            if made is None:
                task = opened_task(run, settings, options.threads, watcher, options)
                run.describe(settings)
                watcher.say(f"chosen: candidate {chosen.number} ({options.pick})")
                asked = asked_on(run, chosen, plan, task)
                made = made_as(run, asked.key)
            if made is not None:
                name = _meant(run, made, options.name)
                watcher.say(f"candidate {chosen.number} ({options.pick}) was made so already: compression {name}")
            else:
                from compress.pipeline import compress  # with all that prunes and quantizes

                assert asked is not None
                name = compress(run, asked, task, watcher, options.name).name
            compression = compression_of(run, name)
            _summarize(run)
        return {"name": compression.name, **compression.record}

    @tells
    def export(self, options: ExportOptions | None = None, watcher: "Watcher | None" = None) -> dict[str, Any]:
        """Write files for phones into `exported/NAME/`, each checked in its own runtime; file name -> its figures.

        Converters are processes that import the caller's script again: call it under `if __name__ == "__main__":`.
        Raises Error before `compress`, and for a file that does not compute what its network does.
        """
        from compress.export.hub import require_free, write_hub
        from compress.export.ship import ship
        from compress.export.wanted import Wanted
        from lpienas.families import export_own
        from lpienas.searches import opened_task
        from results.compressions import compression_of
        from results.progress import Silent
        from results.run import Run as Folder

        options, watcher, run = options or ExportOptions(), watcher or Silent(), Folder(self.folder)
        if run.settings().family is not None:
            with run.locked():
                return export_own(run, options, watcher)
        if options.pick != "knee":
            raise Error(f"--pick {options.pick} is for a run of an own family: a compression is of one candidate")
        for name in ("out", "data", "calibration", "force", "family"):
            if getattr(options, name):
                raise Error(
                    f"--{name} is for a run of an own family"
                    if name == "family"
                    else f"--{name} is for a network without a run; a run has photographs and a folder of its own, and "
                    "takes int8 ranges from `lpienas compress --calibration`"
                )
        wanted = Wanted(
            options.to,
            options.size,
            options.workers,
            options.licence,
            options.opset,
            options.io,
            options.activations,
        )
        if options.hub is not None:
            require_free(options.hub)
        settings = run.settings()
        with run.locked():
            run.read_summary()
            _figures(run)  # what is damaged is named before the work
            run.require_test_part()
            compression = compression_of(run, options.compression)
            task = opened_task(run, settings, 1, watcher)
            run.describe(settings)
            exported = ship(compression, task, wanted, watcher)
            if options.hub is not None:
                write_hub(compression, exported, options.hub)
            _summarize(run)
        return exported


@tells
def load_run(folder: str | Path) -> Run:
    """The run in `folder`; raises Error where it is none."""
    from results.run import Run as Folder

    Folder(Path(folder)).settings()
    return Run(Path(folder))


def _plan_of(options: CompressOptions, run: "Folder", chosen: "Candidate") -> "CompressSettings":
    """What a compression may do and spend; its full training goes as the recipe of the run says."""
    from compress.settings import CompressSettings, Fast
    from nas.task.data.manifest import Photographs
    from nas.task.recipes import PLANS
    from search_spaces.units import is_latency, parse_cost

    prune: float | int | Fast | None
    if isinstance(options.prune, str) and is_latency(options.prune):
        runtime, precision = options.latency_in.split("-")
        prune = Fast(parse_cost("latency", options.prune), runtime, precision, options.size)
    elif isinstance(options.prune, str):
        prune = _macs_to(options.prune, chosen)
    else:
        prune = options.prune
    made_with = run.settings()
    recipe, steps = PLANS[made_with.recipe], options.steps
    if steps is None:
        training = Photographs.read(run.photographs).part("training") if recipe.epochs else ()
        steps = recipe.steps(len(training), made_with.batch)
    return replace(
        CompressSettings.of_steps(steps),
        training=recipe.training(steps),
        prune=prune,
        prune_loss=options.prune_loss,
        int8=options.int8,
        distillation=options.distill,
        in_float=tuple(options.in_float),
        wide=tuple(options.wide),
        twice=options.twice,
        calibration=None if options.calibration is None else Path(options.calibration).absolute(),
        seed=made_with.seed,
    )


def _macs_to(text: str, chosen: "Candidate") -> int:
    """How many MACs `text` says are to be left of `chosen`; raises Error for as many as it has, or more."""
    from search_spaces.blueprint import Blueprint
    from search_spaces.cost import DEFAULT_SIZE
    from search_spaces.count import macs_of
    from search_spaces.own import require_lpienet
    from search_spaces.units import format_macs, parse_macs

    now = macs_of(Blueprint.from_genotype(require_lpienet(chosen.genotype)), DEFAULT_SIZE)
    if (left := parse_macs(text)) >= now:
        raise Error(
            f"--prune {text}: candidate {chosen.number} has {format_macs(now)}, as few already; ask for fewer, or "
            "--prune off"
        )
    return left


def _meant(run: "Folder", made: "Compression", name: str | None) -> str:
    """The name of a compression that is there, under `name` too if asked; it is the one that is meant from now on."""
    from results.compressions import keep, mean, require_free

    if name is None or name == made.name:
        mean(run, made.name)
        return made.name
    require_free(run, name, made.key)
    return keep(run, name, made.record).name


def _summarize(run: "Folder") -> None:
    """Put the figures of all compressions and their files into summary.json."""
    run.summarize(**_figures(run))


def _figures(run: "Folder") -> dict[str, Any]:
    """Of all compressions and their files; raises ValueError for a record or a list that is damaged."""
    from results.compressions import compressions

    there = compressions(run)
    return {
        "compressions": {one.name: dict(one.record) for one in there},
        "exported": {one.name: one.listed()["files"] for one in there if one.exported.exists()},
    }
