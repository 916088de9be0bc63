"""Tasks: what networks are trained for, told to another process as JSON: settings, which photographs, and the device.

Photographs are told by their manifest; pixels stay in their files.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.task.data.listing import Where
from nas.task.data.manifest import Photographs
from nas.task.data.photo import StoredPhoto
from nas.task.data.photos import Photos, photos_of
from nas.task.data.tiles import Tiles, default_folder
from nas.task.device import Device
from nas.task.evaluation import Quality
from nas.task.task import Task, TaskSettings, make_task
from nas.where.told import AsTold, Files, Found, heard, told


def task_told(task: Task) -> dict[str, Any]:
    """`task` as JSON; raises ValueError for photographs in memory."""
    manifest, where = task.photos.manifest, task.settings.where
    first = task.photos.training[0]
    if manifest is None or not isinstance(first, StoredPhoto):
        raise ValueError(
            "photographs in memory cannot be told to another process: write them to files, or use one worker"
        )
    there = {photo.name for part in (task.photos.training, task.photos.validation, task.photos.test) for photo in part}
    gone = [entry.name for entry in manifest.entries if entry.name not in there]
    folders = {} if where is None else {part: str(folder.absolute()) for part, folder in where.folders.items()}
    return {
        "settings": told(task.settings),
        "photographs": manifest.to_json(),
        "gone": gone,
        "folders": folders,
        "cache": {"folder": str(first.tiles.folder.absolute()), "bytes": first.tiles.limit},
        "device": told(task.device),
        "input": told(task.input),
    }


def task_heard(stored: Mapping[str, Any], found: Found | None = None, device: Device | None = None) -> Task:
    """Inverse of `task_told`, on `device` (None: as told), with the photographs where `found` finds them.

    None: everything is where it is said to be.
    """
    settings: TaskSettings = heard(stored["settings"], found or AsTold())
    manifest = Photographs.from_json(stored["photographs"])
    folders = {part: Path(folder) for part, folder in stored["folders"].items()}
    cache = Tiles(Path(stored["cache"]["folder"]), stored["cache"]["bytes"])
    if found is not None:
        there = manifest.without(set(stored["gone"]))
        folders = {part: found.folder(_files(there, part, folder), read=False) for part, folder in folders.items()}
        cache = Tiles(default_folder(), cache.limit)
    named: dict[str, Any] = {part: str(folder) for part, folder in folders.items()}
    settings = replace(settings, **named)
    where: Where | None = settings.where
    photos: Photos = photos_of(manifest, where, cache, stored["gone"])
    known: Quality = heard(stored["input"], AsTold())
    return make_task(settings, photos, device or heard(stored["device"], AsTold()), known)


def _files(manifest: Photographs, part: str, folder: Path) -> Files:
    """Of the photographs in one of the folders of a task."""
    sides = [side for entry in manifest.entries if entry.folder == part for side in entry.sides]
    return Files(folder, {side.file: side.digest for side in sides})
