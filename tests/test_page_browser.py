"""Page in a browser: it is silent, asks for nothing, and does what its controls say; names stay names."""

from dataclasses import replace

import pytest

from results.page.write import write_page
from tests.opened_page import Opened
from tests.shown_run import crowded, handed, shown_run, story, told

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A page of two runs; one of a thousand networks; and one whose every name is an attack."""
    folder = tmp_path_factory.mktemp("page")
    told_run = told(shown_run(folder / "night"))
    own = [replace(one, stages=(), genes="Plain: width 4") if one.key == "2" else one for one in told_run.networks]
    made = dict(told_run.made) | {"settings": {"family": {"name": "Plain", "digest": "f00d"}}}
    other = replace(told_run, name="other", verdict="The other verdict.", photographs=(), networks=own, made=made)
    evil = shown_run(folder / "<img src=x onerror=boom()>", EVIL)
    write_page(folder / "page.html", story(told_run, other))
    write_page(folder / "crowd.html", story(crowded(told_run, 1000)))
    write_page(folder / "evil.html", story(told(evil, handed(EVIL, EVIL))))
    return folder


@pytest.fixture
def opened(browser, files):
    page = Opened(browser, files / "page.html")
    yield page
    page.page.context.close()


def test_the_page_says_nothing_in_the_console_and_asks_for_nothing(opened):
    opened.see_all()
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [opened.page.url]


def test_hovering_over_a_network_shows_its_genes_and_scores(opened):
    opened.page.mouse.move(*opened.point("1"))
    shown = opened.page.wait_for_selector("#vg-tooltip-element.visible").inner_text()
    assert "candidate 1" in shown
    assert "width 16/16/16/16/16" in shown
    assert "0.8415 (test)" in shown


def test_a_click_on_a_network_selects_it_everywhere(opened):
    opened.page.mouse.click(*opened.point("3"))
    assert opened.page.locator("#chosen h3").inner_text() == "candidate 3"
    assert opened.page.locator("#networks-table tr[aria-current]").inner_text().startswith("candidate 3")
    assert "candidate 3" in opened.page.locator("#drawings h3").first.inner_text()


def test_a_network_is_selected_from_the_table_by_keyboard(opened):
    opened.page.locator('#networks-table button[data-key="2"]').focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#chosen h3").inner_text() == "candidate 2"
    assert "reference" in opened.page.locator("#drawings h3").nth(1).inner_text()


def test_a_switch_takes_its_networks_from_the_chart_and_brings_them_back(opened):
    assert "0" in opened.on_chart()
    switch = opened.page.locator('#switches input[name="reference"]')
    switch.uncheck()
    opened.page.wait_for_timeout(200)
    assert "0" not in opened.on_chart()
    switch.check()
    opened.page.wait_for_timeout(200)
    assert "0" in opened.on_chart()


def test_a_column_sorts_the_table_down_and_up_with_what_is_missing_last(opened):
    opened.page.locator('button[data-sort="ssim"]').click()
    down = [float(text) for text in opened.column(4) if text != "–"]
    assert len(down) > 3
    assert down == sorted(down, reverse=True)
    opened.page.locator('button[data-sort="ssim"]').click()
    assert [float(text) for text in opened.column(4) if text != "–"] == sorted(down)
    opened.page.locator('button[data-sort="search"]').click()
    assert opened.column(7)[-1] == "–"
    assert opened.page.locator('th[aria-sort="descending"]').inner_text().startswith("Search's score")


def test_the_table_is_filtered_by_ssim_and_by_cost(opened):
    opened.page.locator('input[name="above"]').fill("0.832")
    above = [float(text) for text in opened.column(4)]
    assert above
    assert all(ssim > 0.832 for ssim in above)
    opened.page.locator('input[name="above"]').fill("")
    before = len(opened.column(1))
    opened.page.locator('input[name="below"]').fill("100")
    costs = [float(text.split()[0]) for text in opened.column(3)]
    assert 0 < len(costs) < before
    assert all(cost < 100 for cost in costs)
    assert f"{len(costs)} of" in opened.page.locator("#table-says").inner_text()


def test_the_slider_moves_the_edge_between_the_two_pictures(opened):
    over = "getComputedStyle(document.querySelector('#stage .over')).clipPath"
    assert "50%" in opened.page.evaluate(over)
    opened.page.locator("#slider").fill("20")
    assert "20%" in opened.page.evaluate(over)
    opened.page.locator("#slider").press("ArrowRight")
    assert "21%" in opened.page.evaluate(over)


def test_the_loupe_follows_the_pointer_and_the_arrow_keys(opened):
    where = "[...document.querySelectorAll('.glass')].map((one) => one.style.backgroundPosition)"
    stage = opened.page.locator("#stage")
    stage.hover(position={"x": 10, "y": 10})
    assert set(opened.page.evaluate(where)) == {"0% 0%"}
    opened.page.locator(".loupes").focus()
    opened.page.keyboard.press("ArrowRight")
    moved = opened.page.evaluate(where)
    assert len(moved) == 3
    assert {place.split()[0] for place in moved} != {"0%"}


def test_the_worst_photograph_comes_first_on_request(opened):
    photograph = opened.page.locator("#viewer select").first.locator("option").first
    assert photograph.inner_text() == "photo0"
    opened.page.locator('#viewer input[name="worst"]').check()
    assert photograph.inner_text() == "photo1"


def test_the_photographs_follow_the_selected_network(opened):
    opened.page.locator('#networks-table button[data-key="2"]').click()
    assert opened.page.locator("#stage .tag.right").inner_text() == "candidate 2"


def test_another_run_is_shown_when_it_is_asked_for_and_stands_beside_the_first(opened):
    assert opened.page.locator("#side-by-side tbody tr").count() == 2
    opened.page.locator("#run-choice button").nth(1).click()
    assert opened.page.locator("#verdict").inner_text() == "The other verdict."
    assert "No photographs" in opened.page.locator("#viewer").inner_text()


def test_the_fronts_of_several_runs_are_named_in_the_legend_each_in_its_colour(opened):
    named = opened.page.locator("#switches .of-run")
    assert named.all_inner_texts() == ["front of night", "front of other"]
    painted = named.locator("path").evaluate_all("all => all.map((one) => getComputedStyle(one).fill)")
    assert len(set(painted)) == 2


def test_runs_side_by_side_have_what_was_found_in_one_sentence(opened):
    found = opened.page.locator("#side-by-side tbody tr").first.locator("td").last.inner_text()
    whole = f"{opened.page.locator('#verdict').inner_text()} {opened.page.locator('#sure').inner_text()}"
    assert whole.startswith(found)
    assert found.count(".") < whole.count(".")


def test_a_network_of_the_user_s_own_is_told_in_words_beside_the_drawing_of_the_reference(opened):
    opened.page.locator("#run-choice button").nth(1).click()
    opened.page.locator('#networks-table button[data-key="2"]').click()
    shown = opened.page.locator("#drawings")
    assert "Plain: width 4" in shown.inner_text()
    assert "neither drawn" in shown.inner_text()
    assert shown.locator("svg.drawing").count() == 1
    assert "lpienas export" in opened.page.locator("#chosen pre").inner_text()  # pruning does not know its parts
    opened.see_all()
    assert opened.said == []


def test_runs_on_the_same_photographs_are_said_to_compare(opened):
    beside = opened.page.locator("#side-by-side").inner_text()
    assert "their scores compare" in beside
    assert "one corner for all" in beside


def test_the_table_of_stages_has_the_expansion_of_each(opened):
    opened.page.locator('#networks-table button[data-key="1"]').click()
    blocks = opened.page.locator("#drawings table").nth(0).locator("tbody tr").first.locator("td").nth(1)
    assert blocks.inner_text() == "1× 16 (1)"


def test_a_thousand_networks_are_on_the_chart_and_in_the_table_when_they_are_asked_for(browser, files):
    opened = Opened(browser, files / "crowd.html")
    assert len(opened.on_chart() - {""}) == 1000
    opened.page.locator('#filters input[name="every"]').check()
    assert opened.page.locator("#networks-table tbody tr").count() == 1000
    assert "1000 of 1000" in opened.page.locator("#table-says").inner_text()
    assert opened.said == []
    opened.page.context.close()


def test_names_of_a_run_are_text_and_run_nothing(browser, files):
    opened = Opened(browser, files / "evil.html")
    opened.see_all()
    opened.page.mouse.move(*opened.point("1"))
    opened.page.wait_for_selector("#vg-tooltip-element.visible")
    assert opened.page.evaluate("window.boomed") is None
    assert opened.page.locator("img[src=x]").count() == 0
    assert EVIL in opened.page.locator("#viewer").inner_text()
    assert "<img src=x" in opened.page.locator("#page-name").inner_text()
    assert opened.said == []
    opened.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, files, scheme):
    from axe_playwright_python.sync_playwright import Axe

    opened = Opened(browser, files / "page.html", color_scheme=scheme)
    opened.see_all()
    found = Axe().run(opened.page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:150] for node in one["nodes"][:3]]) for one in serious] == []
    opened.page.context.close()


def test_the_page_begins_in_the_reader_s_scheme_and_changes_it_on_request(browser, files):
    opened = Opened(browser, files / "page.html", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = opened.page.evaluate(ground)
    opened.page.locator("#theme").click()
    assert opened.page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    opened.page.context.close()


def test_a_phone_needs_no_scrolling_to_the_side(browser, files):
    opened = Opened(browser, files / "page.html", viewport=PHONE, has_touch=True)
    opened.see_all()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    genes = opened.page.locator("#course .chart.wide").bounding_box()
    assert genes["width"] > 700  # its axes stay apart; its own box scrolls
    opened.page.context.close()


def test_every_chart_is_drawn_for_the_printer(opened):
    opened.page.emulate_media(media="print")
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.page.wait_for_selector(".chart[data-drawn=no]", state="detached")
    opened.page.wait_for_selector(".chart[data-drawn=begun]", state="detached")
    assert opened.page.locator(".chart:not(:has(svg))").count() == 0


def test_paper_shows_what_the_marks_of_the_front_mean_and_no_switches(opened):
    opened.page.locator('#switches input[name="reference"]').uncheck()
    opened.page.emulate_media(media="print")
    assert opened.page.locator("#switches input:visible").count() == 0
    legend = opened.page.locator("#switches").inner_text()
    assert "Pareto front" in legend
    assert "LPIENet reference" not in legend  # switched off: not drawn


def test_a_table_of_networks_is_as_wide_as_the_paper(opened):
    opened.page.set_viewport_size({"width": 700, "height": 1000})  # A4 between its margins
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 700
    assert opened.page.locator("#networks-table table").bounding_box()["width"] <= 700


def test_the_run_that_is_shown_is_marked_among_the_others(opened):
    ground = "one => getComputedStyle(one).backgroundColor"
    shown, other = (opened.page.locator("#run-choice button").nth(place).evaluate(ground) for place in (0, 1))
    assert shown != other


def test_no_word_of_a_command_is_broken_wherever_its_lines_end(browser, files):
    opened = Opened(browser, files / "page.html", viewport=PHONE, has_touch=True)
    told = "[...document.querySelectorAll('#chosen pre .word')].map((one) => one.innerText)"
    words = opened.page.evaluate(told)
    assert [*words[:2], *words[3:]] == ["lpienas", "compress", "--pick", "1"]  # between them the folder
    tall = opened.page.evaluate(
        """() => {
          const command = document.querySelector('#chosen pre'), words = [...command.querySelectorAll('.word')];
          words.splice(2, 1);  // the folder alone may be longer than a line
          const heights = new Set();
          for (let width = 130; width < 350; width += 3) {
            command.style.width = `${width}px`;
            for (const word of words) heights.add(word.offsetHeight);
          }
          return [...heights];
        }"""
    )
    assert len(tall) == 1  # no word has two lines
    opened.page.context.close()
