"""Hub: a folder that can be pushed to Hugging Face as it is: card, files, and what each of them takes."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compress.export.front_matter import LIBRARY
from compress.runtime.rule import rule_of
from results.compressions import FLOAT, INT8, Compression
from results.files import folder_written_whole, read_json, write_json
from results.run import versions
from search_spaces.blueprint import Blueprint

README, CONFIG = "README.md", "config.json"


def require_free(folder: Path) -> None:
    """Raises ValueError where something is at `folder` already, before any work."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--hub {folder}: is there already; name a folder that is not")


def write_hub(compression: Compression, exported: Mapping[str, Any], folder: Path) -> None:
    """Copy the card, the files `exported` of a compression and their kits into `folder`.

    It has its name once it is whole.
    """
    require_free(folder)
    networks = {}
    for stage in (FLOAT, INT8):
        if compression.has(stage):
            blueprint = Blueprint.from_json(read_json(compression.network(stage).with_suffix(".json")))
            networks[stage] = {"blueprint": blueprint.to_json(), "tiles": asdict(rule_of(blueprint))}
    config = {
        "model_type": "lpienet",
        "library": f"{LIBRARY} {versions()[LIBRARY]}",
        "networks": networks,
        "files": {name: dict(figures) for name, figures in sorted(exported.items())},
    }
    if folder.is_dir():
        folder.rmdir()  # it is empty
    with folder_written_whole(folder) as temporary:
        temporary.mkdir()
        shutil.copyfile(compression.card, temporary / README)
        write_json(temporary / CONFIG, config)
        kits = [name for figures in exported.values() for name in figures.get("kit", ())]
        for name in (*exported, *kits):
            source = compression.exported / name
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            (temporary / name).parent.mkdir(exist_ok=True)
            copy(source, temporary / name)
