// Elements: what the page is made of; every text becomes a text node, so that no name is ever markup.

const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);

/** An element; `given` are attributes, or listeners where their names begin with "on"; children are elements or text. */
function el(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

/** The same for drawings. */
function shape(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

function filled(node, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function put(where, ...children) {
  where.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** A table; columns are {title, of, figure, bar}: `of` gives a cell's text or element of a row, `bar` a share of it. */
function tableOf(caption, columns, rows) {
  const head = columns.map((one) => el("th", { scope: "col", class: one.figure ? "figure" : null }, one.title));
  const body = rows.map((row) => el("tr", {}, columns.map((one, place) => cellOf(one, row, place === 0))));
  return el("div", {}, el("p", { class: "quiet caption" }, caption), // not a caption, which would be as wide as the table
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", { "aria-label": caption }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body))));
}

function cellOf(column, row, first) {
  const share = column.bar ? column.bar(row) : null;
  const cell = el(first ? "th" : "td", {
    scope: first ? "row" : null,
    class: [column.figure ? "figure" : "", share === null ? "" : "bar", column.kind || ""].join(" ").trim() || null,
  }, column.of(row));
  if (share !== null) cell.style.setProperty("--full", `${Math.max(0, Math.min(100, 100 * share))}%`);
  return cell;
}

function choice(label, options, value, changed) {
  const select = el("select", { onchange: (event) => changed(event.target.value) },
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return el("label", {}, label, select);
}

/** A command, of which no word is broken where a line ends. */
function commandOf(text) {
  return text.split(" ").flatMap((word, place) => [place ? " " : "", el("span", { class: "word" }, word)]);
}

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}
