"""Settings of a compression that cannot be, and what distillation is for."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from compress.prune.distill import Teacher, distill
from compress.settings import CompressSettings, Fast
from lpienas.command import main
from nas.task.losses import Loss
from nas.task.training import Course, Recipe
from search_spaces.blueprint import Blueprint
from search_spaces.genotype import Genotype, Stage
from search_spaces.lpienet import build

CPU = torch.device("cpu")


def network_of(*widths: int) -> Genotype:
    return Genotype(tuple(Stage(1, width, 1.0, "none") for width in widths), activation="relu", head="conv3x3")


def require_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


GENOTYPES = tuple(
    network_of(*widths)
    for widths in ((16, 32, 64, 32, 16), (16, 16, 16, 16, 16), (8, 8, 8, 8, 8), (4, 8, 8, 8, 4), (16, 16, 16, 16, 12))
)


SETTINGS = CompressSettings(Recipe(6), Recipe(3), Recipe(3), prune=0.3, int8="ptq")


def test_a_distilled_network_comes_closer_to_its_teacher(task):
    blueprint = Blueprint.from_genotype(GENOTYPES[3])
    teacher = build(blueprint, seed=1)
    for weights in teacher.head.parameters():
        weights.data.mul_(8)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    noisy = task.validation[0][1]
    distances = []
    for weight in (0.0, 30.0):
        student = build(blueprint, seed=2)
        distill(student, Teacher(teacher, weight), task, 0, Course(Recipe(30), task.device))
        with torch.inference_mode():
            distances.append((student(noisy) - teacher(noisy)).abs().mean().item())
    assert distances[1] < 0.8 * distances[0]
    require_equal(before, teacher.state_dict())
    assert all(parameter.grad is None for parameter in teacher.parameters())


@dataclass(frozen=True)
class Seen(Loss):
    """A loss that cannot look at more than `most` images at once, and keeps of which degraded images it is asked."""

    most: int = 9
    asked: list[torch.Tensor] = field(default_factory=list, compare=False)

    def of(self, degraded):
        if len(degraded) > self.most:
            raise MemoryError
        self.asked.append(degraded)
        return super().of(degraded)


@pytest.mark.filterwarnings("ignore:a batch of 2 does not fit into memory")
@pytest.mark.parametrize("most", [2, 1])
def test_the_loss_of_a_distillation_knows_the_degraded_images_and_is_taken_in_parts_where_few_fit(task, most):
    """What is clipped, and how strong the noise is, is of those; a part is some images, and not some of the targets."""
    network = build(Blueprint.from_genotype(GENOTYPES[3]), seed=2)
    loss = Seen(relative=1.0, most=most)
    taught = replace(task, settings=replace(task.settings, loss=loss))
    losses = []
    course = Course(Recipe(1), task.device, on_step=lambda step, loss: losses.append(loss))
    distill(network, Teacher(build(Blueprint.from_genotype(GENOTYPES[3]), seed=1), 1.0), taught, 0, course)
    degraded, clean = task.batches(0)(0)
    assert torch.equal(torch.cat(loss.asked[-(2 // most) :]), degraded)
    first = build(Blueprint.from_genotype(GENOTYPES[3]), seed=2)
    with torch.no_grad():
        output, teachers = first(degraded), build(Blueprint.from_genotype(GENOTYPES[3]), seed=1)(degraded)
        expected = Loss(relative=1.0).of(degraded)(output, clean) + (output - teachers).abs().mean()
    assert losses == [pytest.approx(expected.item(), rel=1e-4)]


def test_a_negative_weight_of_distillation_is_refused(task):
    network = build(Blueprint.from_genotype(GENOTYPES[3]), seed=0)
    with pytest.raises(ValueError, match="must not be negative"):
        distill(network, Teacher(network, -1.0), task, 0, Course(Recipe(1), task.device))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"prune": 0.0}, "prune"),
        ({"prune": 1.0}, "prune"),
        ({"prune": 0}, "prune = 0 MACs"),
        ({"prune_loss": 0.0}, "prune_loss"),
        ({"prune_loss": 1.0}, "prune_loss"),
        ({"prune_loss": 0.01, "prune": None}, "with prune off"),
        ({"prune": Fast(20.0), "in_float": ("head",)}, "in_float = head with a latency in int8"),
        ({"distillation": -1.0}, "distillation"),
        ({"int8": "uint8"}, "int8 = 'uint8'"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(wrong, says):
    with pytest.raises(ValueError, match=says):
        replace(SETTINGS, **wrong)


@pytest.mark.parametrize("wrong", ["0", "1", "1.5", "half", "-0.2", "0ms", "25MB"])
def test_a_share_that_cannot_be_removed_is_refused_with_an_example(wrong, capsys):
    with pytest.raises(SystemExit):
        main(["compress", str(Path("nowhere")), f"--prune={wrong}"])
    assert "like 0.5, what to reach, like 100M or 25ms, or off" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [40, 12000])
def test_fine_tuning_takes_half_as_many_steps_as_the_training_before_it_and_half_of_its_rate(steps):
    settings = CompressSettings.of_steps(steps)
    assert settings.fine_tuning.steps == steps / 2
    assert settings.fine_tuning.peak == pytest.approx(settings.training.peak / 2)
    assert max(map(settings.fine_tuning.rate, range(settings.fine_tuning.steps))) <= settings.fine_tuning.peak
