"""Together: a supernet is trained by several processes of this machine, a GPU each, by DistributedDataParallel."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import torch
import torch.distributed as dist

from nas.scoring.supernet import SupernetTraining, train_supernet
from nas.task.training import Failed
from nas.where.counted import Counted, all_counted
from nas.where.parent import end_with_parent, ignore_interrupt, unheard
from nas.where.tasks import task_heard, task_told
from nas.where.told import AsTold, heard, told
from nas.where.works import answered, failed

_LOOK = 0.2  # seconds between two looks at the processes
_WAITS = timedelta(hours=1)  # for one another, at most: a checkpoint on a slow disk takes its time


def train_together(training: SupernetTraining, folder: Path, count: int, on_step: Callable[[int, float], None]) -> None:
    """As nas.scoring.supernet.train_supernet, by `count` processes, with the same result but for rounding.

    `on_step` is told the steps of this call; losses are not known here. Raises what a process raised, and Failed where
    one was ended.
    """
    settings = {"space": told(training.space), "settings": told(training.settings), "seed": training.seed}
    asked = {"task": task_told(training.task), "folder": str(folder.absolute()), "of": count} | settings
    with TemporaryDirectory(prefix="lpienas-together-") as beside:
        context = get_context("spawn")
        arguments = [(number, json.dumps(asked), beside) for number in range(count)]
        processes = [context.Process(target=_share, args=one, daemon=True) for one in arguments]
        try:
            with unheard():
                for process in processes:
                    process.start()
            while any(process.is_alive() for process in processes) and not any(one.exitcode for one in processes):
                time.sleep(_LOOK)
                if steps := _steps(Path(beside)):
                    on_step(steps - 1, float("nan"))
        finally:
            ended = [process.exitcode for process in processes if process.exitcode]
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
        errors = sorted(Path(beside).glob("error-*"), key=lambda path: path.stat().st_mtime_ns)
        if errors:  # the first one; others may only miss the process that raised it
            answered(errors[0].read_text())
        if ended:
            raise Failed("a process that trained the supernet was ended: it ran out of memory, or somebody ended it")


def _share(number: int, text: str, beside: str) -> None:
    """The life of one of the processes."""
    ignore_interrupt()
    Thread(target=end_with_parent, daemon=True).start()
    asked = json.loads(text)
    try:
        task = task_heard(asked["task"])
        space, settings = heard(asked["space"], AsTold()), heard(asked["settings"], AsTold())
        on_gpu = task.device.name == "cuda"
        if on_gpu:
            torch.cuda.set_device(number)
        torch.set_num_threads(task.device.threads[0])
        meets = f"file://{beside}/meets"
        kind = "nccl" if on_gpu else "gloo"
        dist.init_process_group(kind, init_method=meets, rank=number, world_size=asked["of"], timeout=_WAITS)
        counted = Counted(_counts(Path(beside))) if number == 0 else None
        training = SupernetTraining(space, task, settings, asked["seed"])
        train_supernet(training, Path(asked["folder"]), lambda step, loss: counted.step() if counted else None)
        dist.destroy_process_group()
    except Exception as error:
        unfinished = Path(beside) / f".error-{number}"
        unfinished.write_text(failed(error))
        unfinished.rename(Path(beside) / f"error-{number}")
        raise SystemExit(1) from error


def _counts(beside: Path) -> Path:
    folder = beside / "counts"
    folder.mkdir(exist_ok=True)
    return folder


def _steps(beside: Path) -> int:
    return all_counted(_counts(beside))[0]
