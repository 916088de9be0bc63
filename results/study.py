"""Study: Optuna's record of a search, and the only file that knows where and how it is stored."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL

from results.candidate import Candidate, Scores
from results.files import written_whole
from results.front import ReferencePoint
from search_spaces.genotype import Genotype

REFERENCE_NUMBER = 0  # the reference network is always the first trial
BUDGET = "macs over budget"  # name of the constraint: feasible at 0 or below

_NAME = "lpienas"
_GENOTYPE, _PSNR, _PARAMETERS, _MACS = "genotype", "psnr", "parameters", "macs"


def open_study(path: Path, create: bool = False) -> optuna.Study:
    """The study in the SQLite file `path`: SSIM to maximise, log10 MACs to minimise.

    Raises FileNotFoundError when there is none and `create` is false.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would tell of every study that it opens
    if not path.exists():
        if not create:
            raise FileNotFoundError(f"no study at {path}; start one with: lpienas search --out {path.parent}")
        with written_whole(path) as temporary:  # or `front`, run at the same moment, would find half of the tables
            storage = _storage(temporary)
            optuna.create_study(
                study_name=_NAME,
                storage=storage,
                directions=[StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE],  # SSIM, log10 MACs
            )
            storage.engine.dispose()
    return optuna.load_study(study_name=_NAME, storage=_storage(path))


def fix_reference_point(study: optuna.Study, point: ReferencePoint) -> ReferencePoint:
    """Store `point` with the study, or return the one that is stored already."""
    if "reference_point" not in study.user_attrs:
        study.set_user_attr("reference_point", {"ssim": point.ssim, "macs": point.macs})
    return reference_point(study)


def reference_point(study: optuna.Study) -> ReferencePoint:
    """The stored corner of the hypervolume; raises ValueError when the search stopped before it was fixed."""
    stored = study.user_attrs.get("reference_point")
    if stored is None:
        raise ValueError("this study has no reference point yet: its search stopped before the first candidate")
    return ReferencePoint(float(stored["ssim"]), int(stored["macs"]))


def record_genotype(trial: optuna.Trial, genotype: Genotype, macs: int, parameters: int) -> None:
    """Keep what is known before training with the trial."""
    trial.set_user_attr(_GENOTYPE, genotype.to_json())
    trial.set_user_attr(_MACS, macs)
    trial.set_user_attr(_PARAMETERS, parameters)


def tell_scores(study: optuna.Study, trial: optuna.Trial, scores: Scores) -> None:
    """Complete a trial. The sampler sees SSIM and log10 MACs."""
    trial.set_user_attr(_PSNR, scores.psnr)
    study.tell(trial, [scores.ssim, math.log10(scores.macs)])


def tell_unscored(study: optuna.Study, trial: optuna.Trial, state: TrialState, reason: str) -> None:
    """End a trial without scores: PRUNED where it was never trained, FAIL where its training failed."""
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=state)


def in_flight(study: optuna.Study) -> list[optuna.Trial]:
    """Trials that a killed process left running, oldest first, ready to be taken up again."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [optuna.Trial(study, trial._trial_id) for trial in running]


def genotype_of(trial: FrozenTrial) -> Genotype | None:
    """The genotype of a trial, or None when the process was killed before it was recorded."""
    stored = trial.user_attrs.get(_GENOTYPE)
    return None if stored is None else Genotype.from_json(stored)


def candidates(trials: Sequence[FrozenTrial]) -> list[Candidate]:
    """All scored candidates within the budget, in trial order. The reference is not among them if it is over."""
    return [_candidate(t) for t in trials if t.state is TrialState.COMPLETE and is_within_budget(t)]


def reference_of(trials: Sequence[FrozenTrial]) -> Candidate:
    """The reference network's candidate; raises ValueError when it has not been scored, or could not be."""
    for trial in trials:
        if trial.number == REFERENCE_NUMBER and trial.state is TrialState.COMPLETE:
            return _candidate(trial)
        if trial.number == REFERENCE_NUMBER and trial.state is TrialState.FAIL:
            raise ValueError(f"the reference network failed ({trial.user_attrs['reason']}); give more --steps")
    raise ValueError("the reference network has no scores yet; let the search go on: lpienas search --out RUN")


def is_within_budget(trial: FrozenTrial) -> bool:
    """Whether the trial's MACs constraint holds; a trial without a constraint is within."""
    return all(value <= 0 for value in trial.constraints.values()) if trial.constraints else True


def count_states(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """Number of trials by the name of their state."""
    return dict(Counter(trial.state.name for trial in trials))


def _candidate(trial: FrozenTrial) -> Candidate:
    genotype = genotype_of(trial)
    if genotype is None:
        raise ValueError(f"trial {trial.number} has scores but no genotype: it was not made by lpienas")
    attributes = trial.user_attrs
    ssim = float(trial.values[0])
    scores = Scores(ssim, float(attributes[_PSNR]), int(attributes[_MACS]), int(attributes[_PARAMETERS]))
    return Candidate(trial.number, genotype, scores)


def _storage(path: Path) -> optuna.storages.RDBStorage:
    return optuna.storages.RDBStorage(
        URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False),
        engine_kwargs={"connect_args": {"timeout": 60}},  # seconds that a second reader waits for the lock
    )
