// Search: how fast it found what it found, which genes decided, and how far its scores can be trusted.

const MOST_LINES = 150; // of the parallel coordinates: more hide one another
const MOST_GENES = 12;

function showSearch() {
  const run = currentRun();
  const pieces = [el("p", {}, Object.entries(run.trials).map(([name, count]) => `${count} ${name.toLowerCase()}`).join(", "), " trials.",
    run.failed.length ? ` Failed: ${run.failed.map((one) => `${one.number} (${one.reason})`).join("; ")}.` : "")];
  const draw = [];
  const one = (title, kind, label, says, spec, clicked) => {
    const place = chart(kind, label);
    const inside = kind === "wide" ? el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, place) : place;
    pieces.push(el("h3", {}, title), inside, el("p", { class: "quiet" }, says));
    draw.push([place, spec, clicked]);
  };
  if (run.course.points.length > 1) {
    const both = ["trial", "minutes"].map((by) => chart("", `Hypervolume over ${by}`));
    pieces.push(el("h3", {}, "Hypervolume"), el("div", { class: "pair" }, both),
      el("p", { class: "quiet" }, "By the search's own scores, above the degraded photographs and below the dearest network of the space. Minutes are those that workers of one thread spent on trials; a supernet's own training is not among them."));
    draw.push([both[0], () => courseSpec("trial", "trials scored")], [both[1], () => courseSpec("minutes", "minutes of one thread")]);
  }
  if (run.importance.length) {
    one("Importance of genes", "", "Importance of genes; a table follows", "Optuna's PED-ANOVA: how much a gene decides whether a network is among the best tenth. Of few trials it is a hint at most.", () => importanceSpec(run));
    pieces.push(el("details", {}, el("summary", {}, "As a table"), tableOf("Importance of genes", [
      { title: "Gene", of: (row) => row.gene }, { title: "for SSIM", figure: true, of: (row) => shareText(row.ssim) }, { title: "for the cost", figure: true, of: (row) => shareText(row.cost) }], run.importance)));
  }
  const genes = varyingGenes(run);
  if (genes.length > 1) {
    one("All genes at once", "wide", "Parallel coordinates of genes, cost and score; the table of networks has the same values",
      "A line a network, from its cost over its genes to its score; the selected one is thick, the front dark. A click selects.", () => parallelSpec(run, genes), true);
  }
  if ((run.calibration.agreements || []).length) pieces.push(...agreementParts(run, draw));
  put(byId("course"), pieces);
  for (const [place, spec, clicked] of draw) {
    drawLater(place, spec, clicked ? (made) => made.addEventListener("click", (_, item) => { if (item?.datum?.key) choose(state.run, item.datum.key); }) : undefined);
  }
}

function courseSpec(by, title) {
  const rows = story.runs.flatMap((run, place) => [
    ...run.course.points.map((point) => ({ ...point, run: run.name, paint: colour(runColour(place)) })),
    ...(run.control_course.points || []).map((point) => ({ ...point, run: "random control", paint: colour("control") })),
  ]);
  const names = [...new Set(rows.map((row) => row.run))];
  const legend = names.length > 1 ? { title: null, orient: "top", labelLimit: 240 } : null;
  return { width: "container", height: 220, data: { values: rows }, mark: { type: "line", interpolate: "step-after", strokeWidth: 2 },
    encoding: {
      x: { field: by, type: "quantitative", axis: { title, tickCount: 8 } }, y: { field: "hypervolume", type: "quantitative", scale: { zero: false }, axis: { title: "SSIM × decades" } },
      color: { field: "run", type: "nominal", scale: { domain: names, range: names.map((name) => rows.find((row) => row.run === name).paint) }, legend },
      strokeDash: { field: "run", type: "nominal", scale: { domain: names }, legend },
      tooltip: [{ field: "run", type: "nominal" }, { field: "trial", type: "quantitative" }, { field: "minutes", type: "quantitative", format: ".1f" }, { field: "hypervolume", type: "quantitative", format: ".4f" }],
    } };
}

function importanceSpec(run) {
  const rows = run.importance.slice(0, MOST_GENES).flatMap((one) => [
    { gene: one.gene, share: one.ssim, of: "SSIM" }, { gene: one.gene, share: one.cost, of: "cost" }]);
  return { width: "container", height: 12 * rows.length, data: { values: rows }, mark: { type: "bar" },
    encoding: {
      y: { field: "gene", type: "nominal", sort: null, axis: { title: null, labelLimit: 170 } }, yOffset: { field: "of" },
      x: { field: "share", type: "quantitative", axis: { title: "importance", format: ".0%", tickCount: 6 } },
      color: { field: "of", type: "nominal", scale: { domain: ["SSIM", "cost"], range: [colour("front"), colour("knee")] }, legend: { title: null, orient: "top" } },
      tooltip: [{ field: "gene", type: "nominal" }, { field: "of", type: "nominal" }, { field: "share", type: "quantitative", format: ".1%" }],
    } };
}

/** Genes with more than one value among the candidates, the most important first. */
function varyingGenes(run) {
  const rank = new Map(run.importance.map((one, place) => [one.gene, place]));
  const values = new Map();
  for (const network of run.networks.slice(1)) {
    for (const [gene, value] of Object.entries(network.choices)) values.set(gene, (values.get(gene) || new Set()).add(value));
  }
  return [...values].filter(([, all]) => all.size > 1).map(([gene]) => gene)
    .sort((one, other) => (rank.get(one) ?? 99) - (rank.get(other) ?? 99)).slice(0, MOST_GENES);
}

function parallelSpec(run, genes) {
  const scored = run.networks.slice(1).filter((one) => one.kind !== "compressed");
  const score = (one) => one.search_ssim ?? ssimOf(run, one);
  const order = { front: 0, "fell off": 1, dominated: 1, searched: 2 };
  const lines = [...scored].sort((one, other) => order[one.kind] - order[other.kind] || score(other) - score(one)).slice(0, MOST_LINES).reverse();
  const axes = [["cost", (one) => Math.log10(one.cost), (one) => costText(run, one.cost)],
    ...genes.map((gene) => [gene, (one) => one.choices[gene], (one) => String(one.choices[gene] ?? MISSING)]),
    ["score", score, (one) => ssimText(score(one))]];
  const rows = axes.flatMap(([axis, value, says]) => {
    const all = lines.map(value).filter(known), words = [...new Set(all.filter((one) => typeof one === "string"))].sort();
    const low = Math.min(...all.map(Number).filter(Number.isFinite)), high = Math.max(...all.map(Number).filter(Number.isFinite));
    const height = (one) => (words.length ? words.indexOf(one) / Math.max(1, words.length - 1) : high > low ? (one - low) / (high - low) : 0.5);
    return lines.filter((one) => known(value(one))).map((one) => ({ axis, key: one.key, name: one.name, height: height(value(one)), says: says(one),
      paint: one.key === state.chosen ? colour("knee") : one.kind === "front" ? colour("front") : colour("searched"),
      stroke: one.key === state.chosen ? 3.5 : one.kind === "front" ? 1.8 : 0.7 }));
  });
  const x = { field: "axis", type: "nominal", sort: null, axis: { title: null, labelAngle: -35, labelLimit: 150, grid: true } };
  const y = { field: "height", type: "quantitative", axis: null };
  const tooltip = [{ field: "name", title: "network", type: "nominal" }, { field: "axis", title: "gene", type: "nominal" }, { field: "says", title: "value", type: "nominal" }];
  return { width: "container", height: 280, data: { values: rows }, layer: [
    { mark: { type: "line", opacity: 0.75, cursor: "pointer" }, encoding: { x, y, detail: { field: "key" }, color: { field: "paint", type: "nominal", scale: null }, strokeWidth: { field: "stroke", type: "quantitative", scale: null }, tooltip } },
    { mark: { type: "point", filled: true, size: 22, cursor: "pointer" }, encoding: { x, y, color: { field: "paint", type: "nominal", scale: null }, tooltip } },
    { transform: [{ aggregate: [{ op: "max", field: "height", as: "top" }], groupby: ["axis", "says"] }, { window: [{ op: "rank", as: "rank" }], sort: [{ field: "top", order: "descending" }], groupby: ["axis"] },
      { joinaggregate: [{ op: "count", as: "values" }], groupby: ["axis"] }, { filter: "datum.values <= 6 || datum.rank == 1 || datum.rank == datum.values" }],
    mark: { type: "text", align: "left", dx: 5, dy: -6, fontSize: 10 }, encoding: { x, y: { ...y, field: "top" }, text: { field: "says" } } },
  ] };
}

function agreementParts(run, draw) {
  const found = run.calibration.agreements.map((one) => ({ ...one, name: one.name || one.score }));
  const place = chart("", "Kendall's tau of each score with full training; the table below has the same figures");
  draw.push([place, () => ({ width: "container", height: 30 * found.length, data: { values: found }, layer: [
    { mark: { type: "rule", strokeWidth: 2 }, encoding: { y: { field: "name", type: "nominal", sort: null, axis: { title: null, labelLimit: 220 } }, x: { field: "low", type: "quantitative", axis: { title: "Kendall's tau with full training, 95 % interval" } }, x2: { field: "high" }, color: { value: colour("front") } } },
    { mark: { type: "point", filled: true, size: 80 }, encoding: { y: { field: "name", type: "nominal", sort: null }, x: { field: "tau", type: "quantitative" }, color: { value: colour("front") } } },
  ] })]);
  const range = (one) => (one ? `${signed(one.value, 2)} (${signed(one.low, 2)}, ${signed(one.high, 2)})` : MISSING);
  return [el("h3", {}, "How far the scores can be trusted"), place, tableOf("Rank correlation with full training", [
    { title: "Score", of: (one) => one.name }, { title: "Kendall's tau", figure: true, of: (one) => range({ value: one.tau, low: one.low, high: one.high }) },
    { title: "above MACs alone", figure: true, of: (one) => range(one.above_macs) }, { title: "among equal MACs", figure: true, of: (one) => range(one.within_bands) },
    { title: "CPU s each", figure: true, of: (one) => (known(one.seconds) ? one.seconds.toFixed(1) : MISSING) }], found),
  el("p", { class: "quiet" }, run.calibration.advice || "")];
}
