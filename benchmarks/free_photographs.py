"""Free photographs: pictures whose licences let weights that were trained on them be shipped, from Debian and PyPI.

    python benchmarks/free_photographs.py --out ~/free           # needs apt-get and dpkg, or --debian FILE.deb

Thirteen photographs of Debian's lomiri-wallpapers-16.04 (CC BY 4.0, CC BY-SA 4.0, CC0; each author is in its file's
name), made smaller to SIDE pixels, so that their own noise is gone; four of scikit-image (CC0, public domain) and two
of scikit-learn (CC BY 2.0). What is left out of the package is drawn, not photographed. In three folders: training,
validation, test. LICENCES.md there names each.
"""

import argparse
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

PACKAGE, INSIDE = "lomiri-wallpapers-16.04", "usr/share/backgrounds"
SIDE = 2048  # pixels of the longer side, at most
_BY, _BY_SA, _CC0 = "CC BY 4.0", "CC BY-SA 4.0", "CC0 1.0"
WALLPAPERS = {
    "Bridge_by_Sander_Klootwijk": _BY_SA,
    "Dragonfly_by_Bolly": _BY_SA,
    "Picture_0B_by_freespace": _BY,
    "Picture_1A_by_freespace": _BY,
    "Wine_by_Jakkub_Mede": _BY,
    "aitzgorri_by_Aitzol_Berasategi": _BY,
    "free_by_Peter_Nerlich": _BY_SA,
    "friends_by_Aitzol_Berasategi": _BY,
    "greentock_by_Peter_Nerlich": _BY_SA,
    "life_by_Aitzol_Berasategi": _BY,
    "picosdeeuropa_by_Aitzol_Berasategi": _BY,
    "seeding_by_Clements_Engelhardt": _CC0,
    "sunset_by_Aitzol_Berasategi": _BY,
}
SAMPLES = {
    "skimage/data/astronaut.png": "public domain, NASA",
    "skimage/data/chelsea.png": "CC0 1.0, Stefan van der Walt",
    "skimage/data/coffee.png": "CC0 1.0, Rachel Michetti",
    "skimage/data/rocket.jpg": "CC0 1.0, SpaceX",
    "sklearn/datasets/images/china.jpg": "CC BY 2.0, danielbuechele",
    "sklearn/datasets/images/flower.jpg": "CC BY 2.0, vultilion",
}
VALIDATION, TEST = ("chelsea", "Picture_1A_by_freespace"), ("rocket", "greentock_by_Peter_Nerlich")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--debian", type=Path, metavar="FILE.deb", help=f"{PACKAGE} (default: apt-get downloads it)")
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        package = options.debian.absolute() if options.debian else _downloaded(Path(folder))
        subprocess.run(["dpkg", "-x", str(package), folder], check=True)
        for name, licence in WALLPAPERS.items():
            _keep(Path(folder) / INSIDE / f"{name}.jpg", options.out)
            lines.append(f"- {name}: {licence}, Debian package {PACKAGE}")
    for sample, licence in SAMPLES.items():
        package_name, _, inside = sample.partition("/")
        found = find_spec(package_name)
        assert found is not None
        assert found.origin is not None
        _keep(Path(found.origin).parent / inside, options.out)
        lines.append(f"- {Path(sample).stem}: {licence}, {package_name}")
    (options.out / "LICENCES.md").write_text("# Licences\n\n" + "\n".join(lines) + "\n")
    print(f"{len(lines)} photographs in {options.out}")


def _downloaded(folder: Path) -> Path:
    subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
    return next(folder.glob("*.deb"))


def _keep(path: Path, out: Path) -> None:
    """As a PNG file of its part."""
    part = "validation" if path.stem in VALIDATION else "test" if path.stem in TEST else "training"
    (out / part).mkdir(parents=True, exist_ok=True)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    share = min(1.0, SIDE / max(picture.size))
    size = (round(share * picture.width), round(share * picture.height))
    picture.resize(size, Image.Resampling.LANCZOS).save(out / part / f"{path.stem}.png")


if __name__ == "__main__":
    main()
