"""Own reach: what networks of a user's own cost, as `space` and `describe` print it, is what is counted by hand."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from lpienas.command import main

PLAIN = f"{Path(__file__).parents[1] / 'examples' / 'plain.py'}:Plain"
FIXED = ["--fix", "width=4,8", "depth=1,2", "kernel=3,5", "activation=relu"]
PIXELS = 64 * 64


def macs(width: int, depth: int, kernel: int) -> int:
    return (kernel**2 * (3 * width + (depth - 1) * width**2) + 9 * 3 * width) * PIXELS


COSTS = sorted(macs(*genes) for genes in itertools.product((4, 8), (1, 2), (3, 5)))


def printed(capsys, *words: str) -> dict[str, Any]:
    assert main([*words, "--family", PLAIN, "--size", "64x64", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_space_of_an_own_family_reaches_from_its_cheapest_to_its_dearest_network(capsys):
    found = printed(capsys, "space", *FIXED, "--samples", "300")
    assert found["genotypes"] == 8
    assert (found["fewest_macs"]["macs"], found["most_macs"]["macs"]) == (COSTS[0], COSTS[-1])
    largest = found["most_parameters"]["genotype"]
    assert (largest["width"], largest["depth"], largest["kernel"]) == (8, 2, 5)
    assert set(found["quantiles"].values()) <= set(COSTS)
    assert found["quantiles"]["0.05"] == COSTS[0]


def test_the_share_within_a_budget_is_counted_and_one_below_the_cheapest_is_refused(capsys):
    share = printed(capsys, "space", *FIXED, "--samples", "300", "--budget", str(COSTS[3]))["within_budget"]
    assert share["low"] < 0.5 < share["high"]  # four of eight
    assert main(["space", "--family", PLAIN, *FIXED, "--size", "64x64", "--budget", str(COSTS[0] - 1)]) == 1
    assert f"smallest possible budget is {COSTS[0]}" in capsys.readouterr().err


def test_one_network_of_an_own_family_is_described_by_its_genes(capsys):
    found = printed(capsys, "describe", "--genes", "width=8", "depth=2", "kernel=5")
    assert (found["macs"], found["flops"], found["radius"]) == (macs(8, 2, 5), 2 * macs(8, 2, 5), 5)
    assert found["parameters"] == macs(8, 2, 5) // PIXELS + 2 * 8 + 3  # and a bias a channel
    assert found["genotype"]["activation"] == "relu"  # the first of two, of what was not named


def test_genes_without_a_family_are_refused(capsys):
    assert main(["describe", "--genes", "width=8"]) == 1
    assert "--genes width=8: are of --family" in capsys.readouterr().err


def test_a_preset_beside_a_family_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["describe", "--family", PLAIN, "--preset", "paper"])
    assert "not allowed with argument" in capsys.readouterr().err
