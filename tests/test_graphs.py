"""Graphs: patches of a block of steps are those of each step, a captured optimizer moves as the plain one, on a GPU."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nas.task.data.on_card import BlockSampler, Held
from nas.task.data.patches import PatchSampler, Sampling
from nas.task.degrade import BlendedNoise, CameraNoise
from nas.task.device import Device
from nas.task.graphs import STEPS, blocks
from nas.task.losses import Loss
from nas.task.soap import Soap
from nas.task.training import Course, Diverged, Recipe, train
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build
from tests.numbered_photos import FAINT, Mean, as_bytes, as_pair, numbered

CPU = torch.device("cpu")
on_a_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
SMALL = Blueprint.from_genotype(Genotype(tuple(Stage(depth=1, width=8) for _ in range(5))))


def both(*photos, noise=FAINT, synthetic=0.0, batch=4) -> tuple[PatchSampler, BlockSampler]:
    plain = PatchSampler(photos, Sampling(8, batch, synthetic), noise, 5)
    return plain, BlockSampler(plain, Held(photos, CPU))


@pytest.mark.parametrize("step", [0, 7, STEPS - 1, STEPS, 3 * STEPS + 2])
def test_the_clean_patches_of_a_step_are_those_that_it_sees_alone(step):
    plain, together = both(numbered("a", 20, 30), numbered("b", 9, 40, blue=1))
    assert torch.equal(plain.batch(step)[1], together.batch(step)[1])


def test_what_is_read_around_a_patch_is_reflected_at_the_borders_alike():
    plain, together = both(numbered("a", 9, 10), noise=Mean())
    for step in range(STEPS):
        for one, other in zip(plain.batch(step), together.batch(step), strict=True):
            torch.testing.assert_close(one, other.contiguous(), atol=1e-6, rtol=0)


def test_both_sides_of_a_pair_are_cut_alike():
    degraded, clean = both(as_pair(numbered("a", 20, 30)))[1].batch(3)
    assert np.array_equal(as_bytes(degraded), 255 - as_bytes(clean))


def test_of_pairs_the_synthetic_share_of_each_step_is_degraded_from_its_clean_side():
    plain, together = both(as_pair(numbered("a", 20, 30)), synthetic=0.5)
    for step in range(STEPS):
        for sampler in (plain, together):
            degraded, clean = sampler.batch(step)
            synthetic = [
                np.array_equal(one, other) for one, other in zip(as_bytes(degraded), as_bytes(clean), strict=True)
            ]
            assert synthetic == [True, True, False, False]


def test_every_step_has_its_share_of_white_noise_and_of_a_cameras():
    """White noise of a blend is on the first images of a batch, and neighbours know nothing of each other there."""
    grey = numbered("a", 64, 64)
    grey.clean.fill_(128)
    _, together = both(grey, noise=BlendedNoise(CameraNoise(jpeg=0.0)), batch=8)
    for step in (0, 9, 19):
        degraded, clean = together.batch(step)
        noise = (degraded - clean).contiguous()
        noise = noise - noise.mean(dim=(2, 3), keepdim=True)
        beside = (noise[..., 1:] * noise[..., :-1]).mean(dim=(1, 2, 3)) / noise.square().mean(dim=(1, 2, 3))
        assert beside[:4].abs().max() < 0.25
        assert beside[4:].mean() > beside[:4].mean() + 0.1


def test_a_step_has_the_same_noise_whatever_came_before():
    _, first = both(numbered("a", 20, 30), noise=BlendedNoise())
    _, resumed = both(numbered("a", 20, 30), noise=BlendedNoise())
    first.batch(0)
    for one, other in zip(first.batch(STEPS + 3), resumed.batch(STEPS + 3), strict=True):
        assert torch.equal(one, other)


def test_photographs_of_16_bits_are_not_held():
    photo = numbered("a", 20, 30)
    deep = type(photo)("deep", photo.clean.to(torch.uint16), None)
    with pytest.raises(ValueError, match="8 bits"):
        Held([deep], CPU)


def weights_of(seed: int) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(6, 6, 1, 1), (9, 1, 3, 3), (27, 3, 3, 3), (6,), (5,)]  # square: else some axes are of rounding alone
    return [nn.Parameter(torch.randn(*shape, generator=generator)) for shape in shapes]


def test_a_capturable_optimizer_moves_every_weight_as_the_plain_one():
    plain, together = weights_of(0), weights_of(0)
    one = Soap([{"params": plain}], lr=0.01)
    other = Soap([{"params": together, "lr": torch.tensor(0.01)}], lr=0.01, capturable=True)
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        for weight, same in zip(plain, together, strict=True):
            weight.grad = torch.randn(weight.shape, generator=generator)
            same.grad = weight.grad.clone()
        one.step()
        other.step()
        other.turn()
    for weight, same in zip(plain, together, strict=True):
        torch.testing.assert_close(weight, same, atol=2e-5, rtol=1e-4)


def test_bases_are_turned_in_their_place_which_a_graph_reads():
    weights = weights_of(0)[:1]
    optimizer = Soap([{"params": weights, "lr": torch.tensor(0.01)}], lr=0.01, capturable=True)
    for _ in range(2):
        weights[0].grad = torch.randn(weights[0].shape, generator=torch.Generator().manual_seed(2))
        optimizer.step()
        basis = optimizer.state[weights[0]]["left_basis"]
        before, where = basis.clone(), basis.data_ptr()
        optimizer.turn()
    assert optimizer.state[weights[0]]["left_basis"].data_ptr() == where
    assert not torch.equal(basis, before)


@pytest.mark.parametrize("done", [0, 3, 10, 40, 47])
def test_blocks_take_every_step_once_and_end_where_bases_are_turned(done):
    found = list(blocks(done, 61))
    assert [step for block in found for step in block] == list(range(done, 61))
    ends = {block.stop for block in found}
    assert {count for count in (2, 5, 10, 20, 40, 60) if count > done} <= ends
    assert all(len(block) <= STEPS for block in found)


# ---- on a card


def batch(step: int) -> tuple[Tensor, Tensor]:
    clean = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(10_000 + step))
    return (clean + 0.1 * noise).clamp(0, 1), clean


def on_card_batch(step: int) -> tuple[Tensor, Tensor]:
    degraded, clean = (image.cuda() for image in batch(step))
    return degraded, clean


def trained(device: Device, steps: int, optimizer: str = "soap", **course) -> tuple[LPIENet, list[float]]:
    losses: list[float] = []
    network = build(SMALL, 0).train()
    recipe = Recipe(steps, optimizer=optimizer, learning_rate=2e-3)
    course.setdefault("on_step", lambda step, loss: losses.append(loss))
    train(network, batch if device.name == "cpu" else on_card_batch, Loss(), Course(recipe, device, **course))
    return network, losses


class Elsewhere(TorchDispatchMode):
    """Raises where an operation on a device takes values of the processor, which a graph cannot bring there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs, found)) if isinstance(one, Tensor)]
        devices = {one.device.type for one in tensors if one.ndim}
        assert len(devices) < 2, f"{func} of {devices}"
        return found


@pytest.mark.parametrize("patch", [64, 192])
@pytest.mark.parametrize(
    "loss", [Loss(), Loss(relative=0.5), Loss(beta=0.1), Loss(fft=0.1), Loss(clipped=0.5)], ids=str
)
def test_after_the_first_steps_no_loss_needs_anything_of_the_processor(loss, patch, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which there is none of without values
    output, clean, degraded = (torch.rand(2, 3, patch, patch, device="meta") for _ in range(3))
    output.requires_grad_()
    loss.of(degraded)(output, clean).backward()  # what is kept from then on may come from anywhere
    with Elsewhere():
        loss.of(degraded)(output, clean).backward()


@on_a_card
def test_large_patches_train_in_graphs_too():
    def large(step: int) -> tuple[Tensor, Tensor]:
        return tuple(image.repeat(1, 1, 8, 8)[..., :192, :192] for image in on_card_batch(step))

    losses: list[float] = []
    course = Course(Recipe(30), Device("cuda", False, "test"), on_step=lambda step, loss: losses.append(loss))
    train(build(SMALL, 0).train(), large, Loss(), course)
    assert len(losses) == 30


@on_a_card
@pytest.mark.parametrize("optimizer", ["soap", "adam"])
def test_a_training_of_graphs_goes_as_one_on_the_processor(optimizer):
    _, here = trained(Device("cpu", False, "test"), 45, optimizer)
    network, there = trained(Device("cuda", False, "test"), 45, optimizer)
    assert len(there) == 45
    np.testing.assert_allclose(there[:20], here[:20], rtol=2e-3)
    np.testing.assert_allclose(there[20:], here[20:], rtol=2e-2)
    assert next(network.parameters()).is_cuda


@on_a_card
def test_a_training_of_graphs_that_was_cut_off_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.task.training.CHECKPOINT_SECONDS", 0.0)
    device = Device("cuda", False, "test")
    _, whole = trained(device, 60)

    def stop(step: int, loss: float) -> None:
        if step == 45:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(device, 60, checkpoint=tmp_path / "state.safetensors", on_step=stop)
    _, resumed = trained(device, 60, checkpoint=tmp_path / "state.safetensors")
    np.testing.assert_allclose(resumed, whole[40:], rtol=1e-2)  # kernels that add in any order round otherwise


@on_a_card
def test_a_loss_that_is_no_number_is_named_with_its_step():
    def broken(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = on_card_batch(step)
        return degraded, clean * (float("nan") if step == 33 else 1.0)

    with pytest.raises(Diverged, match="step 33 of 60"):
        train(build(SMALL, 0).train(), broken, Loss(), Course(Recipe(60), Device("cuda", False, "test")))


@on_a_card
def test_bfloat16_trains_in_graphs_too():
    _, losses = trained(Device("cuda", True, "test"), 60)
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
