"""Cluster: on a real Ray cluster of several nodes work is what it is here, and survives what happens to nodes."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import lpienas
from lpienas import SearchOptions
from nas.scoring.short import score_by_training
from nas.scoring.supernet import SupernetSettings, SupernetTraining, score_by_supernet, train_supernet
from nas.scoring.training import Training, in_rungs
from nas.task.data.facts import digest_of
from nas.task.data.tiles import default_folder
from nas.task.device import Device
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Diverged, Recipe
from nas.where.cluster import Cluster
from nas.where.here import Here
from nas.where.joined import Placing
from nas.where.killed import Kills, WorkerKilled
from results.progress import Silent
from results.store import Store
from results.study import count_states, open_study
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import STAGES, Genotype, Stage
from search_spaces.space import Space
from tests.pieces import ENDS, SAYS, WAITS, ends_its_process, says_where, waits_for_an_end
from tests.ray_nodes import two_nodes
from tests.small_photos import small_photos, with_known_device

pytestmark = pytest.mark.slow  # together: processes of Ray begin, and of workers, which import torch
CHOICES = {"depth": [1], "width": [4, 8], "expansion": [1.0], "attention": ["none"]}
PLAN = Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, "none"),) * 5, head="conv3x3"))
SPACE = Space.from_json(
    {f"{stage}.{gene}": values for stage in STAGES for gene, values in CHOICES.items()}
    | {"block": ["released"], "activation": ["relu"], "head": ["conv3x3"], "stem": ["full"]}
)


@pytest.fixture(scope="module")
def ray_cluster():
    with two_nodes() as cluster:
        yield cluster


class Interrupting(Silent):
    """Stands for a Ctrl-C once a candidate is scored."""

    def say(self, line: str) -> None:
        if line.startswith("candidate "):
            raise KeyboardInterrupt


def test_a_search_on_a_cluster_that_is_interrupted_goes_on_and_scores_every_trial_once(ray_cluster, tmp_path):
    """The first one: its workers take all places of the cluster, and those of the interrupted call had to go."""
    small = {"steps": 1, "patch": 32, "batch": 2, "confirm": 0, "sampler": "random", "score": "short"}
    small |= {"data": str(small_photos(tmp_path / "photos")), "fix": ("depth=1", "attention=none")}
    asked, run = SearchOptions(trials=4, ray=ray_cluster.address, **small), with_known_device(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        lpienas.search(run.folder, asked, Interrupting())
    before = open_study(run.study).get_trials()
    assert 1 <= count_states(before)["COMPLETE"] < 4
    lpienas.search(run.folder, asked)
    trials = open_study(run.study).get_trials()
    assert count_states(trials) == {"COMPLETE": 4}
    assert [trial.params for trial in trials[: len(before)]] == [trial.params for trial in before]
    assert len(list(run.made.glob("scoring-*/record.json"))) == 4
    assert not run.killed.exists()
    assert not list(run.made.glob(".seen-*"))


@pytest.fixture(scope="module")
def task() -> Task:
    settings = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(settings, read_photos(settings), Device("cpu", False, "test"))


@pytest.fixture(scope="module")
def kills(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kills") / "killed.json"


@pytest.fixture(scope="module")
def workers(ray_cluster, task, kills):
    """Two, a node each."""
    with Cluster(task, None, Placing(ray_cluster.address), Kills(kills), (ENDS, SAYS, WAITS)) as joined:
        yield joined


def weights(store: Store, training: Training) -> bytes:
    return (store.at(training.scoring.key) / "network.safetensors").read_bytes()


def test_there_is_a_worker_for_every_place_of_the_cluster(workers):
    assert workers.count == 2


def test_work_on_a_cluster_is_that_of_this_process_to_the_bit_and_brings_an_exception_back(workers, tmp_path, task):
    trainings = [Training.on(task, PLAN, Recipe(3), seed) for seed in (1, 2)]
    one, other = Store(tmp_path / "one"), Store(tmp_path / "two")
    before = workers.steps()
    there = [workers.submit(score_by_training, [training], other) for training in trainings]
    with Here(task) as here:
        assert [work.result() for work in there] == [
            here.submit(score_by_training, [training], one).result() for training in trainings
        ]
    assert [weights(one, training) for training in trainings] == [weights(other, training) for training in trainings]
    assert workers.steps() - before == here.steps() == 6
    assert workers.seconds() > 0
    broken = other.at(trainings[0].scoring.key) / "network.safetensors"
    save_file({name: tensor * float("nan") for name, tensor in load_file(broken).items()}, broken)
    with pytest.raises(Diverged, match="the loss became nan at step 0 of 2"):
        workers.submit(score_by_training, in_rungs(trainings[0], (3, 5)), other).result()


def test_work_that_ends_its_worker_twice_is_given_up_and_what_runs_beside_it_runs_once(workers, kills, tmp_path):
    ends = workers.submit(ends_its_process, str(tmp_path / "killed"), 5)
    beside = workers.submit(waits_for_an_end, str(tmp_path / "killed"))
    assert beside.result() >= 1
    with pytest.raises(WorkerKilled, match=r"was ended twice, .* it ran out of memory, or somebody ended it"):
        ends.result()
    assert (tmp_path / "killed").stat().st_size == 2
    assert not kills.exists()  # or the same work, asked for again, would be given up at once


def test_work_that_ended_its_worker_in_a_call_before_is_given_up_the_next_time(workers, kills, tmp_path):
    once = workers.submit(ends_its_process, str(tmp_path / "once"), 1)
    assert once.result() == 1
    assert not kills.exists()


def test_what_a_node_does_not_see_is_carried_to_it_and_what_it_made_comes_back(workers, tmp_path, task, monkeypatch):
    """The folder of this process, by a path that is another one in every process."""
    monkeypatch.chdir(tmp_path)
    away, here = Path("/proc/self/cwd"), Here(task)
    training = SupernetTraining(SPACE, task, SupernetSettings(Recipe(1)), seed=0)
    train_supernet(training, away / "supernet")
    shared = {gene: values[0] for gene, values in SPACE.choices.items() if "." not in gene}
    plan = Blueprint.from_genotype(SPACE.extreme(False, shared))
    weights_of_all = training.at(away / "supernet")
    scored = workers.submit(score_by_supernet, weights_of_all, SPACE, plan)
    rungs = in_rungs(Training.on(task, PLAN, Recipe(4), 7), (1, 4))
    for store in (Store(tmp_path / "one"), Store(tmp_path / "two")):
        here.submit(score_by_training, rungs[:1], store).result()
    gone_on = workers.submit(score_by_training, rungs, Store(away / "two"))
    assert gone_on.result() == here.submit(score_by_training, rungs, Store(tmp_path / "one")).result()
    score = scored.result()
    assert score == here.submit(score_by_supernet, weights_of_all, SPACE, plan).result()
    carried = default_folder() / "carried" / f"blob-{digest_of(weights_of_all)}"
    file = carried.stat().st_ino  # another one, had it been written again
    again = [workers.submit(score_by_supernet, weights_of_all, SPACE, plan) for _ in range(4)]
    assert [work.result() for work in again] == [score] * 4
    assert carried.stat().st_ino == file, "the supernet was carried to its node more than once"
    assert weights(Store(tmp_path / "one"), rungs[1]) == weights(Store(tmp_path / "two"), rungs[1])
    left = [
        sorted(file.name for file in Store(tmp_path / name).at(rungs[1].scoring.key).iterdir())
        for name in ("one", "two")
    ]
    assert left[0] == left[1]


def test_work_of_a_node_that_is_lost_runs_again_elsewhere_and_is_not_counted_as_a_kill(
    workers, ray_cluster, kills, tmp_path, capsys
):
    """The last one, since the node does not come back; Ray keeps to itself what it has to say of that."""
    lost = ray_cluster.worker_nodes.copy().pop()
    begun = {}
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        begun[name] = workers.submit(says_where, str(tmp_path / name))
    until(lambda: all(list((tmp_path / name).glob("[0-9]*")) for name in begun))
    node_of = {one.process: one.node for one in workers.placed()}
    pids = {name: int(next((tmp_path / name).glob("[0-9]*")).name) for name in begun}
    (there,) = [name for name, pid in pids.items() if node_of[pid] == lost.node_id]
    ray_cluster.remove_node(lost, allow_graceful=False)
    (here,) = set(begun) - {there}
    (tmp_path / here / "go").touch()
    until(lambda: len(list((tmp_path / there).glob("[0-9]*"))) == 2)
    (tmp_path / there / "go").touch()
    assert (begun[here].result(), begun[there].result()) == (1, 2)
    assert capsys.readouterr().out == ""
    assert not kills.exists()


def until(holds: Callable[[], bool]) -> None:
    """Wait for it, for minutes on a busy machine."""
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")
