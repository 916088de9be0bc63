"""Prepare: photographs read and checked, the device chosen, its precision checked once a run."""

from dataclasses import replace
from pathlib import Path

from nas.task.data.photos import Photos
from nas.task.device import Device, choose_device, fastest, identity_of, loss_curve, thread_choices
from nas.task.task import Task, TaskSettings, make_task, read_photos, sampler_of
from results.files import held_in, read_json, write_json
from search_spaces.blueprint import Blueprint
from search_spaces.lpienet import build
from search_spaces.space import REFERENCE


def prepare(settings: TaskSettings, record: Path, threads: int | None, photos: Photos | None = None) -> Task:
    """The task of `settings` on the best device, with `threads` processor threads (None: one or all).

    `photos` are those of `settings`, where they were listed before. Whether bfloat16 trains as well as float32 is tried
    out once for each processor and kept in the JSON file `record`.
    Raises DataError, listing every unusable photograph, before anything is computed.
    """
    photos = photos or read_photos(settings)
    device = _settled_device(settings, photos, record)
    return make_task(settings, photos, replace(device, threads=thread_choices(threads)))


def known_device(record: Path) -> Device | None:
    """This machine's best device, where the JSON file `record` says in which precision it trains."""
    name = fastest()
    known = (read_json(record) if record.exists() else {}).get(identity_of(name))
    if known is None:
        return None
    with held_in(record):
        return Device(name, known["bfloat16"], known["reason"])


def _settled_device(settings: TaskSettings, photos: Photos, record: Path) -> Device:
    known = known_device(record)
    if known is not None:
        return known
    device = choose_device(fastest(), lambda device: _short_training(settings, photos, device))
    others = read_json(record) if record.exists() else {}
    write_json(record, others | {identity_of(device.name): {"bfloat16": device.bfloat16, "reason": device.reason}})
    return device


def _short_training(settings: TaskSettings, photos: Photos, device: Device) -> list[float]:
    sampler = sampler_of(settings, photos, settings.seed, device)
    network = build(Blueprint.from_genotype(REFERENCE), settings.seed)
    return loss_curve(network, sampler.batch, settings.loss, device)
