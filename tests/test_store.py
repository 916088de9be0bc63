"""Store: equal causes have one key, other ones another, and a record that lies is noticed."""

import os
import platform

import pytest

from results.files import read_json, write_json
from results.store import RECORD, Stage, Store

CAUSES = {"steps": 6, "betas": (0.9, 0.95), "photographs": "ab"}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "made")


def test_a_key_follows_from_the_values_and_not_from_their_order_or_container():
    same = {"photographs": "ab", "betas": [0.9, 0.95], "steps": 6}
    assert Stage("training", CAUSES).key == Stage("training", same).key


@pytest.mark.parametrize("changed", [{"steps": 7}, {"photographs": "ba"}, {"betas": (0.95, 0.9)}, {"more": None}])
def test_whatever_changes_is_another_key(changed):
    assert Stage("training", CAUSES | changed).key != Stage("training", CAUSES).key


def test_two_kinds_of_the_same_causes_are_two_keys():
    assert Stage("training", CAUSES).key != Stage("pruning", CAUSES).key


def test_a_cause_that_json_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        Stage("training", {"rate": float("nan")})


def test_a_stage_is_made_once_its_record_is_there_which_holds_its_causes_in_full(store):
    stage = Stage("training", CAUSES)
    (store.at(stage.key)).mkdir(parents=True)
    assert not store.is_made(stage.key)
    store.keep(stage, "6 steps", {"ssim": 0.5}, 1.5)
    assert store.is_made(stage.key)
    assert store.figures(stage.key) == {"ssim": 0.5}
    assert store.record(stage.key)["made_from"] == CAUSES | {"betas": [0.9, 0.95]}
    assert (store.record(stage.key)["label"], store.record(stage.key)["cpu_seconds"]) == ("6 steps", 1.5)
    assert store.record(stage.key)["where"] == {"host": platform.node(), "process": os.getpid()}


def test_a_record_that_was_edited_is_noticed_and_named(store):
    stage = Stage("training", CAUSES)
    store.keep(stage, "6 steps", {}, 0.0)
    path = store.at(stage.key) / RECORD
    record = read_json(path)
    write_json(path, record | {"made_from": record["made_from"] | {"steps": 6000}})
    with pytest.raises(ValueError, match=rf"{RECORD} is not of training-"):
        store.record(stage.key)


def test_only_what_is_unfinished_is_removed_when_a_stage_is_complete(store):
    stage = Stage("training", CAUSES)
    folder = store.at(stage.key)
    folder.mkdir(parents=True)
    for name in ("checkpoint-0.safetensors", "network.json"):
        (folder / name).touch()
    store.keep(stage, "6 steps", {}, 0.0)
    assert {path.name for path in folder.iterdir()} == {"network.json", RECORD}


@pytest.mark.parametrize("key", ["../elsewhere", "/tmp/elsewhere", "..", "a\\b", ""])
def test_a_key_that_leads_out_of_the_store_is_refused(key, store):
    with pytest.raises(ValueError, match="must be a name without a folder"):
        store.at(key)
