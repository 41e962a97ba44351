// What a person may change by hand: a token at a position after a pass. No DOM in this file.

const MOST_OPTIONS = 5;

// What a person may do at a position after pass k: put another token there, or mask it. `options` are the model's own
// first choices there, newest first, without the one that stands.
function plantChoices(replay, position, k) {
  const frame = replay.frame(k);
  const standing = frame.ids[position];
  const options = [];
  for (let pass = k; pass >= 1 && options.length === 0; pass -= 1) {
    const step = replay.steps[pass - 1];
    const leaning = step.considered.find((row) => row[0] === position);
    const rows = step.alternatives[position] ?? (leaning ? [[leaning[1], leaning[2]]] : []);
    for (const [id, p] of rows.slice(0, MOST_OPTIONS + 1)) {
      if (id !== standing && id !== replay.maskId) options.push({ id, name: exactName(replay, id), share: share(p) });
    }
  }
  const { status } = replay.blockStatus(frame, Math.floor(position / replay.blockLength));
  return {
    position, pass: k, options, block: Math.floor(position / replay.blockLength) + 1, blockDone: status === "done",
    name: standing === MASKED ? null : exactName(replay, standing), verifies: replay.verifies,
    masks: frame.ids.filter((id) => id === MASKED).length,
  };
}

// A token that is worth planting an error for, as \`plantChoices\` tells it: a figure, if there is one, of which the model is
// sure, in a block that is still being worked on; after pass k or else the first pass that has one. Null where none has.
function plantSuggestion(replay, k) {
  const passes = [k, ...replay.steps.map((_, index) => index + 1)];
  for (const pass of passes) {
    const frame = replay.frame(pass);
    if (pass < 1 || replay.blockStatus(frame, frame.current).status !== "decoding") continue;
    const start = frame.current * replay.blockLength;
    const places = Array.from({ length: replay.blockLength }, (_, index) => start + index);
    const found = places.map((position) => suggestionAt(replay, frame, position)).filter(Boolean);
    if (found.length) return found.reduce((best, other) => (other.worth > best.worth ? other : best)).choices;
  }
  return null;
}

function suggestionAt(replay, frame, position) {
  const id = frame.ids[position];
  if (id === MASKED || frame.marks.has(position)) return null;
  const { core, kind } = pieceParts(replay, id);
  const draft = replay.history(position, frame.pass).findLast((event) => event.kind === "drafted");
  if (kind !== "text" || !/[\p{L}\p{N}]/u.test(core) || !draft) return null;
  const choices = plantChoices(replay, position, frame.pass);
  choices.options = choices.options.filter((option) => /[\p{L}\p{N}]/u.test(option.name));
  return choices.options.length ? { worth: draft.p + (/^\d+$/.test(core) ? 1 : 0), choices } : null;
}
