// Photographs: before, after and clean of one photograph, with a slider between two of them and a loupe on all three.

const view = { photograph: 0, left: "degraded", right: null, worst: false, at: 50, x: 0.5, y: 0.5, zoom: 4 };

function sidesOf(run, photograph) {
  const named = new Map(run.networks.map((one) => [one.key, one.name]));
  return new Map([
    ["degraded", { says: "degraded", picture: photograph.degraded, ssim: photograph.ssim, psnr: photograph.psnr }],
    ["clean", { says: "clean", picture: photograph.clean }],
    ...Object.entries(photograph.outputs).map(([key, one]) => [key, { says: named.get(key) || key, ...one }]),
  ]);
}

/** The photographs in the order that is asked for: as they come, or the shown network's worst first. */
function photographsInOrder(run) {
  const score = (one) => (one.outputs[view.right] || one).ssim;
  return view.worst ? [...run.photographs].sort((one, other) => score(one) - score(other)) : [...run.photographs];
}

/** The network whose pictures are shown: the selected one where it has some, else the knee, else any. */
function followChosen() {
  const run = currentRun();
  if (!run.photographs.length) return;
  const keys = Object.keys(run.photographs[0].outputs);
  const knee = run.networks.find((one) => one.knee);
  if (keys.includes(state.chosen)) view.right = state.chosen;
  else if (!keys.includes(view.right)) view.right = keys.includes(knee && knee.key) ? knee.key : keys[0];
}

function showPhotographs() {
  const run = currentRun();
  if (!run.photographs.length) {
    put(byId("viewer"), el("p", { class: "quiet" }, "No photographs: none of the networks was trained fully, or they were left out."));
    return;
  }
  followChosen();
  const ordered = photographsInOrder(run);
  view.photograph = Math.min(view.photograph, ordered.length - 1);
  const photograph = ordered[view.photograph], sides = sidesOf(run, photograph);
  if (!sides.has(view.left)) view.left = "degraded";
  const options = [...sides].map(([key, one]) => [key, one.says]);
  const again = (change) => (value) => { change(value); showPhotographs(); };
  put(byId("viewer"),
    el("div", { class: "filters" },
      choice("Photograph", ordered.map((one, place) => [String(place), one.name]), String(view.photograph), again((value) => { view.photograph = Number(value); })),
      choice("Left", options, view.left, again((value) => { view.left = value; })),
      choice("Right", options, view.right, again((value) => { view.right = value; })),
      el("label", {}, el("input", { type: "checkbox", name: "worst", checked: view.worst, onchange: (event) => { view.worst = event.target.checked; view.photograph = 0; showPhotographs(); } }),
        "worst first"),
      choice("Loupe", [["2", "2×"], ["4", "4×"], ["8", "8×"]], String(view.zoom), again((value) => { view.zoom = Number(value); }))),
    el("div", { class: "viewer" }, stageOf(photograph, sides), loupesOf(photograph, sides)),
    el("p", { class: "quiet" }, `${run.photographs_say}, chosen so that half of them are the knee's worst. Pictures are lossy WebP; figures are of the pictures before that.`),
    chosenNotShown(run));
  moveLoupe();
}

function chosenNotShown(run) {
  return view.right === state.chosen ? null
    : el("p", { class: "quiet" }, `${chosenNetwork().name} has no pictures here; ${run.networks.find((one) => one.key === view.right)?.name || view.right} is shown.`);
}

const figuresOf = (side) => (known(side.ssim) ? `SSIM ${ssimText(side.ssim)}, ${psnrText(side.psnr)} dB` : "what it should be");

function stageOf(photograph, sides) {
  const [height, width] = photograph.size, left = sides.get(view.left), right = sides.get(view.right);
  const stage = el("div", { class: "stage", id: "stage", onpointermove: follow, onpointerdown: follow },
    el("img", { src: left.picture, width, height, alt: `${photograph.name}, ${left.says}` }),
    el("img", { class: "over", src: right.picture, width, height, alt: `${photograph.name}, ${right.says}` }),
    el("div", { class: "edge" }), el("div", { class: "lens", id: "lens" }),
    el("span", { class: "tag left" }, left.says), el("span", { class: "tag right" }, right.says));
  stage.style.setProperty("--at", `${view.at}%`);
  const slide = el("input", { type: "range", class: "slider", id: "slider", min: 0, max: 100, step: 1, value: view.at, "aria-label": "Where left ends and right begins, in percent",
    oninput: (event) => { view.at = Number(event.target.value); stage.style.setProperty("--at", `${view.at}%`); } });
  return el("figure", { style: "margin:0" }, stage, slide,
    el("figcaption", {}, `${left.says}: ${figuresOf(left)}. ${right.says}: ${figuresOf(right)}.`));
}

function loupesOf(photograph, sides) {
  const shown = [...new Set([view.left, view.right, "clean"])];
  return el("div", {}, el("div", { class: "loupes", tabindex: 0, role: "group", "aria-label": "Loupe; arrow keys move it", onkeydown: keys },
    shown.map((key) => {
      const side = sides.get(key);
      const glass = el("div", { class: "glass", role: "img", "aria-label": `${photograph.name}, ${side.says}, enlarged` });
      glass.style.backgroundImage = `url("${side.picture}")`;
      return el("figure", {}, glass, el("figcaption", {}, side.says, el("br"), figuresOf(side)));
    })), scoresOf(photograph, sides));
}

function scoresOf(photograph, sides) {
  const rows = [...sides].filter(([, side]) => known(side.ssim));
  return tableOf(`Scores on ${photograph.name}`, [
    { title: "Picture", of: ([, side]) => side.says },
    { title: "SSIM", figure: true, of: ([, side]) => ssimText(side.ssim) },
    { title: "PSNR dB", figure: true, of: ([, side]) => psnrText(side.psnr) },
  ], rows);
}

function follow(event) {
  const box = byId("stage").getBoundingClientRect();
  view.x = (event.clientX - box.left) / box.width;
  view.y = (event.clientY - box.top) / box.height;
  moveLoupe();
}

function keys(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  view.x += move[0] * 0.03;
  view.y += move[1] * 0.03;
  moveLoupe();
}

/** Put every glass, and the frame that shows where they look, over the point of `view`. */
function moveLoupe() {
  const stage = byId("stage");
  if (!stage) return;
  const image = stage.querySelector("img"), ratio = image.height / image.width || 1;
  const across = 1 / view.zoom, down = across / ratio; // shares of the picture that a square glass shows
  const left = Math.max(0, Math.min(1 - across, view.x - across / 2)), top = Math.max(0, Math.min(1 - down, view.y - down / 2));
  view.x = left + across / 2;
  view.y = top + down / 2;
  const lens = byId("lens");
  Object.assign(lens.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * across}%`, height: `${100 * down}%` });
  for (const glass of document.querySelectorAll(".glass")) {
    glass.style.backgroundSize = `${100 * view.zoom}% auto`;
    glass.style.backgroundPosition = `${across < 1 ? (100 * left) / (1 - across) : 0}% ${down < 1 ? (100 * top) / (1 - down) : 0}%`;
  }
}
