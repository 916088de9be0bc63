"""Training: the same weights with and without an interruption, and an end where the loss is no number."""

import math

import pytest
import torch
from torch import Tensor, nn

from nas.task.checkpoint import before
from nas.task.device import Device
from nas.task.losses import Loss
from nas.task.training import Course, Diverged, OutOfMemory, Recipe, shares, train
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import LPIENet, build

CPU = Device("cpu", bfloat16=False, reason="test")
SMALL = Blueprint.from_genotype(Genotype(tuple(Stage(depth=1, width=4) for _ in range(5))))


class Interrupted(Exception):
    """Stands for a kill."""


def new_network() -> LPIENet:
    return build(SMALL, seed=0)


def batch(step: int) -> tuple[Tensor, Tensor]:
    clean = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    return clean * 0.5, clean


def l1(output: Tensor, clean: Tensor) -> Tensor:
    return (output - clean).abs().mean()


def interrupt_at(last: int):
    def on_step(step: int, loss: float) -> None:
        if step == last:
            raise Interrupted

    return on_step


def weights_after(network: LPIENet) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """Where a training leaves its state, here after every step."""
    monkeypatch.setattr("nas.task.training.CHECKPOINT_SECONDS", 0.0)
    return tmp_path / "state.safetensors"


@pytest.mark.parametrize(("steps", "peak"), [(1, 2e-2), (3000, 2e-2), (6000, 2e-2 / 2**0.5), (12000, 1e-2)])
def test_a_longer_training_has_a_lower_peak(steps, peak):
    assert Recipe(steps).peak == pytest.approx(peak)
    assert max(map(Recipe(steps, warmup=0.0).rate, range(steps))) == pytest.approx(peak)
    assert Recipe(steps, learning_rate=3e-3).peak == 3e-3


@pytest.mark.parametrize("stops", [[1], [2, 7], [9]])
def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(checkpoint, stops):
    recipe, whole = Recipe(steps=10), new_network()
    train(whole, batch, l1, Course(recipe, CPU))
    for stop in stops:
        with pytest.raises(Interrupted):
            train(new_network(), batch, l1, Course(recipe, CPU, checkpoint, interrupt_at(stop)))
    resumed = new_network()
    train(resumed, batch, l1, Course(recipe, CPU, checkpoint))
    assert torch.equal(weights_after(resumed), weights_after(whole))
    assert not torch.equal(weights_after(whole), weights_after(new_network()))


def test_a_resumed_training_does_only_the_steps_that_are_left(checkpoint):
    recipe, seen = Recipe(steps=6), []
    with pytest.raises(Interrupted):
        train(new_network(), batch, l1, Course(recipe, CPU, checkpoint, interrupt_at(3)))
    train(new_network(), batch, l1, Course(recipe, CPU, checkpoint, lambda step, loss: seen.append(step)))
    assert seen == [3, 4, 5]  # the third step was done, but not yet saved


def test_a_finished_training_is_not_done_again(checkpoint):
    recipe, finished, again = Recipe(steps=3), new_network(), new_network()
    train(finished, batch, l1, Course(recipe, CPU, checkpoint))
    train(again, batch, l1, Course(recipe, CPU, checkpoint, lambda step, loss: pytest.fail("it trained again")))
    assert torch.equal(weights_after(again), weights_after(finished))


def test_nothing_is_saved_before_the_time_between_checkpoints_is_over(tmp_path):
    train(new_network(), batch, l1, Course(Recipe(steps=2), CPU, tmp_path / "state.safetensors"))
    assert list(tmp_path.iterdir()) == []


def test_training_lowers_the_loss():
    losses = []
    train(
        new_network(),
        lambda step: batch(0),
        l1,
        Course(Recipe(steps=40), CPU, on_step=lambda _, loss: losses.append(loss)),
    )
    assert losses[-1] < 0.6 * losses[0]


def test_every_step_is_reported_with_its_loss():
    network, seen = new_network(), []
    with torch.no_grad():
        first = l1(network(batch(0)[0]), batch(0)[1]).item()
    train(network, batch, l1, Course(Recipe(steps=3), CPU, on_step=lambda step, loss: seen.append((step, loss))))
    assert [step for step, _ in seen] == [0, 1, 2]
    assert seen[0][1] == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_step(value):
    def breaks_at_the_third(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batch(step)
        return degraded, clean * (value if step == 2 else 1)

    seen = []
    with pytest.raises(Diverged, match=f"the loss became {value} at step 2 of 5"):
        train(
            new_network(),
            breaks_at_the_third,
            l1,
            Course(Recipe(steps=5), CPU, on_step=lambda step, _: seen.append(step)),
        )
    assert seen == [0, 1]


@pytest.mark.parametrize(
    "error", [RuntimeError("DefaultCPUAllocator: can't allocate memory"), torch.OutOfMemoryError(), MemoryError()]
)
@pytest.mark.filterwarnings("ignore:a batch of 4 does not fit into memory")
@pytest.mark.parametrize("most", [3, 2, 1])
def test_a_batch_that_does_not_fit_into_memory_is_taken_in_parts_that_train_the_same(most, error):
    fits = []

    def loss(output: Tensor, clean: Tensor) -> Tensor:
        if len(output) > most:
            raise error
        fits.append(len(output))
        return l1(output, clean)

    def four(step: int) -> tuple[Tensor, Tensor]:
        pairs = batch(2 * step), batch(2 * step + 1)
        return torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])

    found = []
    for how in (l1, loss):
        network, steps = new_network(), []

        def on_step(step: int, current: float, network=network, steps=steps) -> None:
            slopes = torch.cat([weight.grad.flatten() for weight in network.parameters()])
            steps.append((current, slopes))

        train(network, four, how, Course(Recipe(steps=2), CPU, on_step=on_step))
        found.append(steps)
    whole, parted = found
    assert max(fits) <= most
    assert [len(steps) for steps in found] == [2, 2]
    assert parted[0][0] == pytest.approx(whole[0][0], rel=1e-5)
    assert torch.allclose(parted[0][1], whole[0][1], rtol=1e-3, atol=1e-6)


@pytest.mark.filterwarnings("ignore:a batch of 2 does not fit into memory")
def test_a_patch_that_does_not_fit_into_memory_fails_with_its_size():
    def loss(output: Tensor, clean: Tensor) -> Tensor:
        raise MemoryError

    with pytest.raises(OutOfMemory, match="a patch of 8x8 pixels does not fit into the memory of cpu"):
        train(new_network(), batch, loss, Course(Recipe(steps=3), CPU))


def test_another_error_of_a_step_is_not_taken_for_want_of_memory():
    def loss(output: Tensor, clean: Tensor) -> Tensor:
        raise RuntimeError("The size of tensor a (4) must match the size of tensor b (2)")

    with pytest.raises(RuntimeError, match="must match"):
        train(new_network(), batch, loss, Course(Recipe(steps=1), CPU))


def test_a_gradient_that_is_no_number_is_noticed_before_it_moves_a_weight():
    def finite_with_an_infinite_slope(output: Tensor, clean: Tensor) -> Tensor:
        return (0 * output).sum().sqrt()

    network = new_network()
    with pytest.raises(Diverged, match="gradient"):
        train(network, batch, finite_with_an_infinite_slope, Course(Recipe(steps=1), CPU))
    assert torch.equal(weights_after(network), weights_after(new_network()))


def test_a_broken_step_leaves_finite_weights_behind():
    network = new_network()
    with pytest.raises(Diverged):
        train(network, batch, lambda output, clean: l1(output, clean) * math.nan, Course(Recipe(steps=1), CPU))
    assert torch.equal(weights_after(network), weights_after(new_network()))


def test_the_learning_rate_rises_linearly_then_falls_as_a_cosine_to_a_hundredth():
    recipe = Recipe(steps=110, learning_rate=0.5, warmup=10 / 110)
    rates = [recipe.rate(step) for step in range(110)]
    assert rates[:10] == pytest.approx([0.5 * n / 11 for n in range(1, 11)])
    assert rates[10] == pytest.approx(0.5)
    assert rates[60] == pytest.approx(0.5 * (1 + 0.01) / 2)  # half-way down
    assert rates[35] - rates[60] == pytest.approx(rates[60] - rates[85])  # a cosine is odd about its middle
    assert rates[109] == pytest.approx(0.005, rel=0.05)
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3, 400])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.9])
def test_every_learning_rate_is_above_zero_and_at_most_the_peak(steps, warmup):
    recipe = Recipe(steps, 0.5, warmup)
    assert all(0 < recipe.rate(step) <= 0.5 for step in range(steps))


def test_each_step_uses_its_own_learning_rate_and_each_convolution_its_share():
    """Adam's first step moves every weight by the learning rate, up to its epsilon."""
    network, recipe = new_network().double(), Recipe(steps=100, learning_rate=0.1, warmup=0.5)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}

    def in_double(step: int) -> tuple[Tensor, Tensor]:
        degraded, clean = batch(step)
        return degraded.double(), clean.double()

    with pytest.raises(Interrupted):
        train(network, in_double, l1, Course(recipe, CPU, on_step=interrupt_at(0)))
    names = {weight: name for name, weight in network.named_parameters()}
    for share, weights in shares(network).items():
        moved = torch.cat([(weight.detach() - before[names[weight]]).abs().flatten() for weight in weights])
        assert moved.max() == pytest.approx(share * 0.1 / 51, rel=0.01)


def test_a_share_is_16_over_the_inputs_for_weight_and_bias_alike():
    network = nn.Sequential(nn.Conv2d(12, 5, 3), nn.Conv2d(5, 5, 3, groups=5), nn.Conv2d(32, 4, 1))
    names = {weight: name for name, weight in network.named_parameters()}
    assert {names[weight]: share for share, weights in shares(network).items() for weight in weights} == {
        "0.weight": 16 / 108, "0.bias": 16 / 108, "1.weight": 1, "1.bias": 1, "2.weight": 0.5, "2.bias": 0.5
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps = 0: must be at least 1"),
        ({"steps": 1, "learning_rate": 0.0}, r"learning_rate = 0\.0"),
        ({"steps": 1, "learning_rate": math.nan}, "learning_rate = nan"),
        ({"steps": 1, "warmup": 1.0}, r"warmup = 1\.0: must be in \[0, 1\)"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_by_name_and_value(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"no tensors at all",
        lambda content: content[:-9] + bytes((content[-9] ^ 16,)) + content[-8:],  # one bit
        lambda content: content.replace(b'"step":"4"', b'"past":"4"'),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_of_a_damaged_checkpoint_the_one_before_counts_and_without_it_the_training_begins_again(
    both, damage, checkpoint
):
    recipe, whole, seen = Recipe(steps=6), new_network(), []
    train(whole, batch, l1, Course(recipe, CPU))
    with pytest.raises(Interrupted):
        train(new_network(), batch, l1, Course(recipe, CPU, checkpoint, interrupt_at(4)))
    for file in (checkpoint, before(checkpoint))[: 1 + both]:
        file.write_bytes(damage(file.read_bytes().replace(b'"step":"3"', b'"step":"4"')))
    again, goes_on = new_network(), "begins again" if both else "goes on from the one before it"
    with pytest.warns(UserWarning, match=rf"{checkpoint.stem}.* is damaged: this training {goes_on}"):
        train(again, batch, l1, Course(recipe, CPU, checkpoint, lambda step, loss: seen.append(step)))
    assert seen == list(range(0 if both else 3, 6))
    assert torch.equal(weights_after(again), weights_after(whole))


@pytest.mark.parametrize("links", [True, False])
def test_while_a_checkpoint_is_written_there_is_one_to_go_on_from(links, checkpoint, monkeypatch):
    recipe, whole = Recipe(steps=6), new_network()
    train(whole, batch, l1, Course(recipe, CPU))
    with pytest.raises(Interrupted):
        train(new_network(), batch, l1, Course(recipe, CPU, checkpoint, interrupt_at(3)))

    def fails(*_: object) -> None:
        raise OSError("power")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fails)
        if not links:  # as on some file systems
            patch.setattr("os.link", fails)
        with pytest.raises(OSError, match="power"):
            train(new_network(), batch, l1, Course(recipe, CPU, checkpoint))
    again, seen = new_network(), []
    train(again, batch, l1, Course(recipe, CPU, checkpoint, lambda step, loss: seen.append(step)))
    assert seen == [3, 4, 5]
    assert torch.equal(weights_after(again), weights_after(whole))


def test_the_checkpoint_of_another_network_is_dropped_and_leaves_nothing_of_its_own(checkpoint):
    other, recipe = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1)), Recipe(steps=6)
    with pytest.raises(Interrupted):
        train(other, batch, l1, Course(recipe, CPU, checkpoint, interrupt_at(4)))
    whole, again = new_network(), new_network()
    train(whole, batch, l1, Course(recipe, CPU))
    with pytest.warns(UserWarning, match="begins again"):
        train(again, batch, l1, Course(recipe, CPU, checkpoint))
    assert torch.equal(weights_after(again), weights_after(whole))


def test_a_training_knows_which_pixels_were_clipped():
    """A constant network, all pixels of one half clipped: with the term it ends at that half's clean value."""

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = nn.Parameter(torch.tensor(0.5))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.value.expand_as(image)

    degraded, clean = torch.full((1, 3, 16, 17), 0.5), torch.full((1, 3, 16, 17), 0.2)
    degraded[..., :8], clean[..., :8] = 1.0, 0.8
    ends = []
    for weight in (0.0, 2.0):
        network = Constant()
        train(
            network,
            lambda step: (degraded, clean),
            Loss(0, 0, weight),
            Course(Recipe(300, 0.01, optimizer="adam"), CPU),
        )
        ends.append(float(network.value.detach()))
    assert ends == pytest.approx([0.2, 0.8], abs=0.05)
