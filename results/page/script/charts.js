// Charts: Vega-Lite specifications become drawings at once, when they come into view, or before the page is printed.

const waiting = new Map(); // element -> what draws it
const palette = new Map(); // name of a colour -> its value in the theme that is shown

const CONFIG = {
  background: "transparent",
  aria: false, // of single marks: each chart has one label for all of it, and a table beside it
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
  axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8, gridOpacity: 0.7 },
  view: { stroke: null },
};

function colour(name) {
  if (!palette.has(name)) palette.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return palette.get(name);
}

const watched = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
}, { rootMargin: "300px" });

/** Draw `spec()` into `element` once it is near; `drawn` gets the view. Asking again draws anew. */
function drawLater(element, spec, drawn = () => {}) {
  element.dataset.drawn = "no";
  waiting.set(element, { spec, drawn });
  watched.unobserve(element);
  watched.observe(element);
}

async function drawNow(element) {
  const asked = waiting.get(element);
  if (!asked || element.dataset.drawn !== "no") return;
  element.dataset.drawn = "begun";
  // Level 1 is errors alone: an axis without points, as of a switched-off kind, is worth no warning.
  const made = await vegaEmbed(element, { config: CONFIG, ...asked.spec() },
    { actions: false, renderer: "svg", ast: true, tooltip: { theme: "custom" }, logLevel: 1 });
  element.querySelector("svg")?.setAttribute("aria-hidden", "true");
  element.dataset.drawn = "yes";
  asked.drawn(made.view);
}

/** Colours are part of a drawing, so that another theme needs another one. */
function drawAllAgain() {
  palette.clear();
  for (const element of waiting.keys()) {
    if (!element.isConnected) { waiting.delete(element); continue; }
    element.dataset.drawn = "no";
    watched.unobserve(element);
    watched.observe(element);
  }
}

function drawAllNow() {
  for (const element of waiting.keys()) drawNow(element);
}

function chart(kind, label) {
  return el("div", { class: `chart ${kind}`, role: "img", "aria-label": label });
}
