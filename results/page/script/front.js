// Front: score over cost of every run, with switches for what else is shown; a click selects a network.

const STAR = "M0,-1L0.29,-0.4L0.95,-0.31L0.48,0.15L0.59,0.81L0,0.5L-0.59,0.81L-0.48,0.15L-0.95,-0.31L-0.29,-0.4Z";
const KINDS = { // in the order in which they are drawn; shape and colour both tell them apart
  searched: { says: "scored by the search only (right axis)", shape: "circle", size: 18, colour: "searched", off: false },
  rejected: { says: "proposed and not scored (at the bottom)", shape: "M0,-1L0,1", size: 60, colour: "searched", off: true },
  dominated: { says: "dominated", shape: "circle", size: 60, colour: "dominated" },
  "fell off": { says: "fell off the front", shape: "cross", size: 70, colour: "fell" },
  control: { says: "random control", shape: "square", size: 60, colour: "control" },
  front: { says: "Pareto front", shape: "circle", size: 90, colour: "front", filled: true },
  compressed: { says: "compressed", shape: "triangle-up", size: 110, colour: "compressed", filled: true },
  reference: { says: "LPIENet reference", shape: STAR, size: 190, colour: "reference", filled: true },
};
const MARKS = { knee: "knee", intervals: "intervals of test scores", budget: "budget" };
const RUN_SHAPES = ["circle", "square", "triangle-down", "diamond", "triangle-left", "triangle-right"]; // of fronts side by side
const runColour = (place) => `run-${1 + (place % RUN_SHAPES.length)}`;

const hidden = new Set(Object.keys(KINDS).filter((kind) => KINDS[kind].off));
let frontView = null;

function pointOf(run, place, network) {
  const final = ssimOf(run, network);
  return {
    run: place, key: network.key, kind: network.kind, knee: network.knee, name: network.name,
    label: network.kind === "front" ? network.key : "",
    x: network.cost / run.cost.scale, y: final, search: network.kind === "searched" ? network.search_ssim : null,
    low: network.low, high: network.high, paint: paintOf(place, network.kind),
    network: story.runs.length > 1 ? `${network.name} of ${run.name}` : network.name, role: role(network),
    cost: costText(run, network.cost),
    ssim: network.kind === "searched" ? `${ssimText(network.search_ssim)} by the search` : `${ssimText(final)} (${run.split})`,
    interval: intervalText(network), psnr: `${psnrText(psnrOf(run, network))} dB`, genes: network.genes,
  };
}

function paintOf(place, kind) {
  return colour(story.runs.length > 1 && kind === "front" ? runColour(place) : KINDS[kind].colour);
}

function pointsShown() {
  const points = story.runs.flatMap((run, place) => [
    ...run.networks.filter((one) => one.cost > 0).map((network) => pointOf(run, place, network)),
    ...run.control.map((one) => ({
      run: place, key: "", kind: "control", x: one.cost / run.cost.scale, y: one.ssim, paint: colour("control"),
      network: one.name, role: "random control", cost: costText(run, one.cost), ssim: ssimText(one.ssim),
      interval: MISSING, psnr: MISSING, genes: MISSING,
    })),
    ...run.rejected.map((one) => ({
      run: place, key: "", kind: "rejected", x: one.cost / run.cost.scale, network: `proposal ${one.number}`,
      role: "not scored", cost: costText(run, one.cost), ssim: MISSING, interval: MISSING, psnr: MISSING,
      genes: one.reason, paint: colour("searched"),
    })),
  ]);
  return points.filter((point) => !hidden.has(point.kind) && (known(point.y) || known(point.search) || point.kind === "rejected"))
    .map((point) => ({ ...point, tip: tipOf(point), ring: point.knee && !hidden.has("knee"), bar: known(point.low) && !hidden.has("intervals") }));
}

const ORDER = Object.keys(KINDS);

/** Points with the look of their kind, those that stand above others last. */
function drawnInOrder(points) {
  return [...points].sort((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind)).map((point) => {
    const { shape, size, filled } = KINDS[point.kind];
    return { ...point, shape: point.kind === "front" ? RUN_SHAPES[point.run % RUN_SHAPES.length] : shape, size, fill: filled ? point.paint : "transparent" };
  });
}

const budgets = () => (hidden.has("budget") ? [] : story.runs.filter((run) => known(run.cost.budget))
  .map((run) => ({ x: run.cost.budget / run.cost.scale, says: `budget of ${run.name}: ${costText(run, run.cost.budget)}` })));

/** What the chart shows, in sets: the many that were only searched, or never scored, pass through their own layer alone. */
function setsShown() {
  const sets = { points: [], searched: [], rejected: [] }, shown = pointsShown();
  for (const point of shown) sets[point.kind in sets ? point.kind : "points"].push(point);
  const chosen = shown.filter((point) => point.run === state.run && point.key === state.chosen);
  return { ...sets, points: drawnInOrder(sets.points), budgets: budgets(), chosen: chosen.filter((one) => known(one.y)), "chosen-searched": chosen.filter((one) => known(one.search)) };
}

const TOLD = [["network", "network"], ["role", "role"], ["cost", "cost"], ["ssim", "SSIM"], ["interval", "95 % interval"],
  ["psnr", "PSNR"], ["genes", "genes"]];
const tipOf = (point) => Object.fromEntries(TOLD.map(([field, title]) => [title, point[field]]));
const TIP = { expr: "datum.tip" };

/** From the lowest to the highest score, with room for intervals, but no more than the scores themselves take. */
function domainOf(points) {
  const scores = points.map((one) => one.y).filter(known);
  if (!scores.length) return [0, 1];
  const low = Math.min(...scores), high = Math.max(...scores), room = Math.max(high - low, 0.01);
  const ends = points.filter((one) => one.bar);
  return [Math.max(low - room, Math.min(low - 0.08 * room, ...ends.map((one) => one.low))),
    Math.min(high + room, 1, Math.max(high + 0.08 * room, ...ends.map((one) => one.high)))];
}

function frontSpec() {
  const sets = setsShown(), named = (name) => ({ name, values: sets[name] });
  const { cost, split } = story.runs[0];
  const x = { field: "x", type: "quantitative", scale: { type: "log", nice: false, padding: 28 },
    axis: { title: `${cost.axis} at ${cost.size}`, labelExpr: cost.kind === "macs" ? "datum.value < 1000 ? format(datum.value, '~g') + ' M' : format(datum.value / 1000, '~g') + ' G'" : `format(datum.value, '~g') + ' ${cost.unit}'`, tickCount: 8, labelOverlap: true } };
  const y = { field: "y", type: "quantitative", scale: { domain: domainOf(sets.points), nice: true }, axis: { title: `SSIM, ${split} photographs` } };
  const paint = { field: "paint", type: "nominal", scale: null };
  const asTold = (field, type) => ({ field, type, scale: null });
  const marks = { mark: { type: "point", strokeWidth: 1.8, opacity: 1, cursor: "pointer", tooltip: TIP },
    encoding: { x, y, shape: asTold("shape", "nominal"), size: asTold("size", "quantitative"), stroke: asTold("paint", "nominal"), fill: asTold("fill", "nominal") } };
  const found = { layer: [
    { data: named("budgets"), mark: { type: "rule", strokeDash: [6, 4], strokeWidth: 1.5 },
      encoding: { x, color: { value: colour("quiet") }, tooltip: [{ field: "says", title: "limit", type: "nominal" }] } },
    { transform: [{ filter: "datum.kind == 'front' || datum.kind == 'control'" }],
      mark: { type: "line", interpolate: "step-after", strokeWidth: 1.4, opacity: 0.6 }, encoding: { x, y, color: paint, detail: [{ field: "run" }, { field: "kind" }], strokeDash: { condition: { test: "datum.kind == 'control'", value: [2, 3] }, value: [1, 0] } } },
    { transform: [{ filter: "datum.bar" }], mark: { type: "rule", strokeWidth: 1.6, opacity: 0.75, clip: true },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: paint } },
    // Below the marks, or it would take their pointer.
    { data: named("chosen"),
      mark: { type: "point", shape: "circle", size: 700, filled: false, strokeWidth: 2.5 }, encoding: { x, y, color: { value: colour("ink") } } },
    marks,
    { transform: [{ filter: "datum.ring" }], mark: { type: "point", shape: "diamond", size: 420, filled: false, strokeWidth: 2.2, tooltip: TIP },
      encoding: { x, y, color: { value: colour("knee") } } },
    { transform: [{ filter: "datum.label" }], mark: { type: "text", dx: -13, dy: -12, fontSize: 11, align: "right" }, // no line comes there
      encoding: { x, y, text: { field: "label" } } },
  ] };
  const looked = { layer: [
    { data: named("chosen-searched"),
      mark: { type: "point", shape: "circle", size: 400, filled: false, strokeWidth: 2.5 },
      encoding: { x, y: { field: "search", type: "quantitative" }, color: { value: colour("ink") } } },
    { data: named("searched"),
      mark: { type: "point", size: 20, filled: true, opacity: 0.55, cursor: "pointer", tooltip: TIP },
      encoding: { x, y: { field: "search", type: "quantitative", scale: { zero: false },
        axis: { title: "the search's own score, validation photographs", grid: false, orient: "right" } }, color: { value: colour("searched") } } },
  ] };
  const proposed = { data: named("rejected"), mark: { type: "tick", orient: "vertical", size: 9, opacity: 0.5, yOffset: -5, tooltip: TIP },
    encoding: { x, y: { value: "height" }, color: { value: colour("searched") } } };
  const any = (kind) => story.runs.some((run) => run.networks.some((one) => one.kind === kind));
  return {
    width: "container", height: window.innerWidth < 640 ? 300 : 400, data: named("points"),
    layer: [...(any("searched") ? [looked] : []), ...(hasRejected() ? [proposed] : []), found],
    resolve: { scale: { y: "independent" } },
  };
}

const hasRejected = () => story.runs.some((run) => run.rejected.length);

function refreshFront() {
  if (!frontView) return;
  for (const [name, rows] of Object.entries(setsShown())) {
    try { frontView.data(name, rows); } catch { /* a set that this chart has no use for */ }
  }
  frontView.runAsync();
}

function showFront() {
  const present = new Set(story.runs.flatMap((run) => run.networks.map((one) => one.kind)));
  if (story.runs.some((run) => run.control.length)) present.add("control");
  if (hasRejected()) present.add("rejected");
  const some = (test) => story.runs.some(test);
  const marks = Object.entries(MARKS).filter(([name]) => name === "knee"
    || (name === "budget" ? some((run) => known(run.cost.budget)) : some((run) => run.networks.some((one) => known(one.low)))));
  const all = [...Object.entries(KINDS).filter(([kind]) => present.has(kind)).reverse().map(([kind, how]) => [kind, how.says]), ...marks];
  if (story.runs.length > 1) byId("switches").append(...story.runs.map((run, place) => el("span", { class: "of-run" }, swatch("front", place), `front of ${run.name}`)));
  byId("switches").append(...all.map(([name, says]) => el("label", {},
    el("input", { type: "checkbox", name, checked: !hidden.has(name), onchange: (event) => {
      if (event.target.checked) hidden.delete(name); else hidden.add(name);
      refreshFront();
    } }), swatch(name), says)));
  drawLater(byId("front-chart"), frontSpec, (view) => {
    frontView = view;
    view.addEventListener("click", (_, item) => {
      if (item && item.datum && item.datum.key) choose(item.datum.run, item.datum.key);
    });
  });
  drawNow(byId("front-chart")); // the first thing that is looked at
}

const SIGNS = { // in the legend, as the chart draws them
  circle: "M5,0A5,5 0 1 1 -5,0A5,5 0 1 1 5,0Z", square: "M-5,-5H5V5H-5Z", diamond: "M0,-7L5,0L0,7L-5,0Z", cross: "M-6,-2H-2V-6H2V-2H6V2H2V6H-2V2H-6Z",
  "triangle-up": "M0,-6L6,5H-6Z", "triangle-down": "M0,6L6,-5H-6Z", "triangle-left": "M-6,0L5,-6V6Z", "triangle-right": "M6,0L-5,-6V6Z",
  searched: "M2.5,0A2.5,2.5 0 1 1 -2.5,0A2.5,2.5 0 1 1 2.5,0Z", rejected: "M0,1L0,7",
  intervals: "M0,-7L0,7", budget: "M0,-7L0,7", knee: "M0,-7L6,0L0,7L-6,0Z",
};

/** The sign of a kind of network, or of a mark; of a front among several, that of the run in this place. */
function swatch(name, place = null) {
  const how = KINDS[name] || { shape: name, colour: { intervals: "front", budget: "quiet", knee: "knee" }[name] };
  const sign = place === null ? how.shape : RUN_SHAPES[place % RUN_SHAPES.length];
  const paint = `var(--${place === null ? how.colour : runColour(place)})`;
  const d = SIGNS[name === "front" ? sign : name] || SIGNS[sign] || sign;
  return shape("svg", { viewBox: "-8 -8 16 16", class: "swatch", "aria-hidden": "true" },
    shape("path", { d, transform: d === STAR ? "scale(7)" : null, "stroke-dasharray": name === "budget" ? "3 2" : null, "stroke-width": 1.8,
      "vector-effect": "non-scaling-stroke", style: `stroke:${paint};fill:${how.filled || name === "searched" ? paint : "none"}` }));
}
