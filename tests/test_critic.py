"""Critic: it learns to tell edges that a network makes, and a training with one goes on as if it had not stopped."""

import math

import pytest
import torch
from torch import nn

import nas.task.training
from nas.task.critic import Critic
from nas.task.device import Device
from nas.task.losses import Loss
from nas.task.training import Course, Recipe, train

CPU = torch.device("cpu")
CLEAN = torch.rand((4, 3, 40, 40), generator=torch.Generator().manual_seed(0))
SMOOTH = nn.functional.avg_pool2d(CLEAN, 5, stride=1, padding=2)


def test_equal_pictures_leave_the_critic_in_doubt_and_learning_tells_smooth_ones_from_sharp():
    critic = Critic(CPU)
    assert critic.fooled(CLEAN, CLEAN).item() == pytest.approx(math.log(2), abs=0.01)
    before = critic.fooled(SMOOTH, CLEAN).item()
    for _ in range(60):
        critic.learn(SMOOTH, CLEAN)
    assert critic.fooled(SMOOTH, CLEAN).item() > before + 0.05


def test_the_picture_gets_a_gradient_and_the_critic_learns_by_itself_alone():
    critic = Critic(CPU)
    picture, first = SMOOTH.clone().requires_grad_(), critic.state()
    critic.fooled(picture, CLEAN).backward()
    assert picture.grad.abs().sum() > 0
    assert all(torch.equal(tensor, first[name]) for name, tensor in critic.state().items())
    picture.grad = None
    critic.learn(picture, CLEAN)
    assert picture.grad is None
    assert any(not torch.equal(critic.state()[name], tensor) for name, tensor in first.items())


def trained(steps, folder=None, stop_at=None):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))

    def on_step(step, loss):
        if step == stop_at:
            raise KeyboardInterrupt

    checkpoint = None if folder is None else folder / "checkpoint.safetensors"
    course = Course(Recipe(steps), Device("cpu", False, "test"), checkpoint, on_step)
    train(network, lambda step: (SMOOTH, CLEAN.roll(step, 3)), Loss(adversarial=0.1), course)
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_a_training_that_was_cut_off_goes_on_with_its_critic_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(nas.task.training, "CHECKPOINT_SECONDS", -1.0)
    whole = trained(6)
    with pytest.raises(KeyboardInterrupt):
        trained(6, tmp_path, stop_at=4)
    gone_on = trained(6, tmp_path)
    assert all(torch.equal(gone_on[name], tensor) for name, tensor in whole.items())


def test_the_term_changes_what_is_learnt(monkeypatch):
    whole = trained(3)
    monkeypatch.setattr(Critic, "fooled", lambda self, output, clean: 0 * output.sum())
    assert any(not torch.equal(trained(3)[name], tensor) for name, tensor in whole.items())
