// Page: what is selected, and what is shown of it.

const story = JSON.parse(byId("story").textContent);
const state = { run: 0, chosen: "", whole: false };

const currentRun = () => story.runs[state.run];
const chosenNetwork = () => currentRun().networks.find((one) => one.key === state.chosen) || currentRun().networks[0];
const kneeOf = (run) => (run.networks.find((one) => one.knee) || run.networks[0]).key;

function choose(run, key) {
  const other = run !== state.run;
  state.run = run;
  state.chosen = key;
  if (other) showRun(); else showSelection();
}

function showSelection() {
  showChosen();
  showTable();
  refreshFront();
  if (state.whole) showPictures();
}

function showPictures() {
  showDrawings();
  showPhotographs();
  for (const place of document.querySelectorAll("#course .chart.wide")) if (waiting.has(place)) drawLater(place, waiting.get(place).spec, waiting.get(place).drawn);
}

/** What was found, in a sentence, and how sure that is. */
function verdictOf(run) {
  const [, found, sure] = run.verdict.match(/^(.*?\.)(?: (.*))?$/s) || [null, run.verdict, ""];
  return [found, sure || ""];
}

function showRun() {
  const run = currentRun();
  const [found, sure] = verdictOf(run);
  byId("verdict").textContent = found;
  byId("sure").textContent = sure;
  byId("basis").textContent = run.verdict.includes(run.basis) ? "" : `Scores: ${run.basis}, ${run.measured_on}.`;
  byId("front-says").textContent = `Figures of the front are of ${run.split} photographs; the degraded ones themselves have SSIM ${ssimText(run.input_ssim)}. A click on a network, or on its name in the table, selects it.`;
  put(byId("tiles"), tilesOf(run).map(([figure, says]) => el("li", {}, el("strong", {}, figure), el("span", {}, says))));
  for (const button of document.querySelectorAll("#run-choice button")) button.setAttribute("aria-pressed", String(Number(button.value) === state.run));
  showFilters();
  if (state.whole) showFurther();
  showSelection();
}

function showFurther() {
  showSmall();
  showSearch();
  showMade();
}

/** Show all else, once the file is read to its end, where the pictures stand: the front is drawn before that. */
function showWhole() {
  if (state.whole || document.readyState === "loading") return;
  state.whole = true;
  JSON.parse(byId("rest").textContent).runs.forEach(({ photographs, networks }, place) => {
    story.runs[place].photographs = photographs;
    for (const [which, parts] of Object.entries(networks)) Object.assign(story.runs[place].networks[which], parts);
  });
  showFurther();
  showPictures();
  document.documentElement.dataset.shown = "whole";
  byId(location.hash.slice(1))?.scrollIntoView();
}

function tilesOf(run) {
  const knee = run.networks.find((one) => one.knee), reference = run.networks[0];
  const gain = knee && known(ssimOf(run, knee)) && known(ssimOf(run, reference)) ? ssimOf(run, knee) - ssimOf(run, reference) : null;
  return [
    [knee ? costText(run, knee.cost) : MISSING, `knee, ${knee ? knee.name : ""}: ${knee ? shareText(knee.cost / reference.cost) : ""} of the reference's cost`],
    [ssimText(knee && ssimOf(run, knee)), `SSIM of the knee, ${run.split}${gain === null ? "" : `; ${signed(gain)} against the reference`}`],
    [ssimText(run.input_ssim), "SSIM of the degraded photographs themselves"],
    [String(run.networks.filter((one) => one.kind === "front" || (one.knee && one.kind === "reference")).length), `networks on the front of ${run.networks.length} shown`],
    [run.hypervolume.toFixed(4), "hypervolume, SSIM × decades of cost"],
    [known(run.seed_noise) ? run.seed_noise.toFixed(4) : MISSING, "seed noise: SSIM between trainings of one network"],
  ];
}

function showRuns() {
  if (story.runs.length < 2) return;
  put(byId("run-choice"), el("div", { class: "filters", role: "group", "aria-label": "Run" },
    story.runs.map((run, place) => el("button", { type: "button", value: place, "aria-pressed": "false", onclick: () => choose(place, kneeOf(run)) }, run.name))));
  const knee = (run) => run.networks.find((one) => one.knee) || run.networks[0];
  put(byId("side-by-side"), tableOf(`The runs side by side: ${story.beside.says}`, [
    { title: "Run", of: (run) => run.name },
    { title: "Budget", figure: true, of: (run) => (known(run.cost.budget) ? costText(run, run.cost.budget) : "none") },
    { title: "Scored", figure: true, of: (run) => countText(run.trials.COMPLETE || 0) },
    { title: "Knee", kind: "whole", of: (run) => knee(run).name },
    { title: "Its cost", figure: true, of: (run) => costText(run, knee(run).cost) },
    { title: "Its SSIM", figure: true, of: (run) => `${ssimText(ssimOf(run, knee(run)))} (${run.split})` },
    { title: "Degraded", figure: true, of: (run) => ssimText(run.input_ssim) },
    story.beside.hypervolumes
      ? { title: "Hypervolume, one corner for all", figure: true, of: (run) => story.beside.hypervolumes[story.runs.indexOf(run)].toFixed(4) }
      : { title: "Hypervolume, its own corner", figure: true, of: (run) => run.hypervolume.toFixed(4) },
    { title: "Found", kind: "long", of: (run) => verdictOf(run)[0] },
  ], story.runs));
}

function theme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").setAttribute("aria-pressed", String(dark));
  drawAllAgain();
}

function begin() {
  const names = story.runs.map((run) => run.name).join(", ");
  document.title = `lpienas: ${names}`;
  byId("page-name").textContent = names;
  byId("footer").textContent = `Written ${story.at} by lpienas ${story.version}. This file asks the network for nothing.`;
  put(byId("sections"), [...document.querySelectorAll("main > section")].map((one) => el("a", { href: `#${one.id}` }, one.querySelector("h1, h2").textContent)));
  const wished = matchMedia("(prefers-color-scheme: dark)");
  theme(wished.matches);
  wished.addEventListener("change", (event) => theme(event.matches));
  byId("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme !== "dark"));
  state.chosen = kneeOf(currentRun());
  showRuns();
  showFront();
  showRun();
  addEventListener("resize", moveLoupe);
  addEventListener("beforeprint", () => { showWhole(); drawAllNow(); });
  document.addEventListener("DOMContentLoaded", () => requestAnimationFrame(() => setTimeout(showWhole)));
  addEventListener("load", () => setTimeout(showWhole, 1000)); // in a tab behind others, too
}

begin();
