"""Shown: a front and a picture before and after, as a notebook shows them."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_COLUMNS = ("number", "role", "test_ssim", "test_psnr", "ssim", "psnr", "macs", "parameters")


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """A picture and what a network made of it: arrays, PIL pictures or tensors."""

    before: Any
    after: Any

    def picture(self) -> "Image":
        """Both side by side, in 8 bits."""
        from nas.task.panels import side_by_side

        return side_by_side([_eight_bits(one) for one in (self.before, self.after)])

    def _repr_html_(self) -> str:
        written = io.BytesIO()
        self.picture().save(written, "PNG")
        data = base64.b64encode(written.getvalue()).decode()
        return f'<img alt="before and after" style="max-width:100%" src="data:image/png;base64,{data}"/>'


def html_table(rows: Sequence[Mapping[str, Any]], says: str) -> str:
    """`rows` of Run.table as an HTML table, with a sentence below."""
    shown = [name for name in _COLUMNS if any(row[name] is not None for row in rows)]
    head = "".join(f"<th>{escape(name)}</th>" for name in shown)
    body = "".join("<tr>" + "".join(f"<td>{escape(_text(row[name]))}</td>" for name in shown) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{escape(says)}</p>"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _eight_bits(image: Any) -> "Image":
    import numpy as np
    import torch
    from PIL import Image

    if isinstance(image, Image.Image):
        return image
    pixels = image
    if isinstance(image, torch.Tensor):
        pixels = image.reshape(image.shape[-3:]).permute(1, 2, 0).contiguous().numpy()
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    elif pixels.dtype != np.uint8:
        pixels = (np.clip(pixels, 0, 1) * 255).round()
    return Image.fromarray(pixels.astype(np.uint8))
