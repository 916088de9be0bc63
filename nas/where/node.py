"""Node: a worker of a Ray cluster, an actor on one of its nodes; it takes and gives JSON, and files by digest."""

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from nas.task.data.tiles import default_folder
from nas.task.device import Device
from nas.task.task import Task
from nas.where.carried import Away, Carried, Missing
from nas.where.tasks import task_heard
from nas.where.told import AsTold, Files, heard
from nas.where.works import done, failed
from results.files import remove
from results.run import versions

Changed = dict[str, bytes | None]  # see nas.where.carried.Away.changed


class Worker:
    """One actor: does one piece of work at a time, and is asked how it goes meanwhile, by another thread."""

    def __init__(self, asked: str) -> None:
        """`asked` is a JSON object: the task, threads, gpus, and `also` as nas.where.works has it."""
        self._asked: dict[str, Any] = json.loads(asked)
        self._kept = default_folder() / "carried"
        self._away = Away(Path(tempfile.gettempdir()) / f"lpienas-away-{os.getpid()}")
        self._task: Task | None = None
        self._steps, self._working, self._begun = 0, False, time.process_time()

    def hello(self) -> str:
        """Where this is, and with which versions of what a figure may depend on."""
        import ray

        Carried(self._kept).clear()
        node = ray.get_runtime_context().get_node_id()
        return json.dumps({"node": node, "host": platform.node(), "pid": os.getpid(), "versions": versions()})

    def bring(self, digest: str, held: bytes) -> None:
        """Keep a file on this node."""
        Carried(self._kept).bring(digest, held)

    def has(self, digests: list[str]) -> list[str]:
        """Those of them that are kept on this node."""
        return [digest for digest in digests if (self._kept / f"blob-{digest}").exists()]

    def do(self, text: str) -> tuple[str, Changed]:
        """Do a piece of work: {"piece", "seen": a file in the run's store, "stages": Files of it or null}.

        Says what came of it as nas.where.works does, or what is missing here first: {"missing": paths by digest}, or
        {"unseen": true} where this node does not see the store and `stages` is null. With it what became of the
        stages, where they are not seen.
        """
        asked = json.loads(text)
        piece, seen = asked["piece"], asked["seen"] is None or Path(asked["seen"]).exists()
        if not seen and asked["stages"] is None:
            return json.dumps({"unseen": True}), {}
        carried = Carried(self._kept, None if seen else self._away.folder)
        try:
            if not seen:
                self._away.lay(Files.from_json(asked["stages"]), carried)
                self._working = True
            answer = done(piece, self._ready(), self._count, carried, self._asked["also"])
        except Missing as missing:
            return json.dumps({"missing": missing.paths}), {}
        except Exception as error:
            answer = failed(error)
        finally:
            self._working = False
        if seen:
            return answer, {}
        changed = self._away.changed()
        remove(self._away.folder)
        return answer, changed

    def spent(self) -> str:
        """Training steps and processor seconds so far."""
        return json.dumps([self._steps, time.process_time() - self._begun])

    def kept(self) -> Changed:
        """Checkpoints that the work has written since this was last asked, where the run's store is not seen."""
        return self._away.changed() if self._working else {}

    def _ready(self) -> Task:
        """The task, made when it is first asked for; raises Missing."""
        if self._task is None:
            told = self._asked["task"]
            device = _device(heard(told["device"], AsTold()), self._asked["gpus"])
            self._task = task_heard(told, Carried(self._kept), device)
        torch.set_num_threads(self._asked["threads"])
        return self._task

    def _count(self, step: int, loss: float) -> None:
        self._steps += 1


def _device(told: Device, gpus: float) -> Device:
    """The device of this worker, in the precision that all trainings of the run have."""
    if not gpus:
        return Device("cpu", told.bfloat16, told.reason, told.threads)
    if not torch.cuda.is_available():
        raise ValueError(
            f"node {platform.node()} gives {gpus:g} of a GPU, and torch finds no CUDA there: install a torch for its "
            "GPUs, or search without --gpus-per-trial"
        )
    return Device("cuda", told.bfloat16, told.reason, told.threads)
