// The shadow-block microscope: the attention mask of the pass, with the tokens that its input held on both axes.
//
// A canvas as large as what is seen of it, inside a box that scrolls; only the cells in view are drawn. The mask is the rule
// itself (mayAttend in rules.js). Prompt and blocks that are not being decoded are one row and one column each.

const SIZES = [3, 5, 8, 12, 16, 22, 30]; // px of a token's cell
const GROUP = 2.2; // cells that a folded part is wide
const AXIS = { left: 118, top: 92 };
const NAMED_FROM = 9; // px a cell needs for its token's text
const MOST_UNFOLDED = 1024; // tokens

function scopePanel() {
  let view = null;
  let size = 16;
  let unfolded = false;
  let cursor = null; // {row, column} as indices of the axis
  let shown = null; // {replay, pass, axis, offsets, ids, judged}

  function build(body, closer) {
    const bar = el("div", "closer-bar");
    const zoom = (by, name, sign) => {
      const button = el("button", "closer-button", sign);
      button.type = "button";
      button.setAttribute("aria-label", name);
      button.addEventListener("click", () => zoomTo(SIZES.indexOf(size) + by));
      return button;
    };
    const whole = el("button", "closer-button", "Whole mask");
    whole.type = "button";
    whole.addEventListener("click", () => zoomTo(SIZES.findLastIndex((px) => AXIS.left + px * extent() <= view.scroll.clientWidth)));
    const fold = el("button", "closer-button", "All blocks");
    fold.type = "button";
    fold.addEventListener("click", () => {
      unfolded = !unfolded;
      cursor = null;
      closer.update();
    });
    const key = el("ul", "closer-key");
    for (const [look, words] of [["sees", "may see"], ["judges", "may see, as a judge"], ["idle", "shadow of a mask: judges nothing yet"], ["hidden", "may not see"], ["twin", "its twin"]]) {
      const item = el("li", `closer-key-${look}`);
      item.append(el("span", "closer-swatch"), words);
      key.append(item);
    }
    bar.append(zoom(-1, "Smaller", "−"), zoom(1, "Larger", "+"), whole, fold, key);
    const words = el("p", "closer-say");
    const scroll = el("div", "closer-scope");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "application");
    const room = el("div", "closer-room");
    const canvas = el("canvas");
    room.append(canvas);
    scroll.append(room);
    const readout = el("p", "closer-readout");
    readout.setAttribute("aria-live", "polite");
    const note = el("p", "closer-note");
    body.append(words, bar, scroll, readout, note);
    view = { closer, bar, key, fold, words, scroll, room, canvas, readout, note };
    scroll.addEventListener("scroll", () => requestAnimationFrame(paint));
    scroll.addEventListener("keydown", keyed);
    canvas.addEventListener("pointermove", (event) => point(at(event)));
    canvas.addEventListener("click", (event) => {
      const place = at(event);
      point(place);
      const entry = place && shown.axis[place.row];
      if (entry?.position !== undefined) closer.pin(entry.position);
    });
    scroll.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoomTo(SIZES.indexOf(size) + (event.deltaY < 0 ? 1 : -1));
    }, { passive: false });
  }

  const extent = () => shown.offsets.at(-1);

  // Keeps the cell in the middle where it is.
  function zoomTo(index) {
    const next = SIZES[Math.max(0, Math.min(SIZES.length - 1, index))];
    const { scroll } = view;
    const middle = (now, whole) => (now + whole / 2) / size;
    const [x, y] = [middle(scroll.scrollLeft, scroll.clientWidth - AXIS.left), middle(scroll.scrollTop, scroll.clientHeight - AXIS.top)];
    size = next;
    arrange();
    scroll.scrollTo(x * size - (scroll.clientWidth - AXIS.left) / 2, y * size - (scroll.clientHeight - AXIS.top) / 2);
    paint();
  }

  function arrange() {
    const { scroll, room } = view;
    const span = Math.ceil(extent() * size) + 1;
    room.style.width = `${AXIS.left + span}px`;
    room.style.height = `${AXIS.top + span}px`;
    scroll.style.height = `${Math.min(AXIS.top + span + 2, 540)}px`;
  }

  function keyed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !shown) return;
    const last = shown.axis.length - 1;
    const from = cursor ?? { row: Math.max(0, shown.axis.findIndex(({ kind }) => kind === "shadow")), column: Math.max(0, shown.axis.findIndex(({ kind }) => kind === "token")) };
    const to = {
      ArrowLeft: { ...from, column: from.column - 1 }, ArrowRight: { ...from, column: from.column + 1 },
      ArrowUp: { ...from, row: from.row - 1 }, ArrowDown: { ...from, row: from.row + 1 },
      Home: { ...from, column: 0 }, End: { ...from, column: last },
    }[event.key];
    if (event.key === "+" || event.key === "-") zoomTo(SIZES.indexOf(size) + (event.key === "+" ? 1 : -1));
    else if (event.key === "Enter" && shown.axis[from.row].position !== undefined) view.closer.pin(shown.axis[from.row].position);
    else if (to) {
      const place = cursor ? { row: Math.max(0, Math.min(last, to.row)), column: Math.max(0, Math.min(last, to.column)) } : from;
      reveal(place);
      point(place);
    } else return;
    event.preventDefault();
  }

  function reveal({ row, column }) {
    const { scroll } = view;
    const inside = (start, end, now, room) => (start < now ? start : end > now + room ? end - room : now);
    const edge = (index) => [shown.offsets[index] * size, shown.offsets[index + 1] * size];
    scroll.scrollLeft = inside(...edge(column), scroll.scrollLeft, scroll.clientWidth - AXIS.left);
    scroll.scrollTop = inside(...edge(row), scroll.scrollTop, scroll.clientHeight - AXIS.top);
  }

  // The cell under the pointer, or null.
  function at(event) {
    const box = view.canvas.getBoundingClientRect();
    const index = (px) => shown.offsets.findLastIndex((offset) => offset * size <= px);
    const [x, y] = [event.clientX - box.left - AXIS.left, event.clientY - box.top - AXIS.top];
    if (x < 0 && y < 0) return null;
    const [column, row] = [index(x + view.scroll.scrollLeft), index(y + view.scroll.scrollTop)];
    const last = shown.axis.length - 1;
    if (row > last || column > last || row < 0 || column < 0) return null;
    return { row: y < 0 ? -1 : row, column: x < 0 ? -1 : column };
  }

  function point(place) {
    const cell = place && place.row >= 0 ? place : null;
    if (!cell || (cell.row === cursor?.row && cell.column === cursor?.column)) return;
    cursor = cell;
    view.readout.textContent = scopeWords(shown, shown.axis[cell.row], shown.axis[cell.column]);
    paint();
  }

  function draw(closer) {
    const { replay } = closer;
    const pass = Math.max(1, closer.pass);
    const step = replay.steps[pass - 1];
    view.scroll.hidden = view.bar.hidden = !step;
    view.words.textContent = step ? titleWords(replay, pass, step) : "No pass has been made yet.";
    if (!step) return;
    const many = replay.tokens > MOST_UNFOLDED;
    view.fold.hidden = replay.blocks < 2 || many;
    view.fold.setAttribute("aria-pressed", String(unfolded));
    const ids = replay.frame(pass - 1).ids;
    const axis = axisOf(replay, step.block, unfolded && !many);
    const offsets = [0];
    for (const entry of axis) offsets.push(offsets.at(-1) + (entry.position === undefined ? GROUP : 1));
    const fresh = shown?.replay !== replay || shown.axis.length !== axis.length || shown.block !== step.block;
    const judged = new Map(step.verified);
    const taken = new Set(step.remasked.map(([position]) => position));
    shown = { replay, pass, block: step.block, axis, offsets, ids, judged, taken };
    if (fresh) cursor = null;
    const shadow = hasShadow(replay);
    for (const item of view.key.children) item.hidden = !shadow && item.className !== "closer-key-sees";
    view.scroll.setAttribute("aria-label", `Attention mask of pass ${pass}, ${axis.length} rows and columns. Arrow keys move from cell to cell, plus and minus zoom.`);
    view.readout.textContent = cursor ? scopeWords(shown, axis[cursor.row], axis[cursor.column]) : SCOPE_HINT;
    view.note.textContent = scopeNote(replay);
    arrange();
    if (fresh && shadow) view.scroll.scrollTop = Math.max(0, offsets[axis.findIndex(({ kind }) => kind === "shadow")] * size - size * 3);
    paint();
  }

  function paint() {
    if (!shown || !view.scroll.clientWidth) return;
    paintMask(view, shown, size, cursor);
  }

  return { id: "scope", title: "Shadow-block microscope", words: "who may look at whom in this pass", build, draw };
}

const SCOPE_HINT = "Rows look, columns are seen. Point at a cell to read it; a click on a row pins its token.";

function paintMask({ closer, scroll, canvas }, shown, size, cursor) {
  const { axis, offsets } = shown;
  const [width, height] = [scroll.clientWidth, scroll.clientHeight];
  const dpr = window.devicePixelRatio || 1;
  canvas.width = width * dpr;
  canvas.height = height * dpr;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(dpr, dpr);
  const names = ["ink", "soft", "rule", "paper", "focus", "sees", "judges", "idle", "hidden", "twin"];
  const colours = Object.fromEntries(names.map((name) => [name, closer.colour(`closer-${name}`)]));
  const x = (index) => AXIS.left + offsets[index] * size - scroll.scrollLeft;
  const y = (index) => AXIS.top + offsets[index] * size - scroll.scrollTop;
  const inView = (place, edge, end) => axis.map((_, index) => index).filter((index) => place(index + 1) > edge && place(index) < end);
  const [columns, rows] = [inView(x, AXIS.left, width), inView(y, AXIS.top, height)];
  const gap = size >= 8 ? 1 : 0;
  pen.save();
  pen.beginPath();
  pen.rect(AXIS.left, AXIS.top, width, height);
  pen.clip();
  for (const row of rows) {
    const looks = axis[row].kind !== "shadow" ? "sees" : shown.ids[axis[row].position] >= 0 ? "judges" : "idle";
    for (const column of columns) {
      const sees = mayAttend(axis[row], axis[column]);
      pen.fillStyle = colours[sees ? looks : "hidden"];
      const [left, top, right, bottom] = [x(column), y(row), x(column + 1) - gap, y(row + 1) - gap];
      pen.fillRect(left, top, right - left, bottom - top);
      if (!sees && axis[column].kind === "token") cross(pen, colours.twin, left, top, right, bottom);
    }
  }
  if (cursor) {
    pen.strokeStyle = colours.focus;
    pen.lineWidth = 3;
    pen.strokeRect(x(cursor.column) - 1, y(cursor.row) - 1, x(cursor.column + 1) - x(cursor.column) + 1, y(cursor.row + 1) - y(cursor.row) + 1);
  }
  pen.restore();
  axisNames(pen, colours, shown, size, { x, y, rows, columns, cursor, width, height });
}

function cross(pen, colour, left, top, right, bottom) {
  pen.strokeStyle = colour;
  pen.lineWidth = right - left > 6 ? 2 : 1;
  pen.beginPath();
  pen.moveTo(left + 1, top + 1);
  pen.lineTo(right - 1, bottom - 1);
  pen.moveTo(right - 1, top + 1);
  pen.lineTo(left + 1, bottom - 1);
  pen.stroke();
}

// The names of rows and columns that have room; folded parts always have one.
function axisNames(pen, colours, shown, size, { x, y, rows, columns, cursor, width, height }) {
  const font = (weight) => `${weight} ${Math.min(13, Math.max(11, size - 1))}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const write = (index, focused, place) => {
    const entry = shown.axis[index];
    if (size < NAMED_FROM && entry.position !== undefined && !focused) return;
    const text = axisName(shown, entry);
    pen.font = font(focused || entry.kind !== "token" && entry.kind !== "shadow" ? 650 : 400);
    pen.fillStyle = focused ? colours.focus : entry.kind === "shadow" && shown.taken.has(entry.position) ? colours.twin : shown.ids[entry.position] < 0 ? colours.soft : colours.ink;
    place(fitted(pen, text, AXIS.left - 14));
  };
  pen.save();
  pen.beginPath();
  pen.rect(0, AXIS.top, AXIS.left, height);
  pen.clip();
  pen.textAlign = "right";
  for (const row of rows) write(row, cursor?.row === row, (text) => pen.fillText(text, AXIS.left - 6, (y(row) + y(row + 1)) / 2));
  pen.restore();
  pen.save();
  pen.beginPath();
  pen.rect(AXIS.left - 4, 0, width, AXIS.top);
  pen.clip();
  pen.textAlign = "left";
  for (const column of columns) {
    write(column, cursor?.column === column, (text) => {
      pen.save();
      pen.translate((x(column) + x(column + 1)) / 2, AXIS.top - 6);
      pen.rotate(-Math.PI / 3);
      pen.fillText(text, 0, 0);
      pen.restore();
    });
  }
  pen.restore();
}

function fitted(pen, text, most) {
  if (pen.measureText(text).width <= most) return text;
  let short = text;
  while (short.length > 1 && pen.measureText(`${short}…`).width > most) short = short.slice(0, -1);
  return `${short}…`;
}

function axisName({ replay, ids }, entry) {
  if (entry.kind === "prompt") return `prompt (${entry.count})`;
  if (entry.kind === "block") return `block ${entry.block + 1} (${entry.count})`;
  const id = ids[entry.position];
  const text = id < 0 ? "" : `: ${winoPlayer.tokenName(replay, id).replace(/^“|”$|^1 (?=space$)/g, "")}`;
  return `${entry.kind === "shadow" ? "judge " : ""}${entry.position + 1}${text}`;
}

// What one row sees, and one cell of it, in words.
function scopeWords(shown, row, column) {
  const { replay, ids, judged, taken } = shown;
  const id = (position) => (ids[position] < 0 ? undefined : ids[position]);
  const name = (entry) => {
    if (entry.kind === "prompt") return `the prompt (${winoPlayer.plural(entry.count, "token")})`;
    if (entry.kind === "block") return `block ${entry.block + 1}`;
    const place = placeName(replay, entry.position, id(entry.position));
    return entry.kind === "shadow" ? `the shadow of ${place}` : place;
  };
  const who = sentence(name(row));
  if (row.kind !== "shadow") {
    if (column.kind === "shadow") return `${who} may not see ${name(column)}: nothing outside the shadow sees it, so drafting goes on as if it were not there.`;
    return `${who} may see ${row === column ? "itself" : name(column)}.`;
  }
  const rule = `${who} may see the prompt, every block and the whole shadow, but not its twin`;
  const p = judged.get(row.position);
  const verdict = p === undefined ? "Its twin is still masked, so it judges nothing yet."
    : `In this pass it gives its twin ${winoPlayer.number(p, replay.decoder.tau2)}${taken.has(row.position) ? ": taken back" : ""}.`;
  if (!mayAttend(row, column)) return `${rule}. Here is that twin, ${name(column)}: hidden, so the judge must work it out from all the rest and can’t copy it. ${verdict}`;
  return `${rule}. Here: ${row === column ? "itself" : name(column)}, which it may see. ${verdict}`;
}

function titleWords(replay, pass, step) {
  const block = `pass ${pass}, which works on block ${step.block + 1} of ${replay.blocks}`;
  if (hasShadow(replay)) return `What the model read in ${block}: the text as it stood before that pass, and below it the shadow, one judge for each position of the block.`;
  return `What the model read in ${block}. This decoder (${winoPlayer.decoderWords(replay)}) has no shadow block: attention is full, every position sees every other.`;
}

function scopeNote(replay) {
  const parts = ["Prompt and blocks at rest are folded into one row and column each; a number alone is a mask."];
  if (hasShadow(replay)) parts.push("A shadow slot holds a mask for ever, at the rotary position of its twin. This is the published layout, for models whose rows predict their own position; those that predict the next one (Dream) get another.");
  return parts.join(" ");
}
