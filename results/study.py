"""Study: Optuna's record of a search: what is kept in it, and how it is read; results.storage knows where it is."""

import json
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from results.candidate import Candidate, Scores
from results.files import written_whole
from results.front import ReferencePoint
from results.journal import COST, MACS, drop_torn_line, replayed, require_whole
from results.patient import Say
from results.photo_score import PhotoScore, photo_scores
from results.storage import DATABASE, Shared, Where, connected, storage_of
from search_spaces.own import AnyGenotype, genotype_from_json

REFERENCE_NUMBER = 0  # the reference network is always the first trial
BUDGET = "over budget"  # name of the constraint: feasible at 0 or below

SETTINGS, PHOTOGRAPHS = "settings", "photographs"  # facts of a study that several searches feed
NAME = "lpienas"  # of a study in a file of its own
GENOTYPE, PSNR, PARAMETERS = "genotype", "psnr", "parameters"
_DIRECTIONS = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]  # SSIM, log10 cost
_COSTS = {"macs": "MACs", "latency": "latency in ms", "memory": "peak memory in bytes"}  # by units.COSTS
_TRAINING, _FULL, _TEST_INPUT, _SUPERNET = "training", "full training", "test input", "supernet"
_SAME_INPUT = 1e-4  # SSIM: processors round differently, versions that degrade differently are further apart


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training of one candidate came to; kept beside the trial's own score, which may be a supernet's."""

    number: int  # of the trial
    kind: str  # "rung" of successive halving, or "full"
    steps: int  # in all, those of lower rungs among them
    seed: int  # 0, 1, ...: which repetition
    start: str  # "scratch", or where the first weights came from
    ssim: float  # mean over the validation photographs, as `psnr`
    psnr: float  # dB
    test: tuple[PhotoScore, ...] = ()  # of a full training, on each test photograph; versions before had none
    key: str | None = None  # of the training in results.store, where its network is; versions before had none

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Trained":
        """From `dataclasses.asdict`, as a study keeps it."""
        return cls(**(dict(stored) | {"test": photo_scores(stored.get("test", ()))}))


def open_study(where: Where, create: bool = False, say: Say = warnings.warn) -> optuna.Study:
    """The study in a file, or on a server: SSIM to maximise, log10 of the cost to minimise.

    `say` is told of silences of a server. Raises FileNotFoundError when there is none and `create` is false, ValueError
    for a damaged journal, and as results.storage.connected.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would tell of every study that it opens
    study = _of_server(where, create, say) if isinstance(where, Shared) else _of_file(where, create)
    _require_candidates(study, where)
    return study


def _of_server(where: Shared, create: bool, say: Say) -> optuna.Study:
    storage = connected(where, say)
    if create:
        return optuna.create_study(study_name=where.study, storage=storage, directions=_DIRECTIONS, load_if_exists=True)
    try:
        return optuna.load_study(study_name=where.study, storage=storage)
    except KeyError as error:
        raise FileNotFoundError(
            f"there is no {where}; start one with: lpienas search --out FOLDER --storage {where.address} "
            f"--study {where.study}"
        ) from error


def _of_file(path: Path, create: bool) -> optuna.Study:
    if not path.exists():
        if not create:
            raise FileNotFoundError(f"no study at {path}; start one with: lpienas search --out {path.parent}")
        with written_whole(path) as temporary:  # or `front`, run at the same moment, would find a file with no study
            optuna.create_study(study_name=NAME, storage=storage_of(temporary), directions=_DIRECTIONS)
    if path.suffix != DATABASE:
        drop_torn_line(path)
        require_whole(path)
    with replayed(path):
        return optuna.load_study(study_name=NAME, storage=storage_of(path))


def name_metrics(study: optuna.Study, cost: str) -> None:
    """Name both objectives for tools that show Optuna's studies; `cost` is one of units.COSTS."""
    names = ["SSIM", f"log10 of {_COSTS[cost]}"]
    if study.metric_names != names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(names)


def fix_reference_point(study: optuna.Study, point: ReferencePoint) -> ReferencePoint:
    """Store `point` with the study, or return the one that is stored already."""
    if "reference_point" not in study.user_attrs:
        study.set_user_attr("reference_point", {"ssim": point.ssim, "cost": point.cost})
    return reference_point(study)


def reference_point(study: optuna.Study) -> ReferencePoint:
    """The stored corner of the hypervolume; raises ValueError when the search stopped before it was fixed."""
    stored = study.user_attrs.get("reference_point")
    if stored is None:
        raise ValueError("this study has no reference point yet: its search stopped before the first candidate")
    return ReferencePoint(float(stored["ssim"]), float(stored["cost"]))


def record_test_input(study: optuna.Study, ssim: float) -> None:
    """Keep the SSIM of the degraded test photographs themselves, where there is none yet.

    Raises ValueError where another one is kept: scores of differently degraded photographs cannot be compared.
    """
    kept = _kept(study, _TEST_INPUT, ssim)
    if not math.isclose(kept, ssim, abs_tol=_SAME_INPUT):
        raise ValueError(
            f"the degraded test photographs of this run had SSIM {kept:.4f}, and now have {ssim:.4f}: another version "
            "degrades and judges them differently, so that new scores could not be compared with those that are there. "
            "Start a new run: another --out"
        )


def fix(study: optuna.Study, name: str, value: str, otherwise: str) -> None:
    """Keep a fact that all scores of a study share; raises ValueError where another one is kept, saying `otherwise`."""
    kept = _kept(study, name, value)
    if kept != value:
        raise ValueError(
            f"{otherwise} than those that the scores of this study are of ({name} {kept}, here {value}), and scores "
            "could not be compared: take the same, or another --study"
        )


def fix_supernet(study: optuna.Study, name: str, digest: str) -> None:
    """Keep which weights the scores of a study are of; raises ValueError where they are of others than `digest` names.

    `name` is that of the file. A study of a version that kept none takes this one.
    """
    if _kept(study, f"{_SUPERNET} {name}", digest) != digest:
        raise ValueError(
            f"supernet {name} is another one than the scores of this study are of, which cannot be compared with its "
            "own: put the file from before back, or start another run with --out"
        )


def _kept(study: optuna.Study, name: str, value: Any) -> Any:
    """The fact of this name that a study has: `value` from now on, where it had none."""
    kept = study.user_attrs.get(name)
    if kept is None:
        study.set_user_attr(name, value)
        return value
    return kept


def fixed_supernet(study: optuna.Study, name: str) -> str | None:
    """The digest that `fix_supernet` kept; None where it has not."""
    kept: str | None = study.user_attrs.get(f"{_SUPERNET} {name}")
    return kept


def input_on_test(study: optuna.Study) -> float | None:
    """What `record_test_input` kept; None in studies of versions before."""
    stored: float | None = study.user_attrs.get(_TEST_INPUT)
    return stored


def record_training(study: optuna.Study, training: Trained) -> None:
    """Keep a training; one of the same trial, kind, steps, start, and seed is replaced."""
    key = f"{_TRAINING} {training.number} {training.kind} {training.steps} {training.start} {training.seed}"
    study.set_user_attr(key, asdict(training))


def state_full(study: optuna.Study, steps: int, start: str) -> None:
    """From now on, full trainings of so many steps and this start are those that judge the front."""
    study.set_user_attr(_FULL, {"steps": steps, "start": start})


def stated_start(study: optuna.Study) -> str | None:
    """What `state_full` stated of the first weights; None where nothing was trained fully yet."""
    stated: dict[str, Any] | None = study.user_attrs.get(_FULL)
    return None if stated is None else str(stated["start"])


def full_trainings(study: optuna.Study) -> list[Trained]:
    """The full trainings that judge the front; those of the reference count whatever they started from."""
    stated = study.user_attrs.get(_FULL)
    return [
        training
        for training in trainings(study, "full")
        if stated is None
        or (training.steps == stated["steps"] and training.number == REFERENCE_NUMBER)
        or (training.steps, training.start) == (stated["steps"], stated["start"])
    ]


def trainings(study: optuna.Study, kind: str) -> list[Trained]:
    """All trainings of one kind, by trial, steps, and seed."""
    stored = [Trained.from_json(value) for key, value in study.user_attrs.items() if key.startswith(f"{_TRAINING} ")]
    return sorted((t for t in stored if t.kind == kind), key=lambda t: (t.number, t.steps, t.seed))


def in_flight(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials that a killed process left running, oldest first, to be taken up again."""
    return [trial for trial in trials if trial.state is TrialState.RUNNING]


def genotype_of(trial: FrozenTrial) -> AnyGenotype | None:
    """The genotype of a trial, or None when the process was killed before it was recorded."""
    stored = trial.user_attrs.get(GENOTYPE)
    if stored is None:
        return None
    try:
        return _genotype(json.dumps(stored))
    except ValueError as error:
        raise ValueError(f"trial {trial.number}: {error}") from error


@lru_cache(maxsize=16384)  # a search asks for those of all trials whenever it proposes
def _genotype(text: str) -> AnyGenotype:
    return genotype_from_json(json.loads(text))


def candidates(trials: Sequence[FrozenTrial]) -> list[Candidate]:
    """All scored candidates within the budget, in trial order. The reference is not among them if it is over."""
    return [candidate_of(t) for t in trials if t.state is TrialState.COMPLETE and is_within_budget(t)]


def reference_of(trials: Sequence[FrozenTrial]) -> Candidate:
    """The reference network's candidate; raises ValueError when it has not been scored.

    One whose training failed (`reference_failed`) has scores of 0: the others are shown without it, and a full training
    may still succeed.
    """
    for trial in trials:
        if trial.number == REFERENCE_NUMBER and trial.state is TrialState.COMPLETE:
            return candidate_of(trial)
        if trial.number == REFERENCE_NUMBER and trial.state is TrialState.FAIL and (known := genotype_of(trial)):
            macs, parameters = int(trial.user_attrs[MACS]), int(trial.user_attrs[PARAMETERS])
            cost = float(trial.user_attrs.get(COST, macs))
            return Candidate(trial.number, known, Scores(0.0, 0.0, macs, parameters, cost))
    raise ValueError("the reference network has no scores yet; let the search go on: lpienas search --out RUN")


def reference_failed(trials: Sequence[FrozenTrial]) -> str | None:
    """Why the search has no scores of the reference network; None where it has some, or will."""
    failed = (trial for trial in trials if trial.number == REFERENCE_NUMBER and trial.state is TrialState.FAIL)
    return next((str(trial.user_attrs.get("reason", "no reason is known")) for trial in failed), None)


def is_within_budget(trial: FrozenTrial) -> bool:
    """Whether the trial's constraint holds; a trial without a constraint is within."""
    return all(value <= 0 for value in trial.constraints.values()) if trial.constraints else True


def count_states(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """Number of trials by the name of their state."""
    return dict(Counter(trial.state.name for trial in trials))


def candidate_of(trial: FrozenTrial) -> Candidate:
    """The candidate of a COMPLETE trial; raises ValueError when the trial was not made by lpienas."""
    genotype = genotype_of(trial)
    if genotype is None:
        raise ValueError(f"trial {trial.number} has scores but no genotype: it was not made by lpienas")
    attributes = trial.user_attrs
    if missing := [name for name in (PSNR, MACS, PARAMETERS) if name not in attributes]:
        raise ValueError(f"trial {trial.number} has scores but no {' and no '.join(missing)}")
    scores = Scores(
        ssim=float(trial.values[0]),
        psnr=float(attributes[PSNR]),
        macs=int(attributes[MACS]),
        parameters=int(attributes[PARAMETERS]),
        cost=float(attributes.get(COST, attributes[MACS])),
    )
    return Candidate(trial.number, genotype, scores)


def _require_candidates(study: optuna.Study, where: Where) -> None:
    """Raises ValueError that names the file where a trial or a training does not hold what it should."""
    with replayed(where):
        for trial in study.get_trials(deepcopy=False):
            genotype_of(trial)
            is_within_budget(trial)
            if trial.state is TrialState.COMPLETE:
                candidate_of(trial)
        full_trainings(study)
