"""Page's colours: eyes that lack a kind of cones, or see no colours, tell apart what the page tells apart.

Chromium itself shows the page as those eyes see it; what is read are pixels of its screenshots.
"""

import io
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from results.page.write import write_page
from tests.opened_page import Opened
from tests.shown_run import shown_run, story, told

RUNS = 6  # side by side, before colours and shapes come again
EYES = ("none", "protanopia", "deuteranopia", "tritanopia")
APART = 15  # CIEDE2000; 1 is the least that is noticed side by side
CONTRAST = 3  # WCAG 2.2, 1.4.11, of signs against their ground
KINDS = 11  # signs of networks and marks beside those of runs
SCALE = 2  # pixels of a screenshot for one of CSS
LEGENDS = "#course .chart:has(.role-legend)"


@pytest.fixture(scope="module", params=["light", "dark"])
def shown(browser, request, tmp_path_factory):
    """A page of six runs with signs of every kind."""
    folder = tmp_path_factory.mktemp("page")
    first = told(shown_run(folder / "night"))
    networks = [replace(one, low=0.7, high=0.9) if one.kind == "front" else one for one in first.networks]
    networks += [replace(networks[1], key=f"{kind} too", kind=kind) for kind in ("fell off", "searched", "dominated")]
    rejected = [{"number": 77, "cost": 9e8, "reason": "over the budget"}]
    importance = [{"gene": "encoder1.width", "ssim": 0.6, "cost": 0.4}]
    like = replace(first, networks=networks, rejected=rejected, importance=importance)
    runs = [replace(like, name=f"run {place}") for place in range(RUNS)]
    write_page(folder / "page.html", story(*runs))
    opened = Opened(browser, folder / "page.html", color_scheme=request.param, device_scale_factor=SCALE)
    opened.see_all()
    yield opened
    opened.page.context.close()


def seen(opened, where, signs, eyes):
    """Pixels of each of `signs` (a selector, inside of `where`) by the text beside it, as these eyes see them."""
    opened.page.context.new_cdp_session(opened.page).send("Emulation.setEmulatedVisionDeficiency", {"type": eyes})
    place = opened.page.locator(where)
    image = np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB")) / 255
    boxes = place.evaluate(
        """(place, signs) => [...place.querySelectorAll(signs)].map((one, number) => {
          const outer = place.getBoundingClientRect(), box = one.getBoundingClientRect();
          const text = (one.closest('label, .of-run') || {}).textContent || `sign ${number}`;
          const rows = [box.top - 1, box.bottom + 1].map((edge) => edge - outer.top);
          return [text, ...rows, ...[box.left - 1, box.right + 1].map((edge) => edge - outer.left)];
        })""",
        signs,
    )
    edges = {text: [round(SCALE * one) for one in box] for text, *box in boxes}
    return {text: image[top:bottom, left:right] for text, (top, bottom, left, right) in edges.items()}


def colour_of(sign):
    """The pixel of a sign that is farthest from its ground, which its corner shows."""
    lab = rgb2lab(sign)
    far = deltaE_ciede2000(lab, lab[:1, :1])
    return sign[np.unravel_index(far.argmax(), far.shape)], sign[0, 0]


def luminance(colour):
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def distances(colours):
    """Of every two named colours, CIEDE2000."""
    lab = {name: rgb2lab(colour[None, None]) for name, colour in colours.items()}
    return {(one, two): deltaE_ciede2000(lab[one], lab[two]).item() for one, two in combinations(lab, 2)}


def too_alike(signs):
    """Every two signs whose colours differ by less than APART, with by how much."""
    apart = distances({name: colour_of(sign)[0] for name, sign in signs.items()})
    return {two: round(far, 1) for two, far in apart.items() if far < APART}


@pytest.mark.parametrize("eyes", EYES)
def test_the_fronts_of_runs_side_by_side_have_colours_that_differ_to(shown, eyes):
    signs = seen(shown, "#switches", ".of-run .swatch", eyes)
    assert len(signs) == RUNS
    assert too_alike(signs) == {}


@pytest.mark.parametrize("eyes", [*EYES, "achromatopsia"])
def test_every_sign_stands_out_from_its_ground_to(shown, eyes):
    signs = seen(shown, "#switches", ".swatch", eyes)
    assert len(signs) == RUNS + KINDS
    faint = {}
    for name, sign in signs.items():
        light, dark = sorted(map(luminance, colour_of(sign)), reverse=True)
        faint[name] = round((light + 0.05) / (dark + 0.05), 2)
    assert {name: contrast for name, contrast in faint.items() if contrast < CONTRAST} == {}


def test_no_two_signs_have_one_shape_so_that_none_is_told_by_its_colour_alone(shown):
    signs = seen(shown, "#switches", ".swatch", "achromatopsia")
    drawn = {name: np.abs(sign - sign[0, 0]).max(axis=-1) > 0.15 for name, sign in signs.items()}
    shares = {}
    for one, two in combinations(drawn, 2):
        shares[one, two] = (drawn[one] ^ drawn[two]).sum() / (drawn[one] | drawn[two]).sum()
    del shares["front of run 0", "Pareto front"]  # circles both: the second stands for all fronts
    assert {two: share.round(2) for two, share in shares.items() if share < 0.2} == {}


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("place", range(3))
def test_colours_of_one_chart_s_legend_differ_to(shown, place, eyes):
    assert shown.page.locator(LEGENDS).count() == 3  # hypervolume twice, and importance of genes
    assert too_alike(seen(shown, f"{LEGENDS} >> nth={place}", ".role-legend-symbol path", eyes)) == {}
