// Table: the networks of a run, sorted by any column, filtered by SSIM and cost; the same choice as in the chart.

const table = { by: "cost", falling: false, above: null, below: null, every: false };

const columns = () => {
  const run = currentRun();
  return [
    { id: "name", title: "Network", value: (one) => (Number.isNaN(Number(one.key)) ? one.key : Number(one.key)), cell: (one) => chooser(one) },
    { id: "role", title: "Role", kind: "whole", value: (one) => role(one), cell: (one) => role(one) },
    { id: "cost", title: run.cost.kind === "macs" ? "MACs" : run.cost.kind, figure: true, value: (one) => one.cost || null, cell: (one) => costText(run, one.cost) },
    { id: "ssim", title: `SSIM (${run.split})`, figure: true, value: (one) => ssimOf(run, one), cell: (one) => ssimText(ssimOf(run, one)) },
    { id: "interval", title: "95 % interval", figure: true, value: (one) => one.low, cell: (one) => intervalText(one) },
    { id: "psnr", title: "PSNR dB", figure: true, value: (one) => psnrOf(run, one), cell: (one) => psnrText(psnrOf(run, one)) },
    { id: "search", title: "Search's score", figure: true, value: (one) => one.search_ssim, cell: (one) => ssimText(one.search_ssim) },
    { id: "parameters", title: "Parameters", figure: true, value: (one) => one.parameters, cell: (one) => countText(one.parameters) },
    { id: "trainings", title: "Trainings", figure: true, value: (one) => one.trainings, cell: (one) => countText(one.trainings) },
    { id: "genes", title: "Genes", kind: "genes", value: (one) => one.genes, cell: (one) => one.genes },
  ];
};

function chooser(network) {
  return el("button", { type: "button", "data-key": network.key, onclick: () => choose(state.run, network.key) }, network.name);
}

function shownNetworks() {
  const run = currentRun();
  const scored = (one) => (known(ssimOf(run, one)) ? ssimOf(run, one) : one.search_ssim);
  return run.networks.filter((one) => (table.every || one.kind !== "searched" || one.key === state.chosen)
    && (table.above === null || (known(scored(one)) && scored(one) > table.above))
    && (table.below === null || (one.cost && one.cost / run.cost.scale < table.below)));
}

function compared(one, other) {
  if (!known(one) || !known(other)) return known(one) ? -1 : known(other) ? 1 : 0; // what is missing comes last
  const order = typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
  return table.falling ? -order : order;
}

function showTable() {
  const every = columns();
  const by = every.find((one) => one.id === table.by);
  const rows = [...shownNetworks()].sort((one, other) => compared(by.value(one), by.value(other)));
  const head = every.map((one) => el("th", {
    scope: "col", class: one.figure ? "figure" : null, "aria-sort": one.id !== table.by ? "none" : table.falling ? "descending" : "ascending",
  }, el("button", { type: "button", "data-sort": one.id, onclick: () => sortBy(one.id) },
    `${one.title}${one.id !== table.by ? "" : table.falling ? " ▼" : " ▲"}`)));
  const body = rows.map((network) => el("tr", { "aria-current": network.key === state.chosen ? "true" : null },
    every.map((one, place) => cellOf({ ...one, of: one.cell }, network, place === 0))));
  put(byId("networks-table"), el("table", { "aria-label": "Networks" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
  const run = currentRun();
  byId("table-says").textContent = `${rows.length} of ${run.networks.length} networks. `
    + (run.networks.some((one) => known(one.low))
      ? "Intervals are of the difference from the reference on the same test photographs, over other photographs and trainings, each network by itself, added to the reference's SSIM."
      : "No intervals: they need test scores, and more than one independent training (search --least-seeds 2).");
}

function sortBy(id) {
  table.falling = table.by === id ? !table.falling : ["ssim", "psnr", "search"].includes(id);
  table.by = id;
  showTable();
  document.querySelector(`[data-sort="${id}"]`).focus();
}

function showFilters() {
  const run = currentRun();
  const number = (name, label, step, place) => el("label", {}, label, el("input", { type: "number", name, step, min: 0, placeholder: place,
    oninput: (event) => { table[name] = event.target.value === "" ? null : Number(event.target.value); showTable(); } }));
  put(byId("filters"),
    number("above", "SSIM above", "0.001", "0.9"),
    number("below", `${run.cost.kind === "macs" ? "MACs" : run.cost.kind} below, ${run.cost.unit}`, "any", run.cost.kind === "macs" ? "600" : "25"),
    run.networks.some((one) => one.kind === "searched")
      ? el("label", {}, el("input", { type: "checkbox", name: "every", onchange: (event) => { table.every = event.target.checked; showTable(); } }),
        "all that the search scored") : null);
  byId("filters").onsubmit = (event) => event.preventDefault();
}
