// A 4x4 sudoku in a trace: its cells, which tokens of the answer they are, and what breaks the rules. No DOM in this file.
//
// The puzzle is the trace's own record: {"record": {"task": "sudoku", "puzzle": "3102…"}}, row by row, 0 for an empty cell.

const SIDE = 4;
const CELLS = SIDE * SIDE;
const MOST_OTHERS = 2; // tokens among the first 16 that are no digit, in an answer that is taken for a grid
const EACH = Array.from({ length: SIDE }, (_, n) => n);
const UNITS = [
  ...EACH.map((row) => ({ name: `row ${row + 1}`, cells: EACH.map((n) => row * SIDE + n) })),
  ...EACH.map((column) => ({ name: `column ${column + 1}`, cells: EACH.map((n) => n * SIDE + column) })),
  ...[["top left", 0], ["top right", 2], ["bottom left", 8], ["bottom right", 10]].map(([name, corner]) =>
    ({ name: `the ${name} square`, cells: [0, 1, 4, 5].map((step) => corner + step) })),
];

const cellName = (cell) => `row ${Math.floor(cell / SIDE) + 1}, column ${(cell % SIDE) + 1}`;
const isCellValue = (value) => /^[1-4]$/.test(value);

function readPuzzle(header) {
  const { record } = header;
  if (!isObject(record) || record.task !== "sudoku") return null;
  const { puzzle } = record;
  const known = typeof puzzle === "string" && /^[0-4]{16}$/.test(puzzle) && String(header.prompt).includes(puzzle);
  return known ? puzzle : null;
}

// Where each cell stands in the answer: [{position, nth}] × 16, the nth digit of the token at a position. By the last 16
// digits that stand together, as the checker reads them; else by the first 16 tokens, as long as these are single digits
// but for a few (that may be taken back yet). Null where neither is so: the answer shows no grid.
function cellPlaces(replay, ids) {
  return placesInText(replay, ids) ?? placesInOrder(replay, ids);
}

function placesInText(replay, ids) {
  let text = "";
  const digits = []; // {at: index in the text, position, nth}
  ids.forEach((id, position) => {
    if (replay.endIds.has(id)) return;
    const piece = id === MASKED ? "?" : replay.pieces.get(id) ?? "?";
    let nth = 0;
    for (const character of piece) {
      if (/[0-9]/.test(character)) digits.push({ at: text.length, position, nth: nth++ });
      text += character;
    }
  });
  for (const run of [...text.matchAll(/[0-9](?:[\s,|]*[0-9])*/g)].reverse()) {
    const parts = run[0].split(/[\s,|]+/);
    const length = parts.join("").length;
    if (length < CELLS) continue;
    let end = 0;
    const cut = parts.reverse().some((part) => (end += part.length) === CELLS);
    if (length % CELLS !== 0 || !cut) return null; // not clear which 16 are meant
    const inside = digits.filter(({ at }) => at >= run.index && at < run.index + run[0].length);
    return inside.slice(-CELLS);
  }
  return null;
}

function placesInOrder(replay, ids) {
  if (ids.length < CELLS) return null;
  const placed = ids.slice(0, CELLS).filter((id) => id !== MASKED);
  const single = placed.filter((id) => /^\s*[0-9]\s*$/.test(replay.pieces.get(id) ?? "")).length;
  const others = placed.length - single;
  if (others > MOST_OTHERS || (others && others >= single)) return null;
  return Array.from({ length: CELLS }, (_, position) => ({ position, nth: 0 }));
}

// What a token says in a cell: its nth digit, or what stands there instead of one.
function cellText(replay, id, nth) {
  if (id === MASKED || id === undefined) return "";
  const text = replay.endIds.has(id) ? "" : replay.pieces.get(id) ?? "";
  const digits = text.match(/[0-9]/g);
  if (digits) return digits[nth] ?? "";
  const { core } = pieceParts(replay, id);
  const short = core.replace(/\n/g, "↵");
  return short.length > 4 ? `${short.slice(0, 3)}…` : short;
}

// The 16 cells of a frame: {cell, position, state, given: "3" or "", value, old: what was taken back in this pass}.
function boardCells(replay, frame, places) {
  return places.map(({ position, nth }, cell) => ({
    cell,
    position,
    state: frame.states[position],
    given: replay.puzzle[cell] === "0" ? "" : replay.puzzle[cell],
    value: cellText(replay, frame.ids[position], nth),
    old: cellText(replay, frame.revoked.get(position), nth),
  }));
}

// What breaks the rules in a full grid, as Map(cell => [{what, where}]). A given that is kept is never at fault.
function gridFaults(cells) {
  const faults = new Map();
  const add = (cell, what, where = "") => faults.set(cell, [...(faults.get(cell) ?? []), { what, where }]);
  for (const { cell, given, value } of cells) {
    if (given && given !== value) add(cell, `${value} instead of the given ${given}`);
    else if (!isCellValue(value)) add(cell, `${value} is not 1 to 4`);
  }
  for (const { name, cells: inside } of UNITS) {
    for (const value of "1234") {
      const same = inside.filter((cell) => cells[cell].value === value);
      const times = same.length === 2 ? "twice" : `${same.length} times`;
      if (same.length < 2) continue;
      for (const cell of same) if (cells[cell].given !== value) add(cell, `${value} ${times} in`, name);
    }
  }
  return faults;
}

const listed = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join(""));

// The same faults as words, those of one kind together: ["3 twice in row 2 and column 2", …].
function faultWords(faults) {
  const kinds = new Map();
  for (const { what, where } of faults) kinds.set(what, (kinds.get(what) ?? new Set()).add(where));
  return [...kinds].map(([what, where]) => `${what} ${listed([...where])}`.trim());
}

// What stood in the way of a value when it was taken back, among what the check saw: "row 2 and column 1", or "".
function rivals(cells, cell, value) {
  const has = ({ given, value: standing }) => (given || standing) === value;
  const units = UNITS.filter(({ cells: inside }) => inside.includes(cell) && inside.some((n) => n !== cell && has(cells[n])));
  return listed(units.map(({ name }) => name));
}

// What a pass took back from the empty cells, in at most two sentences; "" where it took nothing.
function takenBackWords(before, cells) {
  const taken = cells.filter(({ state, given, old }) => state === "remasked" && (!given || given !== old));
  const sentences = taken.slice(0, 2).map(({ cell, old }) => {
    const where = `${old || "A token"} is taken back from ${cellName(cell)}`;
    const names = isCellValue(old) ? rivals(before, cell, old) : "";
    return names ? `${where}: there was another ${old} in ${names}.` : `${where}.`;
  });
  if (taken.length > 2) sentences.push(`And ${taken.length - 2} more.`);
  return sentences.join(" ");
}

// The line beside the board.
function boardWords(cells, { pass, faults, judged, taken }) {
  if (faults?.size) {
    const reasons = faultWords([...faults.values()].flat());
    return `✗ ${reasons.slice(0, 3).join("; ")}${reasons.length > 3 ? `; and ${reasons.length - 3} more` : ""}.`;
  }
  if (faults && !judged) return "✓ Every row, column and square holds 1 to 4 once.";
  if (taken) return taken;
  if (pass === 0) return "Grey cells are given. Each cell is the answer’s token in its place.";
  const empty = cells.filter(({ given }) => !given);
  return `${empty.filter(({ value }) => value).length} of ${empty.length} empty cells are filled.`;
}
