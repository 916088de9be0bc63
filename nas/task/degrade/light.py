"""Light: from the values of a finished photograph back to linear light and to the sensor's scale, and forward again.

After Brooks et al., "Unprocessing Images for Learned Raw Denoising", CVPR 2019, section 3. Their tone curve is one
curve; here it has a strength, since cameras differ and pairs of raw photographs are often finished without one.
"""

from torch import Tensor

_LEAST_STRENGTH = 0.01  # of a tone curve; at 0 the closed form of its inverse divides by 0
_KNEE = 0.04045  # of the standard's curve (IEC 61966-2-1): straight below, a power above
_LINEAR_KNEE = _KNEE / 12.92
_HIGHLIGHT = 0.9  # mean of red, green and blue from which a pixel is taken to be saturated, bit by bit


def to_linear(image: Tensor, tone: Tensor) -> Tensor:
    """Linear light in [0, 1] of sRGB values `image` (B, 3, H, W) in [0, 1]; `tone` as in `to_srgb`."""
    half_width, half_height = _curve(tone)
    value = image.sub(0.5).div_(half_height).clamp_(-1, 1).asin_().div_(3).sin_().mul_(half_width).add_(0.5)
    # The straight piece and what the power adds above it, since torch.where takes longer than all the rest.
    above = value.clamp(min=_KNEE).add_(0.055).div_(1.055).pow_(2.4)
    return value.clamp_(max=_KNEE).div_(12.92).add_(above).sub_(_LINEAR_KNEE).clamp_(0, 1)


def to_srgb(light: Tensor, tone: Tensor) -> Tensor:
    """sRGB values of linear light (B, 3, H, W) in [0, 1]: gamma, then an S-shaped tone curve.

    `tone` (B,) in [0, 1] is the curve's strength: 0 none (which is taken as 0.01), 1 the paper's 3 x^2 - 2 x^3.
    """
    above = light.clamp(min=_LINEAR_KNEE).pow_(1 / 2.4).mul_(1.055)
    value = light.clamp(max=_LINEAR_KNEE).mul_(12.92).add_(above).sub_(0.055 + _KNEE)
    strength = _strength(tone)
    # (1 - t) x + t (3 x^2 - 2 x^3), about the middle: (1 + t / 2) u - 2 t u^3
    middle = value.sub_(0.5)
    return middle.mul((1 + strength / 2) - 2 * strength * middle.square()).add_(0.5).clamp_(0, 1)


def sensor_share(light: Tensor, gains: Tensor) -> Tensor:
    """What the sensor saw of `light` (B, 3, H, W), as a share of it; `gains` (B, 3) at least 1 are the camera's.

    1 / gain, but rising to 1 in highlights: a white pixel was saturated on the sensor, whatever gain came after. In
    the paper the way forward has one gain for the whole picture, which clips highlights that were not clipped; here
    every pixel keeps its own, so that without noise the photograph comes back as it was.
    """
    inverse = gains.reciprocal()[:, :, None, None]
    saturated = light.mean(dim=1, keepdim=True).sub_(_HIGHLIGHT).div_(1 - _HIGHLIGHT).clamp_(0, 1).square_()
    return inverse + saturated * (1 - inverse)


def relit(light: Tensor, boost: Tensor) -> Tensor:
    """Linear light (B, 3, H, W) with its highlights `boost` (B,) times as bright: above 1 where they are.

    A lamp in a photograph is white because the sensor was full; how much brighter it was shows once its light is spread
    (Rim et al., "Realistic Blur Synthesis for Learning Image Deblurring", ECCV 2022, section 4).
    """
    saturated = light.mean(dim=1, keepdim=True).sub_(_HIGHLIGHT).div_(1 - _HIGHLIGHT).clamp_(0, 1).square_()
    return light * saturated.mul_(boost.view(-1, 1, 1, 1) - 1).add_(1)


def _strength(tone: Tensor) -> Tensor:
    return tone.clamp(min=_LEAST_STRENGTH).view(-1, 1, 1, 1)


def _curve(tone: Tensor) -> tuple[Tensor, Tensor]:
    """Width w and height h with which the tone curve about its middle is h sin(3 a) at w sin(a)."""
    strength = _strength(tone)
    half = ((1 + strength / 2) / (6 * strength)).sqrt()
    return 2 * half, (1 + strength / 2) * 2 * half / 3
