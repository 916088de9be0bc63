"""Blur: kernels against sub-frames that are averaged one by one, convolution against scipy, kernels from files."""

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.ndimage import shift
from scipy.signal import convolve2d
from torch import Generator

from nas.task.degrade.convolve import convolved
from nas.task.degrade.kernels import WIDEST, KernelFile
from nas.task.degrade.motion import MotionBlur, ellipses, moved_over
from nas.task.degrade.shake import REACH, kernels_of, paths, shaken_kernels, spread


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def still(**words: object) -> MotionBlur:
    """Without moving objects and lamps."""
    return MotionBlur(**({"objects": 0.0, "highlights": (1.0, 1.0)} | words))


def test_convolution_is_scipys_where_all_light_is_there():
    light, kernels = torch.rand((2, 3, 14, 17), generator=generator()), torch.rand((2, 1, 5, 5), generator=generator(1))
    found = convolved(light, kernels)
    for image in range(2):
        for channel in range(3):
            expected = convolve2d(light[image, channel], kernels[image, 0], mode="valid")
            np.testing.assert_allclose(found[image, channel], expected, atol=1e-5)


def test_a_kernel_is_the_mean_of_sub_frames():
    photo = np.random.default_rng(0).random((20, 20))
    path = torch.tensor([[[0.0, 0.0], [1.0, 2.0], [-2.0, 1.5], [0.25, -1.75]]])
    kernel = kernels_of(path, reach=3)
    frames = [shift(photo, move, order=1) for move in path[0].numpy()]  # bilinear
    found = convolved(torch.from_numpy(photo)[None, None].float(), kernel)[0, 0]
    np.testing.assert_allclose(found, np.mean(frames, axis=0)[3:-3, 3:-3], atol=1e-5)


def test_kernels_keep_all_light_and_where_the_picture_was_on_average():
    kernels = shaken_kernels(0, 30.0)
    assert kernels.shape[1:] == (1, 2 * REACH + 1, 2 * REACH + 1)
    assert kernels.min() >= 0
    torch.testing.assert_close(kernels.sum(dim=(1, 2, 3)), torch.ones(len(kernels)))
    away = torch.arange(-REACH, REACH + 1.0)
    for axis in (2, 3):
        assert (kernels.sum(dim=axis)[:, 0] @ away).abs().max() < 0.1


def test_kernels_grow_from_a_point_to_the_longest_path():
    kernels = shaken_kernels(0, 30.0)
    assert kernels[0, 0, REACH, REACH] == 1
    away = torch.arange(-REACH, REACH + 1.0)
    far = (away[:, None].square() + away.square()).sqrt()
    reached = (far * (kernels[:, 0] > 0)).amax(dim=(1, 2))
    assert (
        (reached - torch.linspace(0, 15, len(kernels))).abs() < 1.5
    ).all()  # a path's light is shared with neighbours


def test_hands_shake_in_all_directions_alike():
    moved = paths(2000, generator())
    spreads = torch.einsum("nti,ntj->nij", moved, moved)
    angle = torch.atan2(2 * spreads[:, 0, 1], spreads[:, 0, 0] - spreads[:, 1, 1])  # twice that of the longer axis
    assert abs(angle.cos().mean()) < 0.07  # 3 standard errors of a uniform angle are 0.047
    assert abs(angle.sin().mean()) < 0.07


def test_some_paths_are_nearly_straight_and_some_are_not():
    moved = paths(500, generator())
    axes = torch.linalg.eigvalsh(torch.einsum("nti,ntj->nij", moved, moved))
    roundness = (axes[:, 0] / axes[:, 1]).sqrt()
    assert (roundness < 0.1).float().mean() > 0.2
    assert (roundness > 0.3).float().mean() > 0.2


def test_a_lamp_draws_the_path_and_not_its_mirror_image():
    light = torch.zeros(1, 3, 81, 81)
    light[..., 40, 40] = 1
    blur = still()
    drawn = blur.apply(light, torch.ones(1), generator())
    torch.testing.assert_close(drawn[0], blur.kernels()[-1].expand(3, -1, -1), atol=1e-5, rtol=0)


def test_the_weakest_blur_gives_the_light_back_and_grey_stays_grey_under_any():
    light = torch.rand((2, 3, 60, 50), generator=generator())
    found = still().apply(light, torch.zeros(2), generator())
    torch.testing.assert_close(found, light[..., REACH:-REACH, REACH:-REACH], atol=1e-5, rtol=0)
    grey = torch.full((4, 3, 60, 50), 0.3)
    for blur in (still(), MotionBlur(objects=1.0)):
        torch.testing.assert_close(blur.apply(grey, torch.ones(4), generator()), torch.full((4, 3, 20, 10), 0.3))


def test_lamps_leave_brighter_traces_than_white_paper():
    light = torch.full((1, 3, 81, 81), 0.1)
    light[..., 40, 40] = 1
    plain, lamps = (
        still(highlights=(boost, boost)).apply(light, torch.ones(1), generator()) - 0.1 for boost in (1.0, 5.0)
    )
    torch.testing.assert_close(lamps.sum() / plain.sum(), torch.tensor(4.9 / 0.9), rtol=1e-3, atol=0)


def test_frames_are_averaged_as_shown_in_their_share_of_the_images():
    shown = np.random.default_rng(0).random((60, 3, 60, 60))
    light = torch.from_numpy(shown**2.2).float()
    blur = still(shown=0.4)
    found = blur.apply(light.clone(), torch.ones(60), generator()).numpy()
    kernel = blur.kernels()[-1, 0].numpy().astype(float)
    means = [convolve2d(frame, kernel, mode="valid") ** 2.2 for frame in shown[:, 0]]  # of values as shown
    in_light = [convolve2d(frame, kernel, mode="valid") for frame in shown[:, 0] ** 2.2]
    as_shown, as_light = (np.abs(found[:, 0] - np.stack(one)).max(axis=(1, 2)) for one in (means, in_light))
    assert ((as_shown < 1e-4) != (as_light < 1e-4)).all()
    assert (as_shown < 1e-4).mean() == pytest.approx(0.4, abs=0.15)


def test_a_black_object_before_a_bright_wall_leaves_numbers_in_frames_as_shown():
    light = (torch.rand((200, 3, 9, 9), generator=generator()) < 0.5).float()
    light = torch.nn.functional.interpolate(light, size=(90, 90), mode="nearest")  # black tiles and white ones
    found = MotionBlur(objects=1.0, shown=1.0).apply(light, torch.rand(200, generator=generator(1)), generator(2))
    assert torch.isfinite(found).all()


def test_no_lamp_is_brighter_than_white_in_a_frame_as_shown():
    light = torch.full((1, 3, 81, 81), 0.1)
    light[..., 40, 40] = 1
    plain, lamps = (
        still(highlights=(boost, boost), shown=1.0).apply(light.clone(), torch.ones(1), generator())
        for boost in (1.0, 5.0)
    )
    torch.testing.assert_close(lamps, plain)


def test_an_object_that_moves_covers_what_is_behind_it_in_every_sub_frame():
    random = np.random.default_rng(0)
    photo, mask = random.random((24, 24)), np.zeros((24, 24))
    mask[9:15, 8:16] = 1
    moves = [(0, 0), (1, 2), (-2, 1), (2, -3)]
    frames = []
    for move in moves:
        covered = np.roll(mask, move, (0, 1))
        frames.append(np.where(covered > 0, np.roll(photo, move, (0, 1)), photo))
    expected = np.mean(frames, axis=0)[3:-3, 3:-3]
    kernel = kernels_of(torch.tensor([moves], dtype=torch.float32), reach=3)
    light, shown = (torch.from_numpy(one)[None, None].float() for one in (photo, mask))
    found = moved_over(light[..., 3:-3, 3:-3], light, shown, kernel)
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-5)


def test_objects_move_in_their_share_of_the_images():
    light = torch.rand((400, 3, 45, 45), generator=generator())
    still_ones, moving = (
        MotionBlur(objects=share).apply(light, torch.zeros(400), generator(3)) for share in (0.0, 0.3)
    )
    changed = ((still_ones - moving).abs().amax(dim=(1, 2, 3)) > 1e-3).float().mean()
    # Of a patch of 5 pixels some objects are outside, whichever the share: compare with all.
    all_of_them = MotionBlur(objects=1.0).apply(light, torch.zeros(400), generator(3))
    most = ((still_ones - all_of_them).abs().amax(dim=(1, 2, 3)) > 1e-3).float().mean()
    assert changed / most == pytest.approx(0.3, abs=0.08)


def test_ellipses_lie_within_the_picture_and_differ():
    masks = ellipses((50, 64, 96), generator())
    assert masks.shape == (50, 1, 64, 96)
    assert masks.min() == 0
    assert masks.max() == 1
    assert len({float(mask.sum()) for mask in masks}) == 50
    rows = (masks.sum(dim=(1, 3)) * torch.arange(64)).sum(dim=1) / masks.sum(dim=(1, 2, 3))
    assert rows.mean() == pytest.approx(32, abs=8)


def test_the_same_seed_has_the_same_kernels_and_another_one_others():
    assert torch.equal(shaken_kernels(3, 30.0), shaken_kernels(3, 30.0))
    assert not torch.equal(shaken_kernels(3, 30.0), shaken_kernels(4, 30.0))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"longest": 50.0}, "longest"),
        ({"objects": -0.1}, "objects"),
        ({"highlights": (0.5, 2.0)}, "highlights"),
        ({"shown": 2.0}, "shown"),
    ],
)
def test_a_blur_that_cannot_be_is_refused_by_name(words, named):
    with pytest.raises(ValueError, match=named):
        MotionBlur(**words)


def corner(side: int) -> np.ndarray:
    """An L, whose eight turns all differ."""
    kernel = np.zeros((side, side))
    kernel[1:-1, 2] = 2
    kernel[-2, 2:-2] = 1
    return kernel


def test_kernels_of_a_file_have_light_1_and_their_centre_in_the_middle(tmp_path):
    kernel = np.zeros((9, 12))
    kernel[2, 7:10] = 40
    np.save(tmp_path / "one.npy", kernel)
    (found,) = KernelFile.of(tmp_path / "one.npy").read()
    assert torch.equal(found, torch.tensor([[[0, 0, 0], [1, 1, 1], [0, 0, 0]]]) / 3)


@pytest.mark.parametrize("form", ["npy", "npz", "mat"])
def test_several_kernels_are_read_whatever_holds_them(tmp_path, form):
    kernels = np.stack([corner(7), corner(7).T])
    path = tmp_path / f"some.{form}"
    if form == "npy":
        np.save(path, kernels)
    elif form == "npz":
        np.savez(path, a=kernels[0], b=kernels[1])
    else:
        cells = np.empty((1, 2), dtype=object)
        cells[0, 0], cells[0, 1] = kernels
        savemat(path, {"kernels": cells, "note": "of a camera"})
    found = KernelFile.of(path).read()
    assert len(found) == 2
    torch.testing.assert_close(found[0][0], found[1][0].T)
    torch.testing.assert_close(found[0].flatten().sort().values[-8:].sum(), torch.tensor(1.0))


def test_a_kernel_of_three_colours_keeps_them_apart(tmp_path):
    colours = np.stack([np.eye(5), np.ones((5, 5)), np.fliplr(np.eye(5))], axis=-1)
    np.save(tmp_path / "colours.npy", colours)
    (found,) = KernelFile.of(tmp_path / "colours.npy").read()
    np.testing.assert_allclose(found.numpy(), (colours / colours.sum(axis=(0, 1))).transpose(2, 0, 1), atol=1e-6)


def test_of_a_very_wide_kernel_the_middle_is_taken(tmp_path):
    np.save(tmp_path / "wide.npy", np.ones((301, 301)))
    np.save(tmp_path / "empty.npy", np.pad(np.ones((3, 3)), 100))
    assert KernelFile.of(tmp_path / "wide.npy").read()[0].shape == (1, WIDEST, WIDEST)
    assert KernelFile.of(tmp_path / "empty.npy").read()[0].shape == (1, 3, 3)


def test_blur_of_a_file_is_by_its_kernels_in_all_eight_turns(tmp_path):
    np.save(tmp_path / "one.npy", corner(9))
    kernels = still(file=KernelFile.of(tmp_path / "one.npy")).kernels()
    assert len({kernel.numpy().tobytes() for kernel in kernels}) == 8
    for kernel in kernels:
        assert kernel.sum() == pytest.approx(1)
    assert (spread(kernels).diff() > -1e-5).all()


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (-np.ones((3, 3)), "not negative"),
        (np.zeros((3, 3)), "not all 0"),
        (np.ones(9), "no array"),
        (None, "JPEG|jpg|one of"),
    ],
)
def test_a_file_without_kernels_is_refused_with_what_to_do(tmp_path, kernel, message):
    path = tmp_path / ("k.jpg" if kernel is None else "k.npy")
    path.write_bytes(b"") if kernel is None else np.save(path, kernel)
    with pytest.raises(ValueError, match=message):
        KernelFile.of(path)


def test_a_mat_file_of_the_newer_format_says_how_to_save_it(tmp_path):
    header = b"MATLAB 7.3 MAT-file, Platform: test".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(header + bytes(600))
    with pytest.raises(ValueError, match="save -v7"):
        KernelFile.of(tmp_path / "new.mat")


def test_a_file_that_has_changed_is_noticed(tmp_path):
    np.save(tmp_path / "one.npy", corner(7))
    chosen = KernelFile.of(tmp_path / "one.npy")
    np.save(tmp_path / "one.npy", corner(9))
    with pytest.raises(ValueError, match="not the one that was chosen"):
        chosen.read()
