"""How a network begins: seeds, random state, and what its first weights do."""

import random
from dataclasses import replace

import pytest
import torch

from search_spaces.genotype import STAGES
from search_spaces.space import REFERENCE, default_space
from tests.released import RELEASED, SMALL, network_of, noise


def test_the_same_seed_gives_the_same_weights():
    first, second = network_of(SMALL, seed=3).state_dict(), network_of(SMALL, seed=3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights():
    first, second = network_of(SMALL, seed=3).state_dict(), network_of(SMALL, seed=4).state_dict()
    assert not any(torch.equal(first[name], second[name]) for name in first if name.endswith("weight"))


def test_building_leaves_the_global_random_state_alone():
    torch.manual_seed(11)
    expected = torch.rand(5)
    torch.manual_seed(11)
    network_of(SMALL, seed=3)
    assert torch.equal(torch.rand(5), expected)


def test_building_leaves_the_random_state_of_other_devices_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("it seeded the GPU"))
    network_of(SMALL, seed=3)


def test_a_new_network_starts_near_the_identity_but_not_on_it():
    space, image = default_space(), noise(1, 3, 32, 32)
    for seed in range(5):
        for genotype in (REFERENCE, space.sample(random.Random(seed))):
            with torch.no_grad():
                change = (network_of(genotype, seed)(image) - image).abs().mean()
            assert 1e-3 < change < 0.15


def test_every_relu_before_a_block_begins_open_and_a_brighter_image_does_not_shut_it():
    for seed in range(5):
        network = network_of(RELEASED.sample(random.Random(seed)), seed)
        shares_open = []
        for stage in (getattr(network, name) for name in STAGES):
            stage[1].register_forward_hook(
                lambda module, inputs, output, found=shares_open: found.append((output > 0).double().mean())
            )
        with torch.no_grad():
            for level in (0.1, 1.0, 4.0):
                network(level * (0.8 + 0.2 * noise(1, 3, 32, 32)))
        assert len(shares_open) == 15
        assert min(shares_open) > 0.6


def test_a_3x3_head_looks_at_the_decoder_from_the_start():
    network = network_of(replace(SMALL, head="conv3x3"))
    decoder = SMALL.stages[-1].width
    of_decoder, of_encoder = network.head.project.weight.split([decoder, SMALL.stages[0].width], dim=1)
    assert 0.5 < of_decoder.std() / of_encoder.std() < 2
