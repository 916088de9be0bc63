"""Units: how multiply-adds and sizes are written and read.

1 multiply-add = 1 MAC = 2 FLOPs. Costs are kept in MACs; FLOPs stand beside them wherever both are printed.
"""

import re

_SCALES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_macs(text: str) -> int:
    """MACs from text such as `600M`, `0.6G`, `600M MACs` or `1.2GFLOPs` (2 FLOPs are 1 MAC).

    Raises ValueError when the text is something else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)\s*(MACs?|FLOPs?)?\s*", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"cost {text!r}: write multiply-adds like 600M or 0.6G, or FLOPs like 1.2GFLOPs")
    number, scale, unit = found.groups()
    value = float(number) * _SCALES[scale.upper()]
    macs = round(value / 2 if unit and unit.upper().startswith("FLOP") else value)
    if macs < 1:
        raise ValueError(f"cost {text!r}: must be above 0")
    return macs


def format_macs(macs: float) -> str:
    """`1.198 GMACs (2.396 GFLOPs)`."""
    for scale, letter in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if macs >= scale:
            return f"{macs / scale:.4g} {letter}MACs ({2 * macs / scale:.4g} {letter}FLOPs)"
    return f"{macs:.0f} MACs ({2 * macs:.0f} FLOPs)"


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from `HEIGHTxWIDTH`; raises ValueError when the text is something else."""
    found = re.fullmatch(r"\s*(\d+)\s*[xX]\s*(\d+)\s*", text)
    if found is None or not (int(found[1]) and int(found[2])):
        raise ValueError(f"size {text!r}: write HEIGHTxWIDTH in pixels, such as 256x256")
    return int(found[1]), int(found[2])
