"""Free photographs: pictures whose licences let weights that were trained on them be shipped, from Debian and PyPI.

    python benchmarks/free_photographs.py --out ~/free       # needs apt-get and dpkg; or --debian FILE.deb FILE.deb ...

Photographs of three Debian packages of wallpapers, made half as large a side and at most SIDE pixels, so that their own
noise and JPEG's blocks are gone, and those that scikit-image and scikit-learn carry. What else the packages hold is
drawn. In three folders: training, validation, test; LICENCES.md there names the author and the licence of each, and
photographs.json what a network is trained on and chosen by, by digests of these files and of those they were made from.
"""

import argparse
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from nas.kept import BESIDE
from nas.task.data.facts import digest_of
from results.files import write_json

SIDE = 2048  # pixels of the longer side, at most
_LOMIRI, _MATE, _PLASMA = "lomiri-wallpapers-16.04", "mate-backgrounds", "plasma-workspace-wallpapers"
WALLPAPERS = {  # package -> where in it -> authors and licence, as the package states them
    _LOMIRI: {
        f"usr/share/backgrounds/{name}.jpg": words
        for name, words in {
            "Bridge_by_Sander_Klootwijk": "Sander Klootwijk, CC BY-SA 4.0",
            "Dragonfly_by_Bolly": "Bolly, CC BY-SA 4.0",
            "Picture_0B_by_freespace": "Trevor Freespace, CC BY 4.0",
            "Picture_1A_by_freespace": "Trevor Freespace, CC BY 4.0",
            "Wine_by_Jakkub_Mede": "Jakub Mede, CC BY 4.0",
            "aitzgorri_by_Aitzol_Berasategi": "Aitzol Berasategi, CC BY 4.0",
            "free_by_Peter_Nerlich": "Peter Nerlich, CC BY-SA 4.0",
            "friends_by_Aitzol_Berasategi": "Aitzol Berasategi, CC BY 4.0",
            "greentock_by_Peter_Nerlich": "Peter Nerlich, CC BY-SA 4.0",
            "life_by_Aitzol_Berasategi": "Aitzol Berasategi, CC BY 4.0",
            "picosdeeuropa_by_Aitzol_Berasategi": "Aitzol Berasategi, CC BY 4.0",
            "seeding_by_Clements_Engelhardt": "Clemens Engelhardt, CC0 1.0",
            "sunset_by_Aitzol_Berasategi": "Aitzol Berasategi, CC BY 4.0",
        }.items()
    },
    _MATE: {
        f"usr/share/backgrounds/mate/nature/{name}.jpg": f"{author}, GPL-2+"
        for name, author in {
            "Aqua": "Charles Barbin",
            "Blinds": "Lennart Poettering, Andrea Cimitan",
            "Dune": "Marco Cogoni, Hylke Bons",
            "FreshFlower": "Jens Ansorg",
            "Garden": "Charles Barbin",
            "GreenMeadow": "Timothy Schellhase, Lapo Calamandrei",
            "LadyBird": "Charles Barbin",
            "RainDrops": "blackcombwhistler07",
            "Storm": "Sergey Nazarov",
            "TwoWings": "Charles Barbin, Hylke Bons",
            "Wood": "Jean-François Fortin Tam",
            "YellowFlower": "Charles Barbin",
        }.items()
    },
    _PLASMA: {
        f"usr/share/wallpapers/{name}/contents/images/2560x1600.jpg": f"{author}, LGPL-3"
        for name, author in {
            "BytheWater": "Maciej Wiklo",
            "ColdRipple": "Risto Saukonpää",
            "ColorfulCups": "Dmitri Popov",
            "EveningGlow": "Ian Hex",
            "FallenLeaf": "Martin Klapetek",
            "Grey": "Sigi Sagi",
            "Kite": "Risto Saukonpää",
            "OneStandsOut": "Risto Saukonpää",
            "Path": "Risto Saukonpää",
        }.items()
    },
}
SAMPLES = {
    "skimage/data/astronaut.png": "NASA, public domain",
    "skimage/data/chelsea.png": "Stefan van der Walt, CC0 1.0",
    "skimage/data/coffee.png": "Rachel Michetti, CC0 1.0",
    "skimage/data/rocket.jpg": "SpaceX, CC0 1.0",
    "sklearn/datasets/images/china.jpg": "danielbuechele, CC BY 2.0",
    "sklearn/datasets/images/flower.jpg": "vultilion, CC BY 2.0",
}
VALIDATION, TEST = ("chelsea", "Picture_1A_by_freespace"), ("rocket", "greentock_by_Peter_Nerlich")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--debian", type=Path, nargs="+", metavar="FILE.deb", help="in place of those of apt-get")
    options = parser.parse_args()
    lines = []
    digests: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package, pictures in WALLPAPERS.items():
            given = [path for path in options.debian or () if path.name.startswith(f"{package}_")]
            unpacked = _unpacked(package, given[0].absolute() if given else None, folder)
            for inside, words in pictures.items():
                path = unpacked / inside
                kept = path.parents[2].name if package == _PLASMA else path.stem
                file = _keep(path, kept, options.out, 0.5)
                lines.append(f"- {file}: {words}, Debian package {package}")
                digests |= _digests(path, options.out / file)
    for sample, words in SAMPLES.items():
        package, _, inside = sample.partition("/")
        found = find_spec(package)
        assert found is not None
        assert found.origin is not None
        path = Path(found.origin).parent / inside
        file = _keep(path, path.stem, options.out, 1.0)
        lines.append(f"- {file}: {words}, {package}")
        digests |= _digests(path, options.out / file)
    (options.out / "LICENCES.md").write_text("# Licences\n\n" + "\n".join(lines) + "\n")
    write_json(options.out / BESIDE, {"digests": digests})
    print(f"{len(lines)} photographs in {options.out}")


def _digests(original: Path, file: Path) -> dict[str, str]:
    """The name of a photograph by its digests; of one that is kept for the test none."""
    return {} if file.parent.name == "test" else {digest_of(path): file.stem for path in (original, file)}


def _unpacked(package: str, given: Path | None, folder: Path) -> Path:
    """The files of a package, which apt-get downloads unless it is `given`."""
    if given is None:
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True)
        given = next(folder.glob(f"{package}_*.deb"))
    subprocess.run(["dpkg", "-x", str(given), str(folder / package)], check=True)
    return folder / package


def _keep(path: Path, name: str, out: Path, share: float) -> str:
    """The file in its part, at `share` of its sides at most."""
    part = "validation" if name in VALIDATION else "test" if name in TEST else "training"
    (out / part).mkdir(parents=True, exist_ok=True)
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    share = min(share, SIDE / max(picture.size))
    size = (round(share * picture.width), round(share * picture.height))
    picture.resize(size, Image.Resampling.LANCZOS).save(out / part / f"{name}.png")
    return f"{part}/{name}.png"


if __name__ == "__main__":
    main()
