// What the recorded confidences say of another order, or of other thresholds. No DOM in this file.
//
// arNess(replay)                  local and global AR-ness, as wino_viz/order.py
// whatIf(replay, tau1, tau2)      where WINO's rule would first have decided otherwise, as wino_viz/decoding/wino.py
// mayAttend(row, column)          the attention mask of WINO's shadow block, by the entries of axisOf

const KS = [1, 2, 4, 8];

// The decoder of a pass, with its settings: a trace that was decoded on has several.
const decoderOf = (replay, pass) => replay.decoderOf?.(pass) ?? replay.decoder;

// ---- order

// The positions that hold a token at the end, in the order of the passes that placed them for good.
function decodingOrder(replay, backwards = false) {
  const placed = new Map();
  replay.steps.forEach((step, index) => {
    for (const [position] of step.drafted) placed.set(position, index);
    for (const [position] of step.remasked) placed.delete(position);
  });
  const sign = backwards ? -1 : 1;
  return [...placed.keys()].sort((a, b) => placed.get(a) - placed.get(b) || sign * (a - b));
}

// How many tokens were placed directly after the k tokens to their left; the prompt is to the left of the first.
function localHits(order, k) {
  let [run, last, hits] = [k, -1, 0];
  for (const position of order) {
    run = position === last + 1 ? Math.min(run + 1, k) : 0;
    hits += run >= k ? 1 : 0;
    last = position;
  }
  return hits;
}

// How many tokens were placed at one of the k leftmost open positions, for every k of `ks`.
function globalHits(order, tokens, ks) {
  const open = Array.from({ length: tokens }, (_, position) => position);
  const hits = ks.map(() => 0);
  for (const position of order) {
    let [low, high] = [0, open.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (open[middle] < position) low = middle + 1;
      else high = middle;
    }
    ks.forEach((k, index) => (hits[index] += low < k ? 1 : 0));
    open.splice(low, 1);
  }
  return hits;
}

// {tokens, rows: [{k, local, localBackwards, global, globalBackwards}]} as shares, and the hits of k = 1; null without tokens.
function arNess(replay, ks = KS) {
  const [forwards, backwards] = [decodingOrder(replay), decodingOrder(replay, true)];
  const tokens = forwards.length;
  if (!tokens) return null;
  const [first, last] = [globalHits(forwards, replay.tokens, ks), globalHits(backwards, replay.tokens, ks)];
  const rows = ks.map((k, index) => ({
    k,
    local: localHits(forwards, k) / tokens,
    localBackwards: localHits(backwards, k) / tokens,
    global: first[index] / tokens,
    globalBackwards: last[index] / tokens,
  }));
  return { tokens, rows, next: localHits(forwards, 1), leftmost: globalHits(forwards, replay.tokens, [1])[0] };
}

// ---- other thresholds

const DRAFT_LIMITS = { draft_floor: 5, draft_cap: 20, draft_share: 0.7, first_remask_limit: 30 }; // where a trace names none

// The highest `count` of rows [position, id, p], the first of equals, as a set of positions.
function mostConfident(rows, count) {
  return new Set([...rows].sort((a, b) => b[2] - a[2] || a[0] - b[0]).slice(0, count).map(([position]) => position));
}

// Which of `rows` [position, id, p] are drafted, of `masked` masked positions.
function chooseDrafts(rows, masked, tau1, limits) {
  const most = Math.min(Math.max(Math.trunc(limits.draft_share * masked), limits.draft_floor), limits.draft_cap);
  const chosen = rows.filter(([, , p]) => p > tau1);
  if (!chosen.length) return mostConfident(rows, 1);
  return chosen.length > most ? mostConfident(chosen, most) : new Set(chosen.map(([position]) => position));
}

// Which of the judged tokens [position, p] are taken back, in a pass with so many drafts, after one with `lastDrafts`.
function chooseRemasks(judged, tau2, drafts, lastDrafts) {
  const failed = judged.filter(([, p]) => p < tau2);
  if (!failed.length || drafts === 1) return new Set();
  const lowest = [...judged].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  const taken = failed.length >= lastDrafts ? lowest.slice(0, lastDrafts - 1) : failed;
  return new Set(taken.map(([position]) => position));
}

const byPosition = (a, b) => a[0] - b[0];
const sameSet = (a, b) => a.size === b.size && [...a].every((entry) => b.has(entry));
const positionsOf = (rows) => new Set(rows.map(([position]) => position));

// Re-apply WINO's rule with other thresholds to what the trace holds, up to the first pass that decides otherwise:
//   {kind: "same"}                      no pass does: the same decoding, token for token
//   {kind: "differs", pass, alsoDrafted, notDrafted: [[position, id, p]], alsoTaken, kept: [[position, id, p]], forced}
//   {kind: "unknown", pass, missing}    what would decide it is not in the trace
//   {kind: "departs", pass, branch}     the trace itself does not follow the rule here, so nothing follows from it; `branch`:
//                                       because it was decoded on with other settings, or from a text changed by hand
function whatIf(replay, tau1, tau2) {
  const decoder = decoderOf(replay, 1);
  const branch = replay.branches?.[0]?.at ?? Infinity;
  const limits = Object.fromEntries(Object.entries(DRAFT_LIMITS).map(([name, usual]) => [name, Number.isFinite(decoder[name]) ? decoder[name] : usual]));
  const ids = new Map(); // position: id of what stands before the pass
  let lastDrafts = limits.first_remask_limit;
  for (let pass = 1; pass <= replay.passes; pass += 1) {
    const step = replay.steps[pass - 1];
    if (pass > 1 && step.block !== replay.steps[pass - 2].block) lastDrafts = limits.first_remask_limit;
    if (pass > branch) return { kind: "departs", pass, branch: true };
    const found = decideAnew(replay, decoder, step, ids, lastDrafts, limits, tau1, tau2);
    if (found) return { pass, ...found };
    for (const [position, id] of step.drafted) ids.set(position, id);
    for (const [position] of step.remasked) ids.delete(position);
    lastDrafts = step.drafted.length;
  }
  return { kind: "same" };
}

// One pass: null where it decides as it did.
function decideAnew(replay, decoder, step, ids, lastDrafts, limits, tau1, tau2) {
  const start = step.block * replay.blockLength;
  const inBlock = (position) => position >= start && position < start + replay.blockLength;
  const placed = [...ids.keys()].filter(inBlock).length;
  const masked = replay.blockLength - placed;
  const rows = [...step.drafted, ...step.considered].sort(byPosition);
  const judged = [...step.verified].sort(byPosition);
  const unseen = { drafts: masked - rows.length, judged: placed - judged.length }; // what the trace doesn't tell
  const drafted = positionsOf(step.drafted);
  const remasked = positionsOf(step.remasked);

  const asItWas = {
    drafts: chooseDrafts(rows, masked, decoder.tau1, limits),
    remasks: chooseRemasks(judged, decoder.tau2, drafted.size, lastDrafts),
  };
  const follows = !rows.some(([position]) => !inBlock(position)) && sameSet(asItWas.drafts, drafted) && sameSet(asItWas.remasks, remasked);
  if (!follows) return { kind: "departs" };

  // Raising τ1, nothing that was not drafted can be; lowering it, what a full pass left out stays out.
  const undecided = unseen.drafts > 0 && tau1 < decoder.tau1 && !step.limits.includes("draft_cap");
  if (undecided) return { kind: "unknown", missing: unseen.drafts, what: "drafts" };
  const drafts = chooseDrafts(rows, masked, tau1, limits);
  if (unseen.judged > 0 && tau2 !== decoder.tau2) return { kind: "unknown", missing: unseen.judged, what: "verified" };
  const remasks = chooseRemasks(judged, tau2, drafts.size, lastDrafts);
  if (sameSet(drafts, drafted) && sameSet(remasks, remasked)) return null;
  const named = judged.map(([position, p]) => [position, ids.get(position), p]);
  return {
    kind: "differs",
    alsoDrafted: rows.filter(([position]) => drafts.has(position) && !drafted.has(position)),
    notDrafted: rows.filter(([position]) => !drafts.has(position) && drafted.has(position)),
    alsoTaken: named.filter(([position]) => remasks.has(position) && !remasked.has(position)),
    kept: named.filter(([position]) => !remasks.has(position) && remasked.has(position)),
    forced: !rows.some(([, , p]) => p > tau1),
    single: drafts.size === 1,
  };
}

// ---- attention

// The rows and columns of the mask of pass `pass`, while `block` is decoded, in the order of the sequence: {kind: "prompt", count},
// {kind: "block", block, count} for one that is folded, {kind: "token", position}, {kind: "shadow", position}.
function axisOf(replay, pass, block, unfolded) {
  const axis = replay.promptLength ? [{ kind: "prompt", count: replay.promptLength }] : [];
  const positions = (b) => Array.from({ length: replay.blockLength }, (_, i) => b * replay.blockLength + i);
  for (let b = 0; b < replay.blocks; b += 1) {
    if (b === block || unfolded) axis.push(...positions(b).map((position) => ({ kind: "token", position })));
    else axis.push({ kind: "block", block: b, count: replay.blockLength });
  }
  if (hasShadow(replay, pass)) axis.push(...positions(block).map((position) => ({ kind: "shadow", position })));
  return axis;
}

const hasShadow = (replay, pass) => decoderOf(replay, pass).name === "wino";

// Nothing outside the shadow sees it; it sees everything but its own twin.
function mayAttend(row, column) {
  if (column.kind === "shadow") return row.kind === "shadow";
  return !(row.kind === "shadow" && column.kind === "token" && column.position === row.position);
}
