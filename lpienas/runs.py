"""Runs: a finished search as a value: its front, its knee, its table, and what is made of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpienas.errors import Error, tells
from lpienas.settings import CompressOptions, ExportOptions

if TYPE_CHECKING:
    from lpienas.networks import Network
    from nas.task.task import Task
    from results.candidate import Candidate
    from results.progress import Watcher
    from results.report import FrontReport


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
        from results.report import report_front
        from results.run import Run as Folder
        from results.study import open_study

        run = Folder(self.folder)
        settings, study = run.settings(), open_study(run.study)
        kept = anatomies(run, study)
        return report_front(study, settings.get("score", "short"), settings.get("cost", "macs"), kept)

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
        return [{"role": role(one.number), **one.to_json()} for one in ordered]

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
        """Train the picked candidate fully, prune and quantize it; returns the figures of summary.json.

        May be killed at any time: the same call goes on. Raises Error for what cannot be picked or reached.
        """
        from compress.pipeline import compress
        from compress.settings import CompressSettings, Fast
        from lpienas.searches import opened_task
        from results.pick import pick
        from results.progress import Silent
        from results.run import Run as Folder
        from search_spaces.units import parse_cost

        options, watcher, run = options or CompressOptions(), watcher or Silent(), Folder(self.folder)
        settings = run.settings()
        with ExitStack() as stack:
            stack.enter_context(run.locked())
            run.read_summary()  # a damaged one is named before the work
            chosen = pick(self.report(), options.pick)
            task = opened_task(run, settings, options.threads, watcher, options)
            run.describe(settings)
            watcher.say(f"chosen: candidate {chosen.number} ({options.pick})")
            prune: float | Fast | None
            if isinstance(options.prune, str):
                runtime, precision = options.latency_in.split("-")
                prune = Fast(parse_cost("latency", options.prune), runtime, precision, options.size)
            else:
                prune = options.prune
            plan = CompressSettings.from_steps(
                options.steps,
                prune,
                options.int8,
                options.distill,
                options.in_float,
                None if options.calibration is None else str(Path(options.calibration).absolute()),
                settings["seed"],
            )
            return compress(run, chosen, task, replace(plan, prune_loss=options.prune_loss), watcher)

    @tells
    def export(self, options: ExportOptions | None = None, watcher: "Watcher | None" = None) -> dict[str, Any]:
        """Write files for phones into `exported/`, each checked in its own runtime; file name -> its figures.

        Converters are processes that import the caller's script again: call it under `if __name__ == "__main__":`.
        Raises Error before `compress`, and for a file that does not compute what its network does.
        """
        from compress.export.ship import ship
        from lpienas.searches import opened_task
        from results.files import has_network
        from results.progress import Silent
        from results.run import NotCompressed
        from results.run import Run as Folder

        options, watcher, run = options or ExportOptions(), watcher or Silent(), Folder(self.folder)
        for name in ("out", "data", "calibration", "force"):
            if getattr(options, name):
                raise Error(
                    f"--{name} is for a network without a run; a run has photographs and a folder of its own, and "
                    "takes int8 ranges from `lpienas compress --calibration`"
                )
        settings = run.settings()
        with run.locked():
            run.read_summary()
            if not has_network(run.network("float")):
                raise NotCompressed(run.folder)
            task = opened_task(run, settings, 1, watcher)
            run.describe(settings)
            seed, licence = settings["seed"], options.licence
            return ship(run, task, options.to, options.size, seed, options.workers, watcher, licence)


@tells
def load_run(folder: str | Path) -> Run:
    """The run in `folder`; raises Error where it is none."""
    from results.run import Run as Folder

    Folder(Path(folder)).settings()
    return Run(Path(folder))
