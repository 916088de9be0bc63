"""Run: one folder that holds all of a job and explains itself.

Every stage reads and writes this folder only. `run.json` says what made it, `summary.json` holds every figure.
"""

import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from results.address import without_secret
from results.files import read_json, require_no_way_out, write_json
from results.record import DAMAGED, FOLDERS, SHARED, RunSettings

if TYPE_CHECKING:
    from results.storage import Where

VERSIONED = (
    "lpienas", "torch", "optuna", "fvcore", "torch-pruning", "torchao", "onnx", "onnxruntime", "litert-torch",
    "ai-edge-litert", "ai-edge-quantizer", "executorch", "coremltools", "numpy",
)  # fmt: skip

GUIDE = {
    "run.json": "what made this folder: commands, settings, versions",
    "photographs.json": "which photographs train, which choose and which only report, with a digest of each",
    "device.json": "whether bfloat16 was found to train as well as float32, by the processor",
    "killed.json": "which work ended its worker, while it has not been done since: once more, and it is given up",
    "study.journal": "the Optuna study, a line for each change (optuna-dashboard opens it); with --storage it is there",
    "shared.json": "with --storage: the last search in this folder",
    "supernet/": "weights that all candidates share, from which each is scored",
    "made/": "what stages made, each in a folder named by what it was made from, which record.json there says in "
    "full, with the figures: training-KEY/ (network: as trained; network-stripped: without what computes nothing; "
    "test.json: of each test photograph; anatomy.json: what each stage is worth), scoring-KEY/ (a candidate after the "
    "training that scored it; which one, the study says of every trial), pruning-KEY/ (way.json, way.png: "
    "cost and SSIM after every move), int8-KEY/ (network; "
    "longer: trained in float for as long; calibration: the patches that int8 ranges are taken from); NAME.json is a "
    "blueprint, NAME.safetensors its weights",
    "artifacts/": "pictures beside the trials, for optuna-dashboard study.journal --artifact-dir artifacts",
    "tensorboard/": "losses and scores, where --tensorboard asked for them (tensorboard --logdir shows them)",
    "compressions/": "one file each: of which candidate, how, the figures of every stage, and where in made/ its "
    "networks are",
    "compression.json": "which of them is meant where none is named: the one that was asked for last",
    "spent.json": "processor seconds of all searches in this folder, those that were cut off among them",
    "report.html": "the page to decide by, written by `lpienas report RUN`",
    "calibration.json": "how far each cheap score agrees with full training; calibration/ holds the trainings",
    "latency/": "measured latencies, by blueprint",
    "front.png": "SSIM over MACs, drawn by `lpienas front RUN --plot front.png`",
    "exported/": "a folder for each compression: files for phones, by precision and size, files.json with the figures "
    "of each, and MODEL_CARD.md that describes them",
    "bench/": "files that `lpienas bench` times; not to be shipped",
    "export.log": "what the converters had to say",
    "summary.json": "every figure of the run",
}


class NotCompressed(FileNotFoundError):
    """A stage that works on the compressed network of a run was asked for before there is one."""

    def __init__(self, folder: Path, family: str | None = None) -> None:
        make = (
            f"make it: lpienas compress {folder}"
            if family is None
            else f"those of the family {family} are exported as they were trained, and the files then do without its "
            f"code: lpienas export {folder} --family FILE.py:{family}"
        )
        super().__init__(f"{folder} has no compressed network yet; {make}")


class NoTestPart(ValueError):
    """A run of a version that kept no photographs for the test was asked for what needs them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} was made by a version that kept no test photographs: its networks were trained on some that "
            "would be tested on now. `lpienas front` still shows it, and `lpienas enhance` runs its network; to search "
            "or compress, start another run: lpienas search --out FOLDER"
        )


class RunBusy(RuntimeError):
    """Another process is writing to the run folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """The paths inside one run folder."""

    folder: Path

    @property
    def study(self) -> "Where":
        """Where the study is: a file of the folder, unless run.json names a storage that several machines share."""
        if (self.folder / "run.json").exists() and (settings := self.settings()).storage is not None:
            from results.storage import Shared  # only who reads a study needs Optuna

            return Shared(settings.storage, settings.study)
        older = self.folder / "study.db"  # where versions before 2026-11-23 kept it
        return older if older.exists() else self.folder / "study.journal"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.json"

    @property
    def photographs(self) -> Path:
        """The manifest: which photographs the run is about."""
        return self.folder / "photographs.json"

    @property
    def device(self) -> Path:
        return self.folder / "device.json"

    @property
    def supernet(self) -> Path:
        """Folder of supernets, each named by a key of all that its weights depend on."""
        return self.folder / "supernet"

    @property
    def calibration(self) -> Path:
        return self.folder / "calibration.json"

    @property
    def exported(self) -> Path:
        """Files for phones, in a folder for each compression."""
        return self.folder / "exported"

    @property
    def made(self) -> Path:
        """Folder of what stages made, by key: see results.store."""
        return self.folder / "made"

    @property
    def artifacts(self) -> Path:
        """Pictures beside the trials of the study."""
        return self.folder / "artifacts"

    @property
    def logs(self) -> Path:
        """For TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def killed(self) -> Path:
        """What ended its worker, while that has to be remembered."""
        return self.folder / "killed.json"

    @property
    def spent(self) -> Path:
        return self.folder / "spent.json"

    def candidate(self, number: int) -> Path:
        """Folder of one trial."""
        return self.folder / "candidates" / f"{number:04d}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Sole writer of the folder; the lock goes with the process, also when it is killed.

        Raises RunBusy, and ValueError for a link in the folder that leads out of it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        require_no_way_out(self.folder)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                yield
        except Timeout as error:
            raise RunBusy(f"another lpienas process is writing to {self.folder}; wait for it or stop it") from error

    def describe(self, settings: RunSettings) -> dict[str, Any]:
        """Write `run.json` on the first call; afterwards keep its settings and add this command to its list.

        Where folders of photographs are now is written down. Raises ValueError as `require_same`.
        """
        self.require_same(settings)
        path, stated = self.folder / "run.json", settings.to_json()
        fresh: dict[str, Any] = {"settings": stated, "files": GUIDE, "commands": []}
        record = read_json(path, DAMAGED) if path.exists() else fresh
        if self.photographs.exists():
            record["settings"] |= {name: stated[name] for name in FOLDERS}
        record["settings"] |= {name: stated[name] for name in SHARED}
        record["settings"] = stated | record["settings"]  # one that an older version did not know is added
        record["versions"] = versions()
        record["platform"] = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        record["commands"].append({"at": _now(), "command": command()})
        write_json(path, record)
        return record

    def require_same(self, settings: RunSettings, apart: tuple[str, ...] = ()) -> None:
        """Raises ValueError where `settings`, but those `apart`, differ from those that the folder was made with.

        Folders of photographs may: that they hold the same ones is known by `photographs`.
        """
        if not (self.folder / "run.json").exists():
            return
        kept = self.settings()
        may = FOLDERS if self.photographs.exists() else ()
        moved = SHARED if kept.storage is not None and settings.storage is not None else ()
        if changes := kept.changes(settings, (*apart, *may, *moved)):
            raise ValueError(f"{self.folder} was made with other settings ({changes}): use them, or another --out")

    def settings(self) -> RunSettings:
        """Those in `run.json`; raises FileNotFoundError where the folder is no run, ValueError where it is damaged."""
        path = self.folder / "run.json"
        if not path.exists():
            raise FileNotFoundError(f"{self.folder} is not a run folder; start one: lpienas search --out {self.folder}")
        settings = read_json(path, DAMAGED).get("settings")
        if not isinstance(settings, dict):
            raise ValueError(f"{path} states no settings: {DAMAGED}")
        return RunSettings.from_json(settings, path)

    def require_test_part(self) -> None:
        """Raises NoTestPart where the settings in `run.json` do not say that photographs were kept for the test."""
        if self.settings().splits is None:
            raise NoTestPart(self.folder)

    def read_summary(self) -> dict[str, Any]:
        """What `summary.json` holds, nothing where there is none; raises ValueError where it is damaged."""
        return read_json(self.summary) if self.summary.exists() else {}

    def summarize(self, **parts: Any) -> dict[str, Any]:
        """Replace the named parts of `summary.json`, keep the others, and return the whole."""
        summary = self.read_summary()
        summary |= parts
        write_json(self.summary, summary)
        return summary


def is_run(path: Path) -> bool:
    """Whether `path` is a folder and not an exported file; a Core ML file is a folder too."""
    return path.is_dir() and path.suffix != ".mlpackage"


def versions() -> dict[str, str]:
    """Installed version of every package that a figure may depend on."""
    found = {}
    for package in VERSIONED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def command() -> str:
    """The command line of this process, as a shell would take it."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name  # of python -m lpienas
    return shlex.join([name, *(without_secret(word)[0] for word in sys.argv[1:])])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
