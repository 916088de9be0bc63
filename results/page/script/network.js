// Network: the selected one drawn stage by stage beside the reference, with what each stage costs and is worth.

const STEP = 66, LEVEL = 62; // between two stages, and two levels, in units of the drawing

function showChosen() {
  const run = currentRun(), one = chosenNetwork(), reference = run.networks[0];
  const gain = known(ssimOf(run, one)) && known(ssimOf(run, reference)) ? ssimOf(run, one) - ssimOf(run, reference) : null;
  put(byId("chosen"),
    el("h3", {}, one.name),
    el("p", { class: "quiet" }, role(one)),
    facts([
      ["cost", costText(run, one.cost)],
      one.kind === "reference" ? ["", null] : ["of the reference's", one.cost ? shareText(one.cost / reference.cost) : null],
      [`SSIM, ${run.split}`, ssimText(ssimOf(run, one))],
      one.kind === "reference" ? ["", null] : ["against reference", gain === null ? null : signed(gain)],
      ["95 % interval", known(one.low) ? `${signed(one.low - ssimOf(run, reference))} to ${signed(one.high - ssimOf(run, reference))}` : null],
      [`PSNR, ${run.split}`, known(psnrOf(run, one)) ? `${psnrText(psnrOf(run, one))} dB` : null],
      ["search's score", known(one.search_ssim) ? ssimText(one.search_ssim) : null],
      ["parameters", countText(one.parameters)],
      ["full trainings", one.kind === "compressed" ? null : one.trainings],
    ]),
    el("p", { class: "quiet" }, one.genes),
    one.kind === "compressed" || one.kind === "reference" ? null
      : [el("p", { class: "quiet" }, "To go on with it:"), el("pre", {}, commandOf(nextCommand(run, one)))],
  );
}

/** An LPIENet is compressed; a network of the user's own is exported as it is. */
function nextCommand(run, one) {
  const family = run.made.settings.family;
  if (!family) return `lpienas compress ${run.made.folder} --pick ${one.key}`;
  return `lpienas export ${run.made.folder} --family FILE.py:${family.name} --pick ${one.key}`;
}

function showDrawings() {
  const run = currentRun(), one = chosenNetwork(), reference = run.networks[0];
  const both = one.key === reference.key ? [one] : [one, reference];
  put(byId("drawings"), both.map((network) => describedNetwork(run, network)));
}

function describedNetwork(run, network) {
  if (!network.stages.length) {
    return el("div", {}, el("h3", {}, `${network.name}, ${macsText(network.macs)}`), el("p", {}, network.genes),
      el("p", { class: "quiet" }, "A network of a family of the user's own: its parts are not known here, so that it is neither drawn nor taken apart."));
  }
  const anatomy = run.anatomies[network.key];
  const parts = new Map((anatomy ? anatomy.stages : []).map((part) => [part.name, part]));
  const worst = Math.max(1e-9, ...[...parts.values()].map((part) => part.ssim_lost));
  const most = Math.max(...network.stages.map((stage) => stage.share));
  const others = [...parts.values()].filter((part) => part.kind !== "stage");
  const worth = anatomy ? [
    { title: "Worth, SSIM", figure: true, bar: (row) => (row.part ? row.part.ssim_lost / worst : null), of: (row) => (row.part ? ssimText(row.part.ssim_lost) : "") },
    ...([...parts.values()].some((part) => known(part.ssim_low)) ? [{ title: "95 %", figure: true, of: (row) => (row.part && known(row.part.ssim_low) ? `${ssimText(row.part.ssim_low)} to ${ssimText(row.part.ssim_high)}` : "") }] : []),
    { title: "dB", figure: true, of: (row) => (row.part ? psnrText(row.part.psnr_lost) : "") },
    { title: "Firing", figure: true, of: (row) => (row.part ? shareText(row.part.firing) : "") },
  ] : [];
  const cost = { title: "MACs", figure: true, bar: (row) => (known(row.share) ? row.share / most : null), of: (row) => (known(row.share) ? shareText(row.share) : "") };
  const table = tableOf(`Stages of ${network.name}`, [
    { title: "Stage", of: (row) => row.name },
    { title: "Channels", figure: true, of: (row) => (known(row.width) ? row.width : "") },
    { title: "Blocks", kind: "whole", of: (row) => (row.hidden ? blocksText(row, true) : "") },
    cost, ...worth,
  ], network.stages.map((stage) => ({ ...stage, part: parts.get(stage.name) })));
  const rest = others.length === 0 ? null : el("details", {}, el("summary", {}, "Its attention and skips"), tableOf(`Attention and skips of ${network.name}`,
    [{ title: "Part", of: (row) => row.name }, cost, ...worth], others.map((part) => ({ name: part.name, share: part.kind === "skip" ? null : part.macs_share, part }))));
  return el("div", {}, el("h3", {}, `${network.name}, ${macsText(network.macs)}`),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Drawing of ${network.name}` }, drawing(network)),
    table, rest,
    el("p", { class: "quiet" }, anatomy ? `Worth on ${anatomy.photographs}.` : "What its stages are worth is known of networks that were trained fully."));
}

function drawing(network) {
  const deepest = Math.max(...network.stages.map((stage) => stage.level));
  const width = STEP * (network.stages.length + 1.2), height = LEVEL * deepest + 62;
  const widest = Math.max(...network.stages.map((stage) => stage.width || 3), 16);
  const most = Math.max(...network.stages.map((stage) => stage.share));
  const at = new Map();
  network.stages.forEach((stage, place) => {
    const tall = 12 + 36 * Math.sqrt((stage.width || 3) / widest);
    at.set(stage.name, { x: STEP * (place + 1.1), y: 34 + LEVEL * (stage.level - 1), tall });
  });
  const image = shape("svg", { class: "drawing", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${network.name}: ${network.stages.map((stage) => `${stage.name}${stage.width ? ` ${stage.width} channels` : ""}`).join(", ")}` });
  const names = [...at.keys()];
  names.forEach((name, place) => {
    const here = at.get(name), before = place ? at.get(names[place - 1]) : { x: STEP * 0.3, y: at.get(names[0]).y };
    image.append(shape("path", { class: "link", d: `M${before.x + (place ? 22 : 0)},${before.y}L${here.x - 22},${here.y}` }));
    const skip = network.stages[place].skip;
    if (skip && at.has(skip) && skip !== names[place - 1]) {
      const from = at.get(skip), top = Math.min(from.y - from.tall / 2, here.y - here.tall / 2) - 12;
      image.append(shape("path", { class: "skip-link", d: `M${from.x},${from.y - from.tall / 2}C${from.x},${top} ${here.x},${top} ${here.x},${here.y - here.tall / 2}` }));
    }
  });
  for (const stage of network.stages) {
    const { x, y, tall } = at.get(stage.name);
    const box = shape("rect", { x: x - 22, y: y - tall / 2, width: 44, height: tall, rx: 5 });
    box.style.fill = `color-mix(in srgb, var(--front) ${Math.round(8 + 60 * stage.share / most)}%, var(--paper))`;
    image.append(box,
      shape("text", { x, y: y + 4 }, stage.width ? String(stage.width) : "RGB"),
      shape("text", { class: "small", x, y: y + tall / 2 + 12 }, stage.name),
      shape("text", { class: "small", x, y: y + tall / 2 + 24 }, stage.hidden ? blocksText(stage) : shareText(stage.share)));
  }
  return image;
}

/** Blocks and their hidden channels, in brackets the expansion if asked, and the branches of attention: channel, spatial. */
function blocksText(stage, expansion = false) {
  const hidden = [...new Set(stage.hidden)];
  const ratios = expansion ? ` (${hidden.map((one) => Number((one / stage.width).toFixed(2))).join("/")})` : "";
  return `${stage.hidden.length}× ${hidden.join("/")}${ratios}${ATTENTION[stage.attention]}`;
}

const ATTENTION = { none: "", channel: " ch", spatial: " sp", both: " ch sp" };
