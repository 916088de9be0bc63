"""Matrix: rows are independent trainings, columns the same photographs for all."""

import numpy as np
import pytest

from results.matrix import judge_trained, matrix_of
from results.photo_score import PhotoScore
from results.study import Trained

NAMES = ("a.png", "b.png", "c.png")


def training(number: int, seed: int, ssim: tuple[float, ...], start: str = "scratch", names=NAMES) -> Trained:
    test = tuple(PhotoScore(name, value, 30.0) for name, value in zip(names, ssim, strict=True))
    return Trained(number, "full", 9, seed, start, 0.1, 30.0, test)


def test_every_training_from_scratch_is_a_row_and_the_columns_are_in_the_order_that_is_asked_for():
    trained = [training(1, 0, (0.1, 0.2, 0.3)), training(1, 1, (0.6, 0.5, 0.4), names=("c.png", "b.png", "a.png"))]
    assert np.array_equal(matrix_of(trained, ("b.png", "a.png")), [[0.2, 0.1], [0.5, 0.4]])


def test_trainings_from_one_supernet_are_one_row_of_their_mean_beside_those_from_scratch():
    trained = [
        training(1, 0, (0.1, 0.2, 0.3), "inherited weights"),
        training(1, 1, (0.3, 0.4, 0.5), "inherited weights"),
        training(1, 0, (0.7, 0.8, 0.9)),
    ]
    assert matrix_of(trained, NAMES) == pytest.approx(np.array([[0.2, 0.3, 0.4], [0.7, 0.8, 0.9]]))


@pytest.mark.parametrize("lacking", [(), ("a.png", "b.png", "d.png")])
def test_a_training_without_one_of_the_photographs_gives_no_matrix(lacking):
    other = training(1, 1, (0.5,) * len(lacking), names=lacking)
    assert matrix_of([training(1, 0, (0.1, 0.2, 0.3)), other], NAMES) is None
    assert matrix_of([], NAMES) is None


def test_further_networks_lend_their_scatter_and_those_that_lack_photographs_do_not():
    trained = {
        0: [training(0, 0, (0.5, 0.6, 0.7))],
        1: [training(1, 0, (0.6, 0.7, 0.81))],
        2: [training(2, seed, (0.1 + seed / 100, 0.2, 0.3)) for seed in range(3)],
        3: [training(3, seed, (0.1 + seed,), names=("a.png",)) for seed in range(3)],
    }
    found = judge_trained(trained, 1, 0, chosen_of=2)
    assert found.low is not None
    assert found.high - found.low < 1  # the network that scatters by a whole lacks photographs
    assert judge_trained({0: trained[0], 1: trained[1], 3: trained[3]}, 1, 0, chosen_of=2).low is None


def test_where_one_of_the_two_was_not_judged_on_the_photographs_there_is_no_verdict():
    whole, part = [training(0, 0, (0.5, 0.6, 0.7))], [training(1, 0, (0.5, 0.6), names=NAMES[:2])]
    assert judge_trained({0: whole, 1: part}, 1, 0, 1) is None
    assert judge_trained({0: whole}, 1, 0, 1) is None
    assert judge_trained({0: [Trained(0, "full", 9, 0, "scratch", 0.1, 30.0)], 1: whole}, 1, 0, 1) is None
