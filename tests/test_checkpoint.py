"""Checkpoint: what it gives back is what a training made, down to where it lies in memory."""

import torch

from nas.task.checkpoint import Learner, restore, save
from nas.task.soap import Soap
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build

SMALL = Blueprint.from_genotype(Genotype(tuple(Stage(depth=1, width=4) for _ in range(5))))


def learner() -> Learner:
    network = build(SMALL, seed=0)
    return Learner(network, Soap(network.parameters(), 1e-3))


def test_what_a_checkpoint_gives_back_lies_in_memory_as_what_a_training_made(tmp_path):
    """Products of matrices round by where their factors begin: torch begins its own at multiples of 64 bytes."""
    one, other = learner(), learner()
    for weight in one.network.parameters():
        weight.grad = torch.ones_like(weight)
    one.optimizer.step()
    save(tmp_path / "checkpoint.safetensors", one, 1)
    assert restore(tmp_path / "checkpoint.safetensors", other) == 1
    states = [tensor for state in other.optimizer.state.values() for tensor in state.values()]
    assert len(states) > 20
    assert {tensor.data_ptr() % 64 for tensor in states} == {0}
