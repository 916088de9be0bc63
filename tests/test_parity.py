"""Parity: an int8 file is judged by what it does to a photograph, of which its distance in dB says little."""

import pytest
import torch
from torch import Tensor, nn
from torch.fx import symbolic_trace

from compress.export.parity import ParityError, check
from compress.runtime.runtimes import Runtime


class Brighter(nn.Module):
    """Brightens by less than 40 dB would notice if it were left undone."""

    def forward(self, image: Tensor) -> Tensor:
        return image + 0.008 * image


@pytest.fixture
def photograph() -> Tensor:
    return torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))


def file_that_does(share: float, rounding: float = 0.0) -> Runtime:
    """Of the work of `Brighter`, with errors of rounding of this deviation."""
    noise = torch.Generator().manual_seed(1)
    return Runtime(
        "test",
        None,
        None,
        lambda image: image + share * 0.008 * image + rounding * torch.randn(image.shape, generator=noise),
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.85, 1.15, 2.0, -1.0])
def test_an_int8_file_that_does_another_share_of_the_work_fails_though_it_is_within_40_db(share, photograph):
    with pytest.raises(ParityError, match=rf"does {share:.0%} of what its int8 graph does.*do not ship it"):
        check(file_that_does(share), symbolic_trace(Brighter()), [photograph])


@pytest.mark.parametrize("share", [0.95, 1.0, 1.05])
def test_an_int8_file_that_differs_by_rounding_as_large_as_its_work_passes(share, photograph):
    parity = check(file_that_does(share, rounding=0.005), symbolic_trace(Brighter()), [photograph])
    assert 40 < parity.psnr_db < 50
    assert parity.update_share == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("share", [0.0, 0.5, 2.0])
def test_one_photograph_of_which_half_is_done_fails_whatever_the_others_say(share, photograph):
    def halves_what_is_dark(image):
        return image + (share if image.mean() < 0.3 else 1.0) * 0.008 * image

    file, dark = Runtime("test", None, None, halves_what_is_dark), 0.4 * photograph
    with pytest.raises(ParityError, match=rf"does {share:.0%} of what its int8 graph does to photograph 2 of 3"):
        check(file, symbolic_trace(Brighter()), [photograph, dark, photograph])


def test_a_file_with_the_right_share_and_an_error_as_large_as_the_update_fails(photograph):
    lines = torch.ones(1, 3, 64, 64)
    lines[..., ::2] = -1
    file = Runtime("test", None, None, lambda image: image + 0.008 * image + 0.007 * lines)
    with pytest.raises(ParityError, match=r"stands -\d\.\d dB above its error \(at least 10.0 dB"):
        check(file, symbolic_trace(Brighter()), [photograph])


class Rounded(Brighter):
    """With errors of its own, which its file does not share."""

    def __init__(self) -> None:
        super().__init__()
        self.apart = nn.Buffer(0.0025 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2)))

    def forward(self, image: Tensor) -> Tensor:
        return image + 0.008 * image + self.apart


def test_what_the_graph_rounds_otherwise_than_its_file_is_not_taken_for_work_left_undone(photograph):
    parity = check(file_that_does(1.0, rounding=0.0025), symbolic_trace(Rounded()), [photograph])
    assert parity.update_share < 0.85
    with pytest.raises(ParityError, match="of what its int8 graph does to photograph 1 of 1"):
        check(file_that_does(0.5, rounding=0.0025), symbolic_trace(Rounded()), [photograph])


def test_the_update_in_db_is_that_of_the_photograph_where_it_is_least(photograph):
    lines = torch.ones(1, 3, 64, 64)
    lines[..., ::2] = -1
    file, dark = Runtime("test", None, None, lambda image: image + 0.008 * image + 0.001 * lines), 0.5 * photograph
    by_hand = [10 * torch.log10((0.008 * image).square().mean() / 0.001**2) for image in (photograph, dark)]
    parity = check(file, symbolic_trace(Brighter()), [photograph, dark, photograph])
    assert parity.update_db == pytest.approx(float(min(by_hand)), abs=0.01)


def test_of_a_network_that_does_nothing_there_is_no_share(photograph):
    parity = check(file_that_does(0.0, rounding=0.002), symbolic_trace(nn.Identity()), [photograph])
    assert parity.update_share is None


def test_the_share_is_that_of_all_photographs_together(photograph):
    dark = 0.01 * photograph
    parity = check(file_that_does(1.0), symbolic_trace(Brighter()), [photograph, dark])
    assert (parity.images, parity.update_share) == (2, pytest.approx(1.0))


def test_a_network_of_no_numbers_is_told_from_a_file_of_none(photograph):
    broken = Runtime("test", None, None, lambda image: image * float("nan"))
    with pytest.raises(ParityError, match="the file in test gives NaN or infinite values on photograph 1 of 1"):
        check(broken, nn.Identity(), [photograph])
    with pytest.raises(ParityError, match=r"the network itself gives NaN .* its weights are damaged; make it again"):
        check(broken, nn.Threshold(1.0, float("inf")), [photograph])
