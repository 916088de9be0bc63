"""Rivals: what Optuna, Ray Tune and Syne Tune do after the faults that `benchmarks/faults.py` injects here: tried.

    python -m venv --system-site-packages /tmp/rivals && /tmp/rivals/bin/pip install optuna 'ray[tune]' syne-tune
    /tmp/rivals/bin/python benchmarks/rivals.py                # docs/reliability.md has what came of it

Each does a search of short trials of one number in a process of its own, which is killed in the middle and begun again
as its documentation says. What is not installed is left out.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

TRIALS, SECONDS = 12, 0.4  # of a search, of a trial
LONGEST = 600.0

_OPTUNA = """
import sys, time, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = JournalStorage(JournalFileBackend(sys.argv[1] + "/study.journal"))
study = optuna.create_study(
    study_name="s", storage=storage, load_if_exists=True, sampler=optuna.samplers.TPESampler(seed=0)
)
def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    with open(sys.argv[1] + "/ran", "a") as file:
        file.write(f"{trial.number} {x}\\n")
    time.sleep(float(sys.argv[2]))
    return x * x
study.optimize(objective, n_trials=int(sys.argv[3]) - len(study.trials))
"""

_RAY = """
import os, sys, time
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS="0")
import ray
from ray import tune
folder, seconds, trials = sys.argv[1:]
def objective(config):
    with open(folder + "/ran", "a") as file:
        file.write(f"{config['number']} {config['x']} {os.getpid()}\\n")
    time.sleep(float(seconds))
    tune.report({"score": config["x"] ** 2})
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
path = folder + "/results/s"
if os.path.exists(path) and tune.Tuner.can_restore(path):
    tuner = tune.Tuner.restore(path, trainable=objective, resume_unfinished=True, resume_errored=True)
else:
    space = {"number": tune.grid_search(list(range(int(trials)))), "x": tune.uniform(0, 1)}
    kept = tune.RunConfig(name="s", storage_path=folder + "/results")
    tuner = tune.Tuner(objective, param_space=space, run_config=kept)
found = tuner.fit()
with open(folder + "/told", "w") as file:
    for one in found:
        if one.metrics and "score" in one.metrics:
            file.write(f"{one.metrics['config']['number']}\\n")
"""

_SYNE = """
import os, sys, time
from pathlib import Path
folder, seconds, trials = sys.argv[1:]
os.environ["SYNETUNE_FOLDER"] = folder
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import uniform
from syne_tune.optimizer.baselines import RandomSearch
script = Path(folder) / "train.py"
script.write_text('''
import argparse, os, time
from syne_tune import Reporter
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
known, _ = parser.parse_known_args()
with open(%r, "a") as file:
    file.write(f"{known.x} {os.getpid()}\\\\n")
time.sleep(%s)
Reporter()(score=known.x ** 2)
''' % (folder + "/ran", seconds))
found = sorted(Path(folder).glob("**/tuner.dill"))
if found:
    tuner = Tuner.load(str(found[-1].parent))
else:
    scheduler = RandomSearch({"x": uniform(0, 1)}, metrics=["score"])
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=str(script)), scheduler=scheduler, n_workers=2, sleep_time=0.1,
        stop_criterion=StoppingCriterion(max_num_trials_completed=int(trials)), results_update_interval=0.2,
        save_tuner=True,
    )
tuner.run()
import pandas
rows = [pandas.read_csv(one) for one in Path(folder).glob("**/results.csv.zip")]
with open(folder + "/told", "w") as file:
    for one in rows:
        for value in one["config_x"].unique():
            file.write(f"{value}\\n")
"""

SCRIPTS = {"optuna": _OPTUNA, "ray": _RAY, "syne_tune": _SYNE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=tuple(SCRIPTS), default=tuple(SCRIPTS))
    asked = parser.parse_args()
    for name in asked.only:
        if find_spec(name) is None:
            print(f"{name}: not installed")
            continue
        faults: dict[str, Callable[[str, Path], str]] = {"kill -9 of the search": driver_killed}
        if name != "optuna":  # which runs a trial in the search's own process
            faults["kill -9 of a trial's process"] = trial_killed
        if name == "optuna":
            faults |= {"half a line of the journal": torn, "a lost line": lost, "a doubled line": doubled}
        for fault, inject in faults.items():
            with TemporaryDirectory(prefix="rivals-") as folder:
                print(f"{name}: {fault}: {inject(name, Path(folder))}", flush=True)


def driver_killed(name: str, folder: Path) -> str:
    begun = _begin(name, folder)
    _wait(begun, lambda: len(_ran(folder)) >= TRIALS // 2)
    if begun.poll() is not None:
        return f"it ended with {_told(begun.returncode, folder)} before it was killed"
    os.killpg(begun.pid, signal.SIGKILL)
    begun.wait()
    before = len(_ran(folder))
    again = _begin(name, folder).wait(LONGEST)
    return f"{before} trials had begun; begun again it ended with {_told(again, folder)}, {_after(name, folder)}"


def trial_killed(name: str, folder: Path) -> str:
    begun = _begin(name, folder)
    _wait(begun, lambda: len(_ran(folder)) >= TRIALS // 2)
    if not _ran(folder):
        return f"it ended with {_told(begun.wait(LONGEST), folder)} before a trial began"
    os.kill(int(_ran(folder)[-1].split()[-1]), signal.SIGKILL)
    first = f"it ended with {_told(begun.wait(LONGEST), folder)}, {_after(name, folder)}"
    again = _begin(name, folder).wait(LONGEST)
    return f"{first}; begun again it ended with {_told(again, folder)}, {_after(name, folder)}"


def _told(status: int, folder: Path) -> str:
    """An exit status, with the last line of what was said where it is not 0."""
    lines = [line for line in (folder / "log").read_text(errors="replace").splitlines() if line.strip()]
    return f"{status} ({lines[-1][:200] if lines else 'without a word'})" if status else "0"


def torn(name: str, folder: Path) -> str:
    return _damaged(name, folder, lambda lines, at: [*lines[:at], lines[at][:30] + b"\n", *lines[at + 1 :]])


def lost(name: str, folder: Path) -> str:
    return _damaged(name, folder, lambda lines, at: lines[:at] + lines[at + 1 :])


def doubled(name: str, folder: Path) -> str:
    return _damaged(name, folder, lambda lines, at: lines[: at + 1] + lines[at:])


def _damaged(name: str, folder: Path, damage: Callable[[list[bytes], int], list[bytes]]) -> str:
    """Of a finished study, at a line that begins a trial in its middle."""
    assert _begin(name, folder).wait(LONGEST) == 0
    journal, values = folder / "study.journal", _values(folder)
    lines = journal.read_bytes().splitlines(keepends=True)
    begins = [at for at, line in enumerate(lines) if b'"op_code":4' in line]
    journal.write_bytes(b"".join(damage(lines, begins[random.Random(0).randrange(3, 8)])))
    try:
        now = _values(folder)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    wrong = sum(round(x * x, 9) != round(value, 9) for x, value in now)
    return f"read without a word: {len(now)} of {len(values)} trials, {wrong} of them with the value of another one"


def _values(folder: Path) -> list[tuple[float, float]]:
    """Parameter and value of each completed trial."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    study = optuna.load_study(study_name="s", storage=storage)
    return [(one.params.get("x", -1.0), one.value) for one in study.trials if one.value is not None]


def _after(name: str, folder: Path) -> str:
    """What there is of the trials, and how often each ran."""
    ran = Counter(line.split()[0] for line in _ran(folder))
    twice = sum(count > 1 for count in ran.values())
    if name == "optuna":
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
        states = Counter(one.state.name for one in optuna.load_study(study_name="s", storage=storage).trials)
        return f"states {dict(states)} of {TRIALS} wanted, {twice} trials ran twice"
    told = folder / "told"
    count = len(set(told.read_text().split())) if told.exists() else 0
    return f"{count} of {TRIALS} results, {len(ran)} trials ran, {twice} of them twice"


def _ran(folder: Path) -> list[str]:
    path = folder / "ran"
    return path.read_text().splitlines() if path.exists() else []


def _begin(name: str, folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPTS[name], str(folder), str(SECONDS), str(TRIALS)],
            stdout=log, stderr=log, start_new_session=True, env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )  # fmt: skip


def _wait(begun: "subprocess.Popen[bytes]", true: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not true() and begun.poll() is None and time.monotonic() < until:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
