// Made: what compression, int8 and export made of the chosen network, and all that the run was made with.

function showSmall() {
  const run = currentRun(), pieces = [], draw = [];
  if (run.compression.length) {
    const best = Math.max(...run.compression.map((one) => one.test_ssim ?? one.ssim ?? 0)), least = run.input_ssim;
    pieces.push(tableOf("After each stage of the compression", [
      { title: "Stage", of: (row) => row.name },
      { title: "SSIM, test", figure: true, bar: (row) => ((row.test_ssim ?? row.ssim) - least) / (best - least), of: (row) => ssimText(row.test_ssim ?? row.ssim) },
      { title: "PSNR dB, test", figure: true, of: (row) => psnrText(row.test_psnr ?? row.psnr) },
      { title: "SSIM, validation", figure: true, of: (row) => ssimText(row.ssim) },
      { title: "MACs", figure: true, of: (row) => macsText(row.macs) },
      { title: "Parameters", figure: true, of: (row) => countText(row.parameters) },
      { title: "Bytes", figure: true, of: (row) => bytesText(row.bytes) },
      { title: "Made by", kind: "long", of: (row) => row.says || "" },
    ], run.compression), el("p", { class: "quiet" }, "Bytes are of saved weights; of int8, of the smallest exported file."));
  } else pieces.push(el("p", { class: "quiet" }, "Nothing is compressed yet: lpienas compress."));
  if (run.pruning_curve.length) {
    const place = chart("", "SSIM over the share that pruning keeps");
    pieces.push(el("h3", {}, "Pruning"), place);
    draw.push([place, () => ({ width: "container", height: 220, data: { values: run.pruning_curve }, mark: { type: "line", point: true, color: colour("front") },
      encoding: { x: { field: "kept", type: "quantitative", axis: { title: "share of the cost that is kept", format: ".0%" } }, y: { field: "ssim", type: "quantitative", scale: { zero: false }, axis: { title: "SSIM, validation photographs" } } } })]);
  }
  if (run.sensitivity.length) {
    const place = chart("", "SSIM that each layer loses in int8; the table below has the same figures");
    pieces.push(el("h3", {}, "Lost to int8, layer by layer"), place, el("details", {}, el("summary", {}, "As a table"), tableOf("Lost to int8, by each layer alone", [
      { title: "Layer", of: (row) => row.layer }, { title: "SSIM lost", figure: true, of: (row) => ssimText(row.ssim_loss) }, { title: "dB lost", figure: true, of: (row) => psnrText(row.psnr_loss) }], run.sensitivity)));
    draw.push([place, () => ({ width: "container", height: 18 * Math.min(25, run.sensitivity.length), data: { values: run.sensitivity.slice(0, 25) }, mark: { type: "bar", color: colour("front") },
      encoding: { y: { field: "layer", type: "nominal", sort: null, axis: { title: null, labelLimit: 220 } }, x: { field: "ssim_loss", type: "quantitative", axis: { title: "SSIM lost" } },
        tooltip: [{ field: "layer", type: "nominal" }, { field: "ssim_loss", type: "quantitative", format: ".4f" }, { field: "psnr_loss", type: "quantitative", format: ".2f" }] } })]);
  }
  if (run.files.length) pieces.push(el("h3", {}, "Files for phones"), tableOf("Exported files, each judged in its own runtime", [
    { title: "File", of: (row) => row.file }, { title: "Runtime", of: (row) => row.runtime || "not run here" }, { title: "Precision", of: (row) => row.precision || "" },
    { title: "Bytes", figure: true, of: (row) => bytesText(row.bytes) }, { title: "SSIM", figure: true, of: (row) => ssimText(row.ssim) }, { title: "PSNR dB", figure: true, of: (row) => psnrText(row.psnr) },
    { title: "Photographs", of: (row) => row.split || "" }], run.files));
  if (run.latency.length) pieces.push(el("h3", {}, "Latency"), tableOf("Latency of one image", [
    { title: "Network", of: (row) => row.network }, { title: "Runtime", of: (row) => `${row.runtime} ${row.precision}` },
    { title: "Size", of: (row) => (row.size ? row.size.join("×") : MISSING) }, { title: "Threads", figure: true, of: (row) => countText(row.threads) },
    { title: "ms", figure: true, of: (row) => `${row.median.toFixed(1)} ± ${row.spread.toFixed(1)}` },
    { title: "Faster than the reference", figure: true, of: (row) => (row.faster ? `${row.faster[0].toFixed(1)} ± ${row.faster[1].toFixed(1)} times` : MISSING) },
    { title: "Peak", figure: true, of: (row) => bytesText(row.peak_memory) }, { title: "File", figure: true, of: (row) => bytesText(row.file_bytes) }, { title: "SSIM", figure: true, of: (row) => ssimText(row.ssim) }], run.latency),
  el("p", { class: "quiet" }, run.latency_says ? `Median and half the distance of the quartiles. SSIM of ${run.latency_says}.` : ""));
  put(byId("compression"), pieces);
  for (const [place, spec] of draw) drawLater(place, spec);
}

function showMade() {
  const { made } = currentRun();
  const asked = made.commands.map((one) => one.command);
  const commands = asked.filter((one, place) => one !== asked[place - 1]); // not once more for a search that went on
  const plain = (value) => (value === null ? MISSING : typeof value === "object" ? JSON.stringify(value) : String(value));
  put(byId("record"),
    el("h3", {}, "The commands that made it, in order"), el("pre", { id: "commands" }, commands.map((one, place) => [place ? "\n" : "", commandOf(one)])),
    el("button", { type: "button", class: "copy", onclick: (event) => copied(event.target, commands.join("\n")) }, "Copy"),
    el("div", { class: "pair" },
      el("div", {}, el("h3", {}, "Settings"), facts(Object.entries(made.settings).map(([name, value]) => [name, plain(value)]))),
      el("div", {}, el("h3", {}, "Versions"), facts([...Object.entries(made.versions), ["platform", made.platform]]),
        el("h3", {}, "Photographs"), el("p", { class: "quiet" }, made.photographs),
        facts([...Object.entries(made.splits).map(([part, one]) => [part, String(one.count)]), ["fingerprint", made.fingerprint]]))),
    ...Object.entries(made.splits).map(([part, one]) => el("details", {}, el("summary", {}, `Photographs: ${part}`), el("p", { class: "quiet" }, one.names.join(", ")))),
    el("details", {}, el("summary", {}, "Search space"), facts(Object.entries(made.space).map(([gene, values]) => [gene, values.join(", ")]))));
}

async function copied(button, text) {
  try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { // not allowed everywhere: then the text is marked
    const range = document.createRange();
    range.selectNodeContents(byId("commands"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
}
