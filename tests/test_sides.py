"""Sides: padding equal to NumPy's reflection, and images of any size through a network and back."""

import numpy as np
import pytest
import torch
from torch import Tensor

from search_spaces.sides import STRIDE, on_any_size, pad_to, padded_side, window


def noise(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("height", "width", "to_height", "to_width"),
    [
        (5, 7, 8, 8),
        (8, 8, 8, 12),
        (3, 4, 4, 40),  # by more than the side, many times over
        (2, 2, 9, 16),
        (1, 5, 4, 8),  # a single row has nothing to reflect: it is repeated
        (1, 1, 4, 4),
        (13, 11, 16, 12),
    ],
)
def test_padding_equals_the_reflection_of_numpy(height, width, to_height, to_width):
    image = noise(height, width)
    added = ((0, 0), (0, 0), (0, to_height - height), (0, to_width - width))
    np.testing.assert_array_equal(pad_to(image, to_height, to_width).numpy(), np.pad(image.numpy(), added, "reflect"))


@pytest.mark.parametrize(
    ("height", "width", "above", "below", "before", "after"),
    [(5, 7, 3, 2, 6, 0), (4, 3, 40, 1, 9, 30), (1, 6, 2, 3, 5, 4)],
)
def test_a_window_over_the_border_equals_the_reflection_of_numpy(height, width, above, below, before, after):
    image = noise(height, width)
    whole = window(image, (-above, -before), (above + height + below, before + width + after))
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (above, below), (before, after)), "reflect")
    np.testing.assert_array_equal(whole.numpy(), expected)
    np.testing.assert_array_equal(
        window(image, (-above, 0), (above, 2)).numpy(), expected[..., :above, before : before + 2]
    )


def test_a_window_inside_an_image_is_a_view_of_it():
    image = noise(16, 12)
    assert window(image, (3, 2), (8, 10)).data_ptr() == image[..., 3:, 2:].data_ptr()


def test_an_image_that_fits_is_returned_as_it_is():
    image = noise(8, 12)
    assert pad_to(image, 8, 12) is image


@pytest.mark.parametrize(("height", "width"), [(4, 8), (8, 4)])
def test_padding_to_less_is_refused(height, width):
    with pytest.raises(ValueError, match=f"cannot pad 8x8 to the smaller {height}x{width}"):
        pad_to(noise(8, 8), height, width)


@pytest.mark.parametrize("multiple", [1, 4, 32])
def test_a_padded_side_is_the_first_multiple_from_the_side_on(multiple):
    for side in range(1, 100):
        assert padded_side(side, multiple) == next(n for n in range(side, 200) if n % multiple == 0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (2, 3), (5, 8), (64, 64), (33, 47)])
def test_the_identity_gives_an_image_of_any_size_back(height, width):
    image = noise(height, width)
    assert torch.equal(on_any_size(lambda x: x, image), image)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 16), (12, 9), (8, 8)])
def test_a_network_sees_only_sides_divisible_by_the_stride(height, width):
    seen = []

    def network(x: Tensor) -> Tensor:
        seen.append(tuple(x.shape[-2:]))
        return x

    on_any_size(network, noise(height, width))
    assert STRIDE == 8
    assert seen == [(-(-height // 8) * 8, -(-width // 8) * 8)]


def test_the_result_of_the_network_is_cropped_at_the_padded_borders():
    image = noise(5, 6)
    rows = torch.arange(8.0)[:, None].expand(2, 3, 8, 8)
    assert torch.equal(on_any_size(lambda x: x + rows, image), image + rows[..., :5, :6])
