// The board of one lane whose problem is a sudoku: 4 × 4 cells in the states of their tokens, linked with them.

class BoardView {
  // `root` holds the board, `words` the line that says what happened on it.
  constructor(root, words, onToken) {
    this.root = root;
    this.words = words;
    this.onToken = onToken; // (kind: "point" | "focus" | "pin", position), as of the canvas
    this.grid = make("div", "wp-grid");
    this.grid.setAttribute("role", "grid");
    this.grid.setAttribute("aria-label", "Sudoku board. Arrow keys move, Enter pins the card of the cell’s token.");
    this.grid.setAttribute("aria-readonly", "true");
    this.cells = [];
    for (const row of EACH) {
      const line = make("div", "wp-grid-row");
      line.setAttribute("role", "row");
      for (const column of EACH) line.append(this._cell(row * SIDE + column));
      this.grid.append(line);
    }
    root.append(this.grid);
    const told = (kind) => (event) => {
      const item = event.target.closest(".wp-cell");
      if (!item || (kind === "point" && event.pointerType === "touch")) return;
      if (kind === "focus") this._rove(item);
      this.onToken(kind, Number(item.dataset.position));
    };
    this.grid.addEventListener("pointerover", told("point"));
    this.grid.addEventListener("focusin", told("focus"));
    this.grid.addEventListener("click", told("pin"));
    this.grid.addEventListener("keydown", (event) => this._key(event));
    this.build(null);
  }

  build(replay) {
    this.replay = replay;
    this.places = null;
    this.taken = "";
    this.keys = [];
    this.known = null; // the pass up to which a live run was looked at
    this.root.hidden = this.words.hidden = true;
    this._rove(this.cells[0]);
  }

  // Draw the frame; `ended`: it is the end of all, and faults are marked; `judged`: a verdict beside it says what is right.
  draw(frame, animate, ended, judged) {
    const { replay } = this;
    this._locate();
    this.root.hidden = this.words.hidden = this.places === null;
    this.taken = "";
    if (!this.places) return;
    const before = boardCells(replay, replay.frame(Math.max(0, frame.pass - 1)), this.places);
    const cells = boardCells(replay, frame, this.places);
    this.taken = takenBackWords(before, cells);
    const faults = ended && cells.every(({ value }) => value) ? gridFaults(cells) : null;
    for (const cell of cells) this._draw(cell, faults?.get(cell.cell), animate);
    const words = boardWords(cells, { pass: frame.pass, faults, judged, taken: this.taken });
    if (this.words.textContent !== words) this.words.textContent = words;
    const look = faults?.size ? "wrong" : faults && !judged ? "right" : this.taken ? "taken" : "plain";
    this.words.className = `wp-board-words wp-board-${look}`;
  }

  inspect(position) {
    const at = this.places?.findIndex((place) => place.position === position) ?? -1;
    const peers = new Set(UNITS.filter(({ cells }) => cells.includes(at)).flatMap(({ cells }) => cells));
    this.cells.forEach((item, cell) => {
      const own = at >= 0 && this.places[cell].position === position;
      item.classList.toggle("wp-inspected", own);
      item.classList.toggle("wp-peer", !own && peers.has(cell));
    });
  }

  pin(position) {
    this.cells.forEach((item, cell) => {
      item.setAttribute("aria-selected", String(position !== null && this.places?.[cell].position === position));
    });
  }

  // "row 2, column 3" for the token at a position, or "".
  nameOf(position) {
    if (!this.places) return "";
    return this.places.flatMap((place, cell) => (place.position === position ? [cellName(cell)] : [])).join(" and ");
  }

  // The cells are where the finished answer has them; in a live run where what stands so far says.
  _locate() {
    const { replay } = this;
    const seen = replay.finalIds ? Infinity : replay.passes;
    if (replay.puzzle === null || this.known === seen) return;
    this.known = seen;
    this.places = cellPlaces(replay, replay.finalIds ?? replay.frame(replay.passes).ids);
    this.places?.forEach(({ position }, cell) => (this.cells[cell].dataset.position = position));
  }

  _cell(cell) {
    const item = make("div", "wp-cell");
    item.setAttribute("role", "gridcell");
    item.tabIndex = -1;
    this.cells.push(item);
    return item;
  }

  _draw({ cell, state, given, value, old }, faults, animate) {
    const item = this.cells[cell];
    // A given is quiet as long as the answer copies it.
    const shown = given && [value, old].every((text) => text === "" || text === given) ? "given" : state;
    const key = [shown, value, old, faults?.map(({ where }) => where).join(), given].join("·");
    item.classList.remove("wp-enter");
    if (this.keys[cell] === key) return;
    this.keys[cell] = key;
    for (const name of [...item.classList]) if (!["wp-cell", "wp-inspected", "wp-peer"].includes(name)) item.classList.remove(name);
    item.classList.add(`wp-cell-${shown}`);
    if (animate) item.classList.add("wp-enter");
    if (faults) item.classList.add("wp-cell-wrong");
    const face = make("span", "wp-face");
    if (shown === "given") face.append(given);
    else if (shown === "remasked") face.append(make("s", "wp-cell-old", old), make("span", "wp-cell-hole"));
    else face.append(value);
    if (value.length > 1) face.classList.add("wp-face-word");
    item.replaceChildren(face);
    if (given && shown !== "given") item.append(make("span", "wp-cell-note", `given ${given}`));
    if (faults) item.append(make("span", "wp-cell-cross", "✗"));
    item.setAttribute("aria-label", `Row ${Math.floor(cell / SIDE) + 1}, column ${(cell % SIDE) + 1}: ` +
      cellWords({ shown, given, value, old }) + (faults ? `; wrong: ${faultWords(faults).join(", ")}` : ""));
  }

  _rove(item) {
    if (this.current) this.current.tabIndex = -1;
    this.current = item;
    item.tabIndex = 0;
  }

  _key(event) {
    const at = this.cells.indexOf(event.target.closest(".wp-cell"));
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const column = at % SIDE;
    const next = {
      ArrowRight: column < SIDE - 1 ? at + 1 : at,
      ArrowLeft: column > 0 ? at - 1 : at,
      ArrowDown: at < CELLS - SIDE ? at + SIDE : at,
      ArrowUp: at >= SIDE ? at - SIDE : at,
    }[event.key];
    if (event.key === "Enter") this.onToken("pin", Number(this.cells[at].dataset.position));
    else if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the arrows move through the cells here, not through the passes
    this.cells[next ?? at].focus();
  }
}

function cellWords({ shown, given, value, old }) {
  if (shown === "given") return `${given}, given`;
  const note = given ? `; ${given} is given` : "";
  if (shown === "masked") return `masked${note}`;
  if (shown === "remasked") return `${old} ${STATE_WORDS.remasked}, masked again${note}`;
  return `${value || "nothing"}, ${STATE_WORDS[shown]}${note}`;
}
