// Numbers: how figures are written, everywhere alike.

const MISSING = "–";

const known = (value) => value !== null && value !== undefined;
const ssimText = (value) => (known(value) ? value.toFixed(4) : MISSING);
const psnrText = (value) => (known(value) ? value.toFixed(2) : MISSING);
const COUNT = new Intl.NumberFormat("en");
const countText = (value) => (known(value) ? COUNT.format(value) : MISSING);
const shareText = (value) => (known(value) ? `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %` : MISSING);
const signed = (value, digits = 4) => (known(value) ? `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(digits)}` : MISSING);

function costText(run, cost) {
  if (!cost) return MISSING;
  const value = cost / run.cost.scale;
  return `${value.toPrecision(value >= 1000 ? 4 : 3)} ${run.cost.unit}${run.cost.kind === "macs" ? "MACs" : ""}`;
}

function macsText(macs) {
  return known(macs) ? `${(macs / 1e6).toPrecision(macs >= 1e9 ? 4 : 3)} MMACs` : MISSING;
}

function bytesText(bytes) {
  if (!known(bytes)) return MISSING;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

/** The figure that the page goes by: of test photographs where the run has been tested, else of validation ones. */
const ssimOf = (run, network) => (run.split === "test" ? network.test_ssim : network.ssim);
const psnrOf = (run, network) => (run.split === "test" ? network.test_psnr : network.psnr);

function intervalText(network) {
  return known(network.low) ? `${network.low.toFixed(4)} to ${network.high.toFixed(4)}` : MISSING;
}

const role = (network) => (network.knee && network.kind === "front" ? "front, knee" : network.kind);
