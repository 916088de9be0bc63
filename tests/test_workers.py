"""Workers: the same weights in this process and in others, and every way to fail says what happened."""

import os
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nas.scoring.short import score_by_training
from nas.scoring.training import Training, in_rungs
from nas.task.device import Device
from nas.task.task import Task, TaskSettings, make_task, read_photos
from nas.task.training import Diverged, Recipe
from nas.where.choice import default_count, make_workers
from nas.where.here import Here
from nas.where.killed import Kills, WorkerKilled
from nas.where.processes import Processes
from results.store import Store
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from tests.pieces import ENDS, WAITS, ends_its_process, waits_for_an_end

PLANS = [
    Blueprint.from_genotype(Genotype((Stage(1, 4, 1.0, attention),) * 5, head="conv3x3"))
    for attention in ("none", "channel")
]
RECIPE = Recipe(4)


@pytest.fixture(scope="module")
def task() -> Task:
    settings = TaskSettings(patch=32, batch=2, validation_side=64)
    return make_task(settings, read_photos(settings), Device("cpu", False, "test", threads=(2, 1)))


def broken_start(folder: Path, task: Task) -> tuple[Training, ...]:
    """A training whose first weights make the first loss no number, and the one that it goes on from."""
    store, training = Store(folder), Training.on(task, PLANS[0], Recipe(1), 0)
    score_by_training(task, lambda step, loss: None, [training], store)
    weights = store.at(training.scoring.key) / "network.safetensors"
    save_file({name: tensor * torch.nan for name, tensor in load_file(weights).items()}, weights)
    return in_rungs(training, (1, 1 + RECIPE.steps))


def test_two_workers_train_what_one_does_to_the_bit_and_bring_an_exception_back(tmp_path, task):
    """One test, because each process takes seconds to start."""
    broken = broken_start(tmp_path / "broken", task)
    trainings = [Training.on(task, plan, RECIPE, 7) for plan in PLANS]
    one, other = Store(tmp_path / "one"), Store(tmp_path / "two")
    with make_workers(task, 1) as here:
        alone = [here.submit(score_by_training, [training], one) for training in trainings]
    with make_workers(task, 2) as two:
        assert isinstance(two, Processes)
        both = [two.submit(score_by_training, [training], other) for training in trainings]
        failing = two.submit(score_by_training, broken, Store(tmp_path / "broken"))
        assert [work.result() for work in both] == [work.result() for work in alone]
        with pytest.raises(Diverged, match="the loss became nan at step 0 of 4"):
            failing.result()
        assert two.steps() == here.steps() >= 2 * RECIPE.steps
    for training in trainings:
        weights = [(store.at(training.scoring.key) / "network.safetensors").read_bytes() for store in (one, other)]
        assert weights[0] == weights[1]


def test_work_whose_process_is_ended_twice_fails_alone_and_what_ran_beside_it_is_done(tmp_path, task):
    with Processes(task, 2, also=(ENDS, WAITS)) as workers:
        ends = workers.submit(ends_its_process, str(tmp_path / "killed"), 2)
        beside, after = (workers.submit(waits_for_an_end, str(tmp_path / "killed")) for _ in range(2))
        with pytest.raises(WorkerKilled, match=r"was ended twice, .* it ran out of memory, or somebody ended it"):
            ends.result()
        assert 1 <= beside.result() <= 2
        assert 1 <= after.result() <= 2


def test_work_whose_process_is_ended_once_is_done(tmp_path, task):
    with Processes(task, 1, also=(ENDS, WAITS)) as workers:
        assert workers.submit(ends_its_process, str(tmp_path / "killed"), 1).result() == 1


def test_work_that_ended_its_process_in_a_call_before_is_given_up_the_next_time(tmp_path, task):
    """The search ends before the process is tried again; what it did once is not forgotten."""
    record, kills = tmp_path / "killed.json", tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt), Processes(task, 1, Kills(record), (ENDS,)) as workers:
        interrupted_at(record, workers.submit(ends_its_process, str(kills), 5))
    before = kills.stat().st_size
    with Processes(task, 1, Kills(record), (ENDS,)) as workers:
        again = workers.submit(ends_its_process, str(kills), 5)
        with pytest.raises(WorkerKilled, match="was ended twice"):
            again.result()
    assert kills.stat().st_size == before + 1
    assert not record.exists()  # or a training that is asked for again would be given up at once


def interrupted_at(record: Path, work: object) -> None:
    """As by Ctrl-C, once what ended a process is written down."""
    while not record.exists():
        time.sleep(0.02)
    raise KeyboardInterrupt


def test_work_that_is_not_on_the_list_is_refused_before_a_process_is_asked(task):
    with Processes(task, 1) as workers, pytest.raises(ValueError, match="pieces:ends_its_process: workers run nas"):
        workers.submit(ends_its_process, "", 1)


def test_one_worker_is_this_process_with_one_thread(task):
    with make_workers(task, 1) as workers:
        assert isinstance(workers, Here)
        assert workers.count == 1
        assert workers.submit(lambda task, on_step: (os.getpid(), task.device.threads)).result() == (os.getpid(), (1,))
        assert torch.get_num_threads() == 1


def test_work_here_gets_its_arguments_and_every_step_is_counted_and_heard(task):
    def work(task, on_step, first, second):
        for step in range(3):
            on_step(step, step / 10)
        return first + second

    with Here(task) as workers:
        heard = []
        workers.on_step = lambda step, loss: heard.append((step, loss))
        assert workers.submit(work, 2, 3).result() == 5
        assert workers.submit(work, 4, 5).result() == 9
        assert workers.steps() == 6
        assert heard == 2 * [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_an_exception_here_is_raised_where_the_result_is_asked_for(task):
    def fails(task, on_step):
        raise Diverged("the loss became nan")

    with Here(task) as workers:
        work = workers.submit(fails)
        with pytest.raises(Diverged, match="the loss became nan"):
            work.result()


def test_an_interruption_here_ends_the_work_at_once(task):
    def interrupted(task, on_step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Here(task) as workers:
        workers.submit(interrupted)


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 2), (16, 4), (None, 1)])
def test_by_default_there_is_a_worker_a_processor_but_four_at_most(processors, workers, task, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert default_count(task) == workers
