// The replay state of one decoding, and what a message may hold. No DOM in this file.
//
// A Replay is filled pass by pass (push) and answers how things stood after pass k (frame, history, secondsUpTo).
// What arrives is untrusted: everything is checked before anything is kept, and a refusal is one sentence.

const MAX_TOKENS = 8192; // the same bounds as wino_viz/trace.py
const MAX_PASSES = 65536;
const MAX_BRANCHES = 64;
const MASKED = -1; // in a frame's ids

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isNatural = (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31;
const isProbability = (value) => typeof value === "number" && value >= 0 && value <= 1;

function need(condition, sentence) {
  if (!condition) throw new RangeError(sentence);
}

function checkRows(rows, width, tokens, name) {
  need(Array.isArray(rows), `"${name}" is not a list`);
  for (const row of rows) {
    const fits = Array.isArray(row) && row.length === width && isNatural(row[0]) && row[0] < tokens;
    need(fits && isProbability(row[width - 1]) && (width < 3 || isNatural(row[1])), `"${name}" holds a wrong row`);
  }
  return rows;
}

// What Prophet went by in a pass: the gap of the answer's positions, the gap that commits, and those positions as
// [start, stop). Null for other decoders.
function readGap(step, tokens) {
  const { gap, gap_needed: needed, answer } = step;
  const isGap = (value) => Number.isFinite(value) && value >= 0;
  const fits = isGap(gap) && isGap(needed) && Array.isArray(answer) && answer.every(isNatural);
  if (!fits || !(answer[0] < answer[1] && answer[1] <= tokens)) return null;
  return { gap, needed, first: answer[0], last: answer[1] - 1, commits: gap >= needed };
}

// Where a trace left another decoding: [{at, edits: [[position, id], …], decoder}], in the order of their passes.
function readBranches({ branches = [] }, tokens) {
  need(Array.isArray(branches) && branches.length <= MAX_BRANCHES, '"branches" is not a list of a few');
  return branches.map((branch, index) => {
    need(isObject(branch) && isNatural(branch.at_pass) && isObject(branch.decoder), '"branches" holds a wrong one');
    need(index === 0 || branches[index - 1].at_pass <= branch.at_pass, "the branches are not in order");
    const edits = branch.edits ?? [];
    const fits = (row) => Array.isArray(row) && row.length === 2 && row.every(isNatural) && row[0] < tokens;
    need(Array.isArray(edits) && edits.length <= tokens && edits.every(fits), '"edits" holds a wrong row');
    return { at: branch.at_pass, edits, decoder: branch.decoder };
  });
}

// [position, id] of what stands before the first pass, as a map.
function readFixed(rows, tokens) {
  need(Array.isArray(rows), '"fixed" is not a list');
  for (const row of rows) {
    need(Array.isArray(row) && row.length === 2 && row.every(isNatural) && row[0] < tokens, '"fixed" holds a wrong row');
  }
  return new Map(rows);
}

class Replay {
  constructor(header, pieces) {
    need(isObject(header), "there is no trace in it");
    need(isNatural(header.gen_length) && header.gen_length >= 1, "gen_length is not a whole number from 1");
    need(header.gen_length <= MAX_TOKENS, `gen_length is above ${MAX_TOKENS}`);
    need(isNatural(header.block_length) && header.block_length >= 1, "block_length is not a whole number from 1");
    need(header.gen_length % header.block_length === 0, "block_length does not divide gen_length");
    need(isObject(header.decoder), "the decoder is not described");
    this.tokens = header.gen_length;
    this.blockLength = header.block_length;
    this.blocks = this.tokens / this.blockLength;
    this.decoder = header.decoder;
    this.maskId = header.mask_id;
    this.branches = readBranches(header, this.tokens);
    this.told = new Map(); // "position,pass": what the model said of a token that was taken back there
    this.edits = new Map(); // by pass: what was changed by hand after it, [[position, id or MASKED], …]
    for (const { at, edits } of this.branches) {
      const own = edits.map(([position, id]) => [position, id === this.maskId ? MASKED : id]);
      this.edits.set(at, [...(this.edits.get(at) ?? []), ...own]);
    }
    this.model = String(header.model ?? "");
    this.prompt = String(header.prompt ?? "");
    this.earlier = readTurns(header.earlier);
    this.promptLength = Array.isArray(header.prompt_ids) ? Math.min(header.prompt_ids.length, MAX_TOKENS) : 0; // tokens
    this.puzzle = readPuzzle(header); // the 16 cells of a sudoku, or null
    this.endIds = new Set(Array.isArray(header.end_ids) ? header.end_ids : []);
    this.pieces = new Map();
    this.steps = [];
    this.seconds = []; // model seconds of each pass, null where not measured
    this.totalSeconds = null;
    this.finalIds = null; // the canvas at the end, once the whole trace is known
    this.fixed = readFixed(header.fixed ?? [], this.tokens);
    this._cache = this._blank();
    this.addPieces(pieces ?? {});
  }

  // A whole trace as written by Trace.to_dict().
  static fromTrace(trace) {
    const replay = new Replay(trace, trace?.pieces);
    replay.pushAll(trace.steps, trace.timing);
    need(replay.branches.every(({ at }) => at <= replay.passes), "a branch begins after its end");
    const { timing } = trace;
    if (isObject(timing) && Number.isFinite(timing.model_seconds)) replay.totalSeconds = timing.model_seconds;
    replay.finalIds = replay.frame(replay.passes).ids;
    return replay;
  }

  // The header of a run that begins; one that is a branch brings the passes that were made before.
  static fromStart(header) {
    const replay = new Replay(header, header?.pieces);
    if (header.steps !== undefined) replay.pushAll(header.steps, header.timing);
    return replay;
  }

  pushAll(steps, timing) {
    need(Array.isArray(steps) && steps.length <= MAX_PASSES, "its steps are not a list");
    const perPass = isObject(timing) && Array.isArray(timing.per_pass) ? timing.per_pass : [];
    steps.forEach((step, index) => this.push(step, {}, perPass[index]));
  }

  // The decoder that made pass k, from 1, with its settings.
  decoderOf(k) {
    return this.branches.find(({ at }) => k <= at)?.decoder ?? this.decoder;
  }

  // Was a token of it changed by hand?
  get edited() {
    return this.edits.size > 0 && [...this.edits.values()].some((edits) => edits.length > 0);
  }

  get passes() {
    return this.steps.length;
  }

  // Does this decoder judge placed tokens again? Known from its settings, so that the legend is right from the start.
  get verifies() {
    return isProbability(this.decoder.tau2) || this.steps.some((step) => step.verified.length > 0);
  }

  // Does the decoder of pass k judge placed tokens again?
  verifiesIn(k) {
    return this.branches.length ? isProbability(this.decoderOf(k).tau2) : this.verifies;
  }

  // How many tokens the model places.
  get generated() {
    return this.tokens - this.fixed.size;
  }

  addPieces(pieces) {
    need(isObject(pieces), "the pieces are not an object");
    for (const [id, text] of Object.entries(pieces)) {
      need(typeof text === "string", "a piece is not text");
      this.pieces.set(Number(id), text);
    }
  }

  push(step, pieces, seconds) {
    need(isObject(step), "the step is not an object");
    need(this.passes < MAX_PASSES, `there are more than ${MAX_PASSES} steps`);
    need(isNatural(step.block) && step.block < this.blocks, "the step's block is outside the canvas");
    const read = (name, width) => checkRows(step[name] ?? [], width, this.tokens, name);
    const alternatives = step.alternatives ?? {};
    need(isObject(alternatives), '"alternatives" is not an object');
    for (const rows of Object.values(alternatives)) {
      need(Array.isArray(rows) && rows.every((r) => Array.isArray(r) && isNatural(r[0]) && isProbability(r[1])),
        '"alternatives" holds a wrong row');
    }
    const clean = {
      block: step.block,
      drafted: read("drafted", 3),
      verified: read("verified", 2),
      remasked: read("remasked", 3),
      considered: read("considered", 3),
      alternatives,
      limits: Array.isArray(step.limits) ? step.limits : [],
      gap: readGap(step, this.tokens),
      decoder: this.decoderOf(this.passes + 1),
    };
    this.addPieces(pieces ?? {});
    this.steps.push(clean);
    this.seconds.push(Number.isFinite(seconds) ? seconds : null);
  }

  // How things stand after pass k (0: before the first). `states` holds one of masked, drafted, verified, remasked,
  // placed, fixed for each position; `revoked` the ids that pass k took back; `marks` the positions that were changed by hand:
  // "planted" while that token stands, "site" from then on.
  frame(k) {
    const cache = this._cache.pass <= k ? this._cache : this._blank();
    for (let pass = cache.pass; pass < k; pass += 1) {
      const { drafted, remasked } = this.steps[pass];
      for (const [position, id] of drafted) cache.ids[position] = id;
      for (const [position] of remasked) cache.ids[position] = MASKED;
      for (const [position] of cache.marks.size ? [...drafted, ...remasked] : []) {
        if (cache.marks.has(position)) cache.marks.set(position, "site");
      }
      this._edit(cache, pass + 1);
    }
    cache.pass = k;
    this._cache = cache;
    const ids = cache.ids.slice();
    const states = ids.map((id) => (id === MASKED ? "masked" : "placed"));
    const revoked = new Map();
    const step = this.steps[k - 1];
    if (step) {
      const tau2 = step.decoder.tau2 ?? 0;
      for (const [position, probability] of step.verified) {
        if (probability >= tau2 && ids[position] !== MASKED) states[position] = "verified";
      }
      for (const [position] of step.drafted) if (ids[position] !== MASKED) states[position] = "drafted";
      for (const [position, id] of step.remasked) {
        states[position] = "remasked";
        revoked.set(position, id);
      }
    }
    for (const [position, id] of this.edits.get(k) ?? []) {
      states[position] = id === MASKED ? "masked" : "placed";
      revoked.delete(position);
    }
    for (const position of this.fixed.keys()) states[position] = "fixed";
    return { pass: k, step, ids, states, revoked, marks: new Map(cache.marks), current: step ? step.block : 0 };
  }

  _blank() {
    const cache = { pass: 0, ids: this._before(), marks: new Map() };
    this._edit(cache, 0);
    return cache;
  }

  // The ids before the first pass.
  _before() {
    return Array.from({ length: this.tokens }, (_, position) => this.fixed.get(position) ?? MASKED);
  }

  _edit(cache, pass) {
    for (const [position, id] of this.edits.get(pass) ?? []) {
      cache.ids[position] = id;
      cache.marks.set(position, id === MASKED ? "site" : "planted");
    }
  }

  blockStatus(frame, block) {
    const start = block * this.blockLength;
    const placed = frame.ids.slice(start, start + this.blockLength).filter((id) => id !== MASKED).length;
    const status = placed === this.blockLength ? "done"
      : frame.pass > 0 && block === frame.current ? "decoding"
      : placed > 0 ? "decoding" : "waiting";
    return { start, placed, status };
  }

  // Everything that happened at one position up to pass k, in order.
  history(position, k) {
    const events = [];
    let standing = null;
    const edit = (pass) => {
      for (const [at, id] of this.edits.get(pass) ?? []) {
        if (at !== position) continue;
        events.push({ pass, kind: "planted", id, before: standing });
        standing = id === MASKED ? null : id;
      }
    };
    edit(0);
    for (let pass = 1; pass <= k; pass += 1) {
      const step = this.steps[pass - 1];
      const find = (rows) => rows.find((row) => row[0] === position);
      const drafted = find(step.drafted);
      const remasked = find(step.remasked);
      const verified = find(step.verified);
      const considered = find(step.considered);
      if (considered) events.push({ pass, kind: "considered", id: considered[1], p: considered[2] });
      if (drafted) {
        standing = drafted[1];
        events.push({ pass, kind: "drafted", id: drafted[1], p: drafted[2] });
      }
      if (remasked) {
        standing = null;
        events.push({ pass, kind: "remasked", id: remasked[1], p: remasked[2] });
      } else if (verified) events.push({ pass, kind: "verified", id: standing, p: verified[1] });
      edit(pass);
    }
    return events;
  }

  // Model seconds of the first k passes, or null where they were not measured.
  secondsUpTo(k) {
    const measured = this.seconds.slice(0, k);
    if (measured.every((value) => value !== null)) return measured.reduce((sum, value) => sum + value, 0);
    return k === this.passes ? this.totalSeconds : null;
  }

  revocationsUpTo(k) {
    return this.steps.slice(0, k).reduce((sum, step) => sum + step.remasked.length, 0);
  }

  // Where the tail of a block starts that is end of text, with masks between at most; null for a tail of fewer than
  // three such tokens.
  endTail(frame, block) {
    const isEnd = (position) => this.endIds.has(frame.revoked.get(position) ?? frame.ids[position]);
    let start = null;
    let ends = 0;
    for (let position = (block + 1) * this.blockLength - 1; position >= block * this.blockLength; position -= 1) {
      if (isEnd(position)) {
        start = position;
        ends += 1;
      } else if (frame.states[position] !== "masked") break;
    }
    return ends >= 3 ? start : null;
  }
}
