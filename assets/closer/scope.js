// The shadow-block microscope: the attention mask of the pass, with the tokens that its input held on both axes.
//
// A canvas as large as what is seen of it, inside a box that scrolls; only the cells in view are drawn. The mask is the rule
// itself (mayAttend in rules.js). Prompt and blocks that are not being decoded are one row and one column each.

const SIZES = [1, 2, 3, 4, 5, 8, 12, 16, 22, 30]; // px of a token's cell
const GROUP = 2.2; // cells that a folded part is wide
const MOST_UNFOLDED = 1024; // tokens
const HIGHEST = 640; // px of the picture

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
    whole.addEventListener("click", () => zoomTo(SIZES.findLastIndex((px) => px * extent() <= Math.min(view.scroll.clientWidth - AXIS.left, HIGHEST - AXIS.top))));
    const fold = el("button", "closer-button", "All blocks");
    fold.type = "button";
    fold.addEventListener("click", () => {
      unfolded = !unfolded;
      cursor = null;
      closer.update();
    });
    const key = el("ul", "closer-key");
    for (const [look, words] of SCOPE_KEY) {
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
    scroll.style.height = `${Math.min(AXIS.top + span + 2, HIGHEST)}px`;
  }

  function keyed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !shown) return;
    const last = shown.axis.length - 1;
    const first = (wanted) => Math.max(0, shown.axis.findIndex(({ kind }) => kind === wanted));
    const from = cursor ?? { row: first("shadow"), column: first("token") };
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
    const axis = axisOf(replay, pass, step.block, unfolded && !many);
    const offsets = [0];
    for (const entry of axis) offsets.push(offsets.at(-1) + (entry.position === undefined ? GROUP : 1));
    const fresh = shown?.replay !== replay || shown.axis.length !== axis.length || shown.block !== step.block;
    const judged = new Map(step.verified);
    const taken = new Set(step.remasked.map(([position]) => position));
    shown = { replay, pass, block: step.block, axis, offsets, ids, judged, taken };
    if (fresh) cursor = null;
    const shadow = hasShadow(replay, pass);
    for (const item of view.key.children) item.hidden = !shadow && item.className !== "closer-key-sees";
    const keys = "Arrow keys move from cell to cell and read it, Enter pins the token of the row, plus and minus zoom.";
    view.scroll.setAttribute("aria-label", `Attention mask of pass ${pass}, ${axis.length} rows and columns. ${keys}`);
    view.readout.textContent = cursor ? scopeWords(shown, axis[cursor.row], axis[cursor.column]) : SCOPE_HINT;
    view.note.textContent = scopeNote(shadow);
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

const SCOPE_KEY = [
  ["sees", "may see"], ["judges", "may see, as a judge"], ["idle", "shadow of a mask: judges nothing yet"], ["hidden", "may not see"],
  ["twin", "its twin"],
];
const SCOPE_HINT = "Rows look, columns are seen. Point at a cell to read it.";

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
    : `In this pass it gives its twin ${winoPlayer.number(p, decoderOf(replay, shown.pass).tau2)}${taken.has(row.position) ? ": taken back" : ""}.`;
  if (!mayAttend(row, column)) {
    return `${rule}. Here is that twin, ${name(column)}: hidden, so the judge must work it out from all the rest and can’t copy it. ` +
      verdict;
  }
  return `${rule}. Here: ${row === column ? "itself" : name(column)}, which it may see. ${verdict}`;
}

function titleWords(replay, pass, step) {
  const block = `pass ${pass}, which works on block ${step.block + 1} of ${replay.blocks}`;
  if (hasShadow(replay, pass)) {
    return `What the model read in ${block}: the text as it stood before that pass, and below it the shadow, one judge for each ` +
      "position of the block.";
  }
  const name = winoPlayer.decoderWords({ model: replay.model, decoder: decoderOf(replay, pass) });
  return `What the model read in ${block}. This decoder (${name}) has no shadow block: attention is full, every position sees every other.`;
}

function scopeNote(shadow) {
  const parts = ["Prompt and blocks at rest are folded into one row and column each; a number alone is a mask."];
  if (shadow) {
    parts.push("A shadow slot holds a mask for ever, at the rotary position of its twin. This is the published layout, for models " +
      "whose rows predict their own position; those that predict the next one (Dream) get another.");
  }
  return parts.join(" ");
}
