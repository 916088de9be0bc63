"""Together: two processes that share every batch train the supernet that one process trains, but for rounding."""

from multiprocessing import get_context

import pytest
import torch

from nas.scoring.supernet import SupernetSettings, SupernetTraining, train_supernet
from nas.task.device import Device
from nas.task.parallel import part, place
from nas.task.task import TaskSettings, make_task, read_photos
from nas.task.training import Recipe
from nas.where.together import train_together
from results.files import read_tensors
from search_spaces.genotype import STAGES
from search_spaces.space import Space
from tests.shared_step import gradient

CHOICES = {"depth": [1], "width": [4, 8], "expansion": [1.0], "attention": ["none"]}
SPACE = Space.from_json(
    {f"{stage}.{gene}": values for stage in STAGES for gene, values in CHOICES.items()}
    | {"block": ["released"], "activation": ["relu"], "head": ["conv3x3"], "stem": ["full"]}
)
SETTINGS = SupernetSettings(Recipe(3, learning_rate=1e-3, optimizer="adam"))


def training_of(settings: SupernetSettings = SETTINGS, batch: int = 4) -> SupernetTraining:
    asked = TaskSettings(patch=32, batch=batch, validation_side=64)
    return SupernetTraining(SPACE, make_task(asked, read_photos(asked), Device("cpu", False, "test")), settings, seed=0)


@pytest.mark.slow
def test_two_processes_train_what_one_does_with_the_joint_batch(tmp_path):
    training, steps = training_of(), []
    train_supernet(training, tmp_path / "one")
    train_together(training, tmp_path / "two", 2, lambda step, loss: steps.append(step))
    one, two = (read_tensors(training.at(tmp_path / name)) for name in ("one", "two"))
    assert one.keys() == two.keys()
    apart = torch.cat([(one[name] - two[name]).abs().reshape(-1) for name in one])
    # A step of Adam is about 1e-3 in every weight, whatever the size of its gradient; of one that is 0 but for rounding
    # the step may go either way.
    assert (apart < 1e-5).float().mean() > 0.999
    assert [file.name for file in (tmp_path / "two").iterdir()] == [training.at(tmp_path).name]


def test_every_process_ends_with_the_gradient_and_the_loss_of_the_joint_batch(tmp_path):
    """Of themselves, since Adam and SOAP take the same step for a gradient of any scale; of passes of other weights."""
    context = get_context("spawn")
    processes = [context.Process(target=gradient, args=(number, 2, str(tmp_path))) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    (tmp_path / "joint").mkdir()
    gradient(0, 1, str(tmp_path / "joint"))
    joint = read_tensors(tmp_path / "joint" / "0.safetensors")
    for number in range(2):
        found = read_tensors(tmp_path / f"{number}.safetensors")
        assert found.keys() == joint.keys() == {"of.0.weight", "of.1.weight", "loss"}
        for name in joint:
            assert torch.allclose(found[name], joint[name])


@pytest.mark.slow
def test_what_one_of_the_processes_raises_is_raised_and_the_others_end(tmp_path):
    with pytest.raises(ValueError, match="batch = 3: must be a multiple of 2, since so many processes share it"):
        train_together(training_of(batch=3), tmp_path, 2, lambda step, loss: None)


def test_a_process_that_trains_alone_takes_the_whole_batch():
    images = torch.arange(6.0).view(3, 2)
    assert place() == (0, 1)
    assert torch.equal(part(images), images)
