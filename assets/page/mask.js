// The attention mask of WINO, drawn from the mask itself: rows look, columns are seen.
//
// data: {prompt_length, gen_length, block_length, follows, blocks: [{rows: [[count, [[from, to], …]], …], pieces: […]}],
//        passes: [block of each pass]}; a row entry stands for `count` equal rows that see the columns from..to-1.

const SVG = "http://www.w3.org/2000/svg";
const MASK_SIZE = 430; // px, at most
const MASK_LEAST = 160; // px, with the words beside it
const MARGIN = { left: 74, top: 30 };
const CLOSE = 7; // slots in the enlarged part

function draw(tag, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

function showMask(element, data) {
  element.winoStop?.();
  element.replaceChildren();
  if (!data) return;
  const view = { data, element, block: -1, title: part("p", "mask-title"), figure: part("div", "mask-figure") };
  view.readout = part("p", "mask-readout");
  element.append(view.title, view.figure, view.readout);
  showBlock(view, 0, 0);
  const follow = (event) => {
    if (!event.target.closest?.(`#${data.follows}`)) return;
    const pass = Math.max(1, event.detail.pass);
    showBlock(view, data.passes[pass - 1] ?? data.blocks.length - 1, event.detail.pass);
  };
  document.addEventListener("wino-pass", follow);
  const resize = new ResizeObserver(() => drawBlock(view));
  resize.observe(element);
  element.winoStop = () => {
    document.removeEventListener("wino-pass", follow);
    resize.disconnect();
  };
}

function showBlock(view, block, pass) {
  const { data } = view;
  view.title.textContent = `While block ${block + 1} of ${data.blocks.length} is decoded${pass ? `, as in pass ${pass}` : ""}`;
  if (block === view.block) return;
  view.block = block;
  drawBlock(view);
}

// The parts of the sequence in order: {name, long, from, to}.
function partsOf(data, block) {
  const parts = [{ name: "prompt", long: "the prompt", from: 0, to: data.prompt_length }];
  for (let b = 0; b < data.blocks.length; b++) {
    const from = data.prompt_length + b * data.block_length;
    parts.push({ name: `block ${b + 1}`, long: `block ${b + 1}`, from, to: from + data.block_length, current: b === block });
  }
  const from = data.prompt_length + data.gen_length;
  parts.push({ name: "shadow", long: `the shadow of block ${block + 1}`, from, to: from + data.block_length, shadow: true });
  return parts;
}

function drawBlock(view) {
  const { data, block } = view;
  const width = Math.min(MASK_SIZE, view.element.clientWidth || MASK_SIZE);
  if (width < MASK_LEAST) return; // a tab that is just being opened: it is drawn when there is room
  if (width === view.width && block === view.drawn) return;
  Object.assign(view, { width, drawn: block });
  const rows = data.blocks[block].rows;
  const parts = partsOf(data, block);
  const total = parts.at(-1).to;
  const scale = (width - MARGIN.left - 2) / total;
  const height = MARGIN.top + total * scale + 22;
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "mask-picture", role: "img" });
  picture.setAttribute("aria-label", `Attention mask while block ${block + 1} is decoded. The text under it says who sees what.`);
  const cells = draw("g", { transform: `translate(${MARGIN.left} ${MARGIN.top}) scale(${scale})` });
  cells.append(draw("rect", { width: total, height: total, class: "mask-hidden" }));
  const shadow = parts.at(-1);
  for (const [className, from, to] of [["mask-sees", 0, shadow.from], ["mask-judges", shadow.from, total]]) {
    cells.append(draw("path", { d: seenPath(rows, from, to), class: className, "shape-rendering": "crispEdges" }));
  }
  picture.append(cells, ...frames(parts, scale, total), ...labels(parts, scale, total, shadow));
  const box = part("div", "mask-whole");
  box.append(picture);
  view.figure.replaceChildren(box, closeUp(data, block, rows, parts));
  picture.addEventListener("pointermove", (event) => readOut(view, event, picture, rows, parts, scale));
  picture.addEventListener("pointerleave", () => (view.readout.textContent = HINT));
  view.readout.textContent = HINT;
}

const HINT = "Point at the picture to read one place of it.";

// What rows from..to-1 see, as one path of rectangles.
function seenPath(rows, from, to) {
  let path = "";
  let top = 0;
  for (const [count, seen] of rows) {
    const [first, last] = [Math.max(top, from), Math.min(top + count, to)];
    if (first < last) for (const [a, b] of seen) path += `M${a} ${first}h${b - a}v${last - first}h${a - b}z`;
    top += count;
  }
  return path;
}

function frames(parts, scale, total) {
  const at = (side, n) => MARGIN[side] + n * scale;
  const lines = parts.slice(1).flatMap(({ from }) => [
    draw("line", { x1: at("left", from), x2: at("left", from), y1: MARGIN.top, y2: at("top", total), class: "mask-border" }),
    draw("line", { y1: at("top", from), y2: at("top", from), x1: MARGIN.left, x2: at("left", total), class: "mask-border" }),
  ]);
  const current = parts.find((entry) => entry.current);
  const size = (current.to - current.from) * scale;
  const judged = { x: at("left", current.from), y: at("top", parts.at(-1).from), width: size, height: size };
  return [...lines, draw("rect", { ...judged, class: "mask-current" })];
}

function labels(parts, scale, total, shadow) {
  const made = [];
  for (const entry of parts) {
    const middle = ((entry.from + entry.to) / 2) * scale;
    const className = entry.current ? "mask-label mask-label-current" : "mask-label";
    made.push(draw("text", { x: MARGIN.left + middle, y: MARGIN.top - 8, class: className, "text-anchor": "middle" }, entry.name));
    made.push(draw("text", { x: MARGIN.left - 8, y: MARGIN.top + middle + 4, class: className, "text-anchor": "end" }, entry.name));
  }
  const inside = (x, y, text, className) =>
    made.push(draw("text", { x: MARGIN.left + x * scale, y: MARGIN.top + y * scale + 4, class: className, "text-anchor": "middle" }, text));
  inside(shadow.from / 2, shadow.from / 2, "all see each other", "mask-words");
  inside((shadow.from + total) / 2, shadow.from / 2, "not seen", "mask-words-hidden");
  inside(shadow.from / 2, total + 13 / scale, "columns: what is seen  ·  rows: who looks", "mask-label");
  return made;
}

// The first slots of the shadow against their twins, large enough to see that only the diagonal is dark.
function closeUp(data, block, rows, parts) {
  const current = parts.find((entry) => entry.current);
  const shadow = parts.at(-1);
  const count = Math.min(CLOSE, data.block_length);
  const [cell, left, top] = [24, 92, 62];
  const figure = part("figure", "mask-close");
  const picture = draw("svg", {
    viewBox: `0 0 ${left + count * cell + 34} ${top + count * cell + 6}`, width: left + count * cell + 34, height: top + count * cell + 6,
    class: "mask-picture", role: "img", "aria-label": "Enlarged: each shadow slot sees every token but its own twin.",
  });
  const pieces = data.blocks[block].pieces;
  for (let i = 0; i < count; i++) {
    const piece = (pieces[i] ?? "").trim() || "·";
    const y = top + i * cell;
    picture.append(draw("text", { x: left - 8, y: y + 16, class: "mask-label", "text-anchor": "end" }, `judge of ${i + 1}`));
    const x = left + i * cell + 15;
    picture.append(draw("text", { x, y: top - 6, class: "mask-piece", transform: `rotate(-45 ${x} ${top - 6})` }, piece));
    const seen = seenBy(rows, shadow.from + i);
    for (let j = 0; j < count; j++) {
      const sees = isSeen(seen, current.from + j);
      const place = { x: left + j * cell + 1, y: y + 1, width: cell - 2, height: cell - 2, rx: 4 };
      picture.append(draw("rect", { ...place, class: sees ? "mask-judges" : "mask-twin" }));
    }
  }
  figure.append(picture, part("figcaption", "", `The first ${count} rows of the shadow against the first ${count} tokens of block ${block + 1}, enlarged.`));
  return figure;
}

function seenBy(rows, row) {
  let top = 0;
  for (const [count, seen] of rows) {
    top += count;
    if (row < top) return seen;
  }
  return [];
}

const isSeen = (seen, column) => seen.some(([a, b]) => a <= column && column < b);

function readOut(view, event, picture, rows, parts, scale) {
  const box = picture.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left - MARGIN.left) / scale);
  const row = Math.floor((event.clientY - box.top - MARGIN.top) / scale);
  const [looks, seen] = [row, column].map((n) => parts.find(({ from, to }) => from <= n && n < to));
  if (!looks || !seen) return;
  const place = (entry, n) => `token ${n - entry.from + 1} of ${entry.long}`;
  const verb = isSeen(seenBy(rows, row), column) ? "sees" : "does not see";
  const words = place(looks, row);
  view.readout.textContent = `${words[0].toUpperCase()}${words.slice(1)} ${verb} ${place(seen, column)}.`;
}
