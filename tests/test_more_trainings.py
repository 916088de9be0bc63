"""More trainings: a published control is in order, and its front and hypervolumes follow from its networks' figures."""

import copy
import importlib
from pathlib import Path

import pytest

from results.files import read_json

ROOT = Path(__file__).parents[1]
CONTROL = read_json(ROOT / "results/published/denoise/front.json")["control"]


@pytest.fixture
def ordered(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("more_trainings").ordered


def test_the_published_control_has_as_many_trainings_of_each_network_and_is_in_order(ordered):
    assert set(CONTROL["seeds"].values()) == {3}
    again = ordered(copy.deepcopy(CONTROL))
    for part in ("front", "dominated"):
        assert [network["number"] for network in again[part]] == [network["number"] for network in CONTROL[part]]
    assert again["hypervolume"] == pytest.approx(CONTROL["hypervolume"], abs=1e-12)
    assert again["test"]["hypervolume"] == pytest.approx(CONTROL["test"]["hypervolume"], abs=1e-12)


def test_a_network_whose_mean_fell_below_a_cheaper_one_leaves_the_front(ordered):
    worse = copy.deepcopy(CONTROL)
    cheapest, second = worse["front"][:2]
    second["ssim"] = cheapest["ssim"] - 0.001
    again = ordered(worse)
    assert second["number"] in [network["number"] for network in again["dominated"]]
    assert again["hypervolume"] < CONTROL["hypervolume"]
