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


COSTS = {
    "macs": "multiply-adds (MACs)",
    "latency": "milliseconds",
    "memory": "bytes of activations",
}  # what a search can make small, and its unit


def parse_cost(kind: str, text: str) -> float:
    """A cost of one of COSTS from text such as `600M`, `25ms` or `8MB`; raises ValueError when it is something else."""
    if kind == "macs":
        return parse_macs(text)
    scales = {"ms": 1.0, "s": 1000.0} if kind == "latency" else {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9}
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", text, re.IGNORECASE)
    if found is None or found[2].lower() not in scales or not float(found[1]):
        raise ValueError(f"cost {text!r}: write {'milliseconds like 25ms' if kind == 'latency' else 'bytes like 8MB'}")
    return float(found[1]) * scales[found[2].lower()]


def is_latency(text: str) -> bool:
    """Whether `text` is a latency, such as `25ms`, and not multiply-adds."""
    try:
        parse_cost("latency", text)
    except ValueError:
        return False
    return True


def format_cost(kind: str, value: float) -> str:
    """`1.198 GMACs (2.396 GFLOPs)`, `25.3 ms` or `8.39 MB`."""
    if kind == "macs":
        return format_macs(value)
    return f"{value:.3g} ms" if kind == "latency" else f"{value / 1e6:.3g} MB"


def parse_bytes(text: str) -> int:
    """Bytes from text such as `16GB` or `500 MB`; raises ValueError when it is something else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(MB|GB|TB)\s*", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"size {text!r}: write bytes like 500MB, 16GB or 1.5TB")
    return round(float(found[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[found[2].upper()])


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from `HEIGHTxWIDTH`; raises ValueError when the text is something else."""
    found = re.fullmatch(r"\s*(\d+)\s*[xX]\s*(\d+)\s*", text)
    if found is None or not (int(found[1]) and int(found[2])):
        raise ValueError(f"size {text!r}: write HEIGHTxWIDTH in pixels, such as 256x256")
    return int(found[1]), int(found[2])
