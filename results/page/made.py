"""Made: what a run was made with, and what compression and export made of its chosen network."""

import shlex
from typing import Any

from results.compressions import INT8, WAY, Compression
from results.files import bytes_of, read_json
from results.run import Run

NAMES = {  # stages of the compression, in order
    "trained": "trained fully",
    "pruned": "pruned, fine-tuned",
    "control": "control: of the search, as cheap",
    "float": "float, as shipped",
    "quantized": "int8",
}
MOST_NAMES = 400  # of photographs that are listed

_SCORES = ("ssim", "psnr", "test_ssim", "test_psnr", "macs", "parameters")


def stages_made(compression: Compression) -> list[dict[str, Any]]:
    """A row each stage: its figures, the bytes of its saved weights, and how it was made."""
    found: list[dict[str, Any]] = []
    for stage, figures in compression.scores.items():
        before = figures.get("before_fine_tuning")
        if before is not None:
            costs = {name: figures.get(name) for name in ("macs", "parameters")}
            found.append({"stage": "pruned", "name": "pruned, before fine-tuning", **before, **costs})
        says = figures.get("method") or figures.get("made_by") or ""
        if stage == "control":
            says = f"candidate {figures.get('candidate')}"
        found.append(
            {"stage": stage, "name": NAMES.get(stage, stage), "says": says}
            | {name: figures.get(name) for name in _SCORES}
            | {"bytes": _bytes(compression, stage)}
        )
    return found


def way_of(compression: Compression) -> list[dict[str, float]]:
    """The way down of pruning, a row each move: share of the cost kept, SSIM on training patches."""
    path = compression.network("pruned").with_name(WAY) if compression.has("pruned") else None
    if path is None or not path.exists():
        return []
    steps = read_json(path)["steps"]
    return [{"kept": step["cost"] / steps[0]["cost"], "ssim": step["ssim"]} for step in steps]


def files_of(compression: Compression) -> list[dict[str, Any]]:
    """A row each exported file."""
    shown = ("runtime", "precision", "bytes", "ssim", "psnr", "split")
    return [
        {"file": name, **{key: figures.get(key) for key in shown}}
        for name, figures in compression.listed()["files"].items()
    ]


def made_of(run: Run) -> dict[str, Any]:
    """Settings, versions, commands, and the photographs of each part."""
    record = read_json(run.folder / "run.json")
    photographs = read_json(run.photographs) if run.photographs.exists() else {}
    parts: dict[str, list[str]] = {}
    for entry in photographs.get("photographs", ()):
        parts.setdefault(str(entry["split"]), []).append(str(entry["name"]))
    space = record["settings"].get("space") or {}
    settings = {name: value for name, value in record["settings"].items() if name not in ("space", "noise_profile")}
    profile = record["settings"].get("noise_profile")
    if profile:
        settings["noise_profile"] = profile.get("name")
    return {
        "folder": shlex.quote(str(run.folder)),  # as it was named, for a command to go on with
        "settings": settings,
        "space": {gene: values for gene, values in space.items() if len(values) > 1},
        "versions": record.get("versions", {}),
        "platform": record.get("platform", ""),
        "commands": record.get("commands", []),
        "photographs": str(photographs.get("says", "")),
        "fingerprint": str(photographs.get("fingerprint", "")),
        "splits": {part: {"count": len(names), "names": names[:MOST_NAMES]} for part, names in parts.items()},
    }


def _bytes(compression: Compression, stage: str) -> int | None:
    """Of the saved weights; of int8 those of its smallest file, since its saved weights are float."""
    if stage != INT8:
        return bytes_of(compression.network(stage).with_suffix(".safetensors"))
    sizes = [one.get("bytes") for one in compression.listed()["files"].values() if one.get("precision") == "int8"]
    return min((size for size in sizes if size), default=None)
