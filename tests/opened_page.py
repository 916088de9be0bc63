"""Opened page: one in a browser, drawn, with what it said and asked for."""

CHART = "#front-chart svg"
PATIENCE = 180_000  # ms, on a machine that has other work too


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, browser, path, **how):
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | how))
        context.set_default_timeout(PATIENCE)
        context.add_init_script("window.boom = () => { window.boomed = true; }")
        self.page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-shown=whole]")
        self.page.locator("#front-chart").scroll_into_view_if_needed()
        self.page.wait_for_selector(CHART)

    def see_all(self):
        """Scroll through the page, so that every chart is drawn."""
        for place in self.page.query_selector_all(".chart"):
            place.scroll_into_view_if_needed()
        self.page.wait_for_selector(".chart[data-drawn=no]", state="detached")
        self.page.wait_for_selector(".chart[data-drawn=begun]", state="detached")

    def point(self, key):
        """Where the chart shows the network with this key."""
        found = self.page.evaluate_handle(
            """key => [...document.querySelectorAll('#front-chart .mark-symbol path')].find(
                 (one) => one.__data__.datum.key === key && one.getAttribute('opacity') !== '0')""",
            key,
        )
        element = found.as_element()
        assert element is not None, f"{key} is not on the chart"
        element.scroll_into_view_if_needed()
        box = element.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def on_chart(self):
        """Keys of the networks on the chart."""
        return set(
            self.page.evaluate(
                "[...document.querySelectorAll('#front-chart .mark-symbol path')].map((one) => one.__data__.datum.key)"
            )
        )

    def column(self, place):
        return self.page.locator(f"#networks-table tbody tr > :nth-child({place})").all_inner_texts()
