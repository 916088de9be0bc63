"""Device: bfloat16 only where the hardware has it and it trains as well, and a sentence that says so."""

import math

import pytest
import torch
from torch import Tensor, nn

from nas.task import device as module
from nas.task.device import Device, bfloat16_verdict, choose_device, fastest, has_bfloat16, loss_curve

FALLING = [1.0, 0.8, 0.6, 0.4, 0.3, 0.2]


def batch(step: int) -> tuple[Tensor, Tensor]:
    clean = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    return clean * 0.5, clean


def l1(output: Tensor, clean: Tensor) -> Tensor:
    return (output - clean).abs().mean()


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))


@pytest.mark.parametrize(
    ("bfloat16", "equal"),
    [
        (FALLING, True),
        ([2 * loss for loss in FALLING[:4]] + FALLING[4:], True),  # only the last third counts
        (FALLING[:4] + [0.9 * loss for loss in FALLING[4:]], True),
        (FALLING[:4] + [1.04 * loss for loss in FALLING[4:]], True),
        (FALLING[:4] + [1.06 * loss for loss in FALLING[4:]], False),
        ([*FALLING[:5], math.nan], False),
        ([*FALLING[:5], math.inf], False),
    ],
)
def test_bfloat16_is_taken_when_its_curve_ends_no_worse(bfloat16, equal):
    assert bfloat16_verdict(FALLING, bfloat16)[0] == equal


def test_bfloat16_is_not_taken_where_float32_itself_diverges():
    assert not bfloat16_verdict([*FALLING[:5], math.nan], FALLING)[0]


def test_the_verdict_gives_both_losses_and_the_number_of_steps():
    sentence = bfloat16_verdict(FALLING, [2 * loss for loss in FALLING])[1]
    assert sentence == "bfloat16 trains worse than float32 over 6 steps (loss 0.5000 against 0.2500)"


def test_the_verdict_of_a_single_step_is_possible():
    assert bfloat16_verdict([0.5], [0.5])[0]


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_loss_curve_falls_and_is_finite(network, bfloat16):
    curve = loss_curve(network, lambda step: batch(0), l1, Device("cpu", bfloat16, "test"))
    assert len(curve) == 30
    assert all(math.isfinite(loss) for loss in curve)
    assert curve[-1] < curve[0]


def test_bfloat16_changes_the_loss_curve_a_little(network):
    plain, brief = (loss_curve(network, batch, l1, Device("cpu", bfloat16, "test")) for bfloat16 in (False, True))
    assert brief != plain
    assert brief == pytest.approx(plain, rel=0.2)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_loss_curve_leaves_the_network_as_it_was(network, bfloat16):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    loss_curve(network, batch, l1, Device("cpu", bfloat16, "test"))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_same_network_gives_the_same_loss_curve_twice(network):
    device = Device("cpu", False, "test")
    assert loss_curve(network, batch, l1, device) == loss_curve(network, batch, l1, device)


def test_without_the_hardware_bfloat16_is_not_even_tried(monkeypatch):
    monkeypatch.setattr(module, "has_bfloat16", lambda name: False)
    device = choose_device("cpu", lambda device: pytest.fail("it was tried"))
    assert not device.bfloat16
    assert "no bfloat16" in device.reason


@pytest.mark.parametrize(("factor", "taken"), [(1.0, True), (2.0, False)])
def test_with_the_hardware_the_trial_decides(monkeypatch, factor, taken):
    monkeypatch.setattr(module, "has_bfloat16", lambda name: True)
    device = choose_device("cpu", lambda device: [loss * (factor if device.bfloat16 else 1) for loss in FALLING])
    assert device.bfloat16 == taken
    assert "over 6 steps" in device.reason


def test_autocast_computes_in_bfloat16_exactly_where_it_was_chosen():
    weight = torch.ones(4, 4)
    for bfloat16, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        with Device("cpu", bfloat16, "test").autocast():
            assert (weight @ weight).dtype == dtype


@pytest.mark.parametrize(("bfloat16", "precision"), [(False, "float32"), (True, "bfloat16 autocast")])
def test_the_description_names_device_precision_and_reason(bfloat16, precision):
    device = Device("cpu", bfloat16, "as asked", (1, 3))
    assert device.describe() == f"cpu (1 or 3 threads), {precision}: as asked"


def test_the_fastest_device_is_one_that_is_there():
    assert torch.zeros(1, device=fastest()).item() == 0


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f avx2", False), ("", False)],
)
def test_bfloat16_on_a_processor_is_read_off_its_flags(monkeypatch, flags, expected):
    text = f"processor : 0\nflags\t\t: {flags}\n"
    monkeypatch.setattr(module.Path, "read_text", lambda self: text)
    assert has_bfloat16("cpu") == expected


def test_a_processor_that_lists_no_flags_has_no_bfloat16(monkeypatch):
    def missing(self):
        raise FileNotFoundError

    monkeypatch.setattr(module.Path, "read_text", missing)
    assert not has_bfloat16("cpu")
