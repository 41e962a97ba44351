// Why was a token taken back? What the trace itself tells, without asking the model again. No DOM in this file.

const MOST_NAMED = 3; // tokens of a sentence
const NEAR = 12; // positions: what stands further away is not named

// Sentences on the last time that the token at `position` was taken back, up to pass k; none where it never was.
function whyWords(replay, position, k) {
  const events = replay.history(position, k);
  const at = events.findLastIndex(({ kind }) => kind === "remasked");
  if (at < 0) return [];
  const revoked = events[at];
  const from = events.slice(0, at).findLast(({ kind }) => kind === "drafted" || kind === "planted");
  if (!from) return [];
  return [sightWords(replay, position, from, revoked), delayWords(replay, events, from, revoked), afterWords(replay, position, revoked)]
    .filter(Boolean);
}

// What the shadow block saw when it judged the token, and the draft had not seen.
function sightWords(replay, position, from, revoked) {
  const { ids } = replay.frame(revoked.pass - 1);
  const others = new Map(); // by position, what stands there: drafted with it, or after it
  let beside = 0;
  for (let pass = Math.max(1, from.pass); pass < revoked.pass; pass += 1) {
    for (const [place, id] of replay.steps[pass - 1].drafted) {
      if (place === position || ids[place] !== id) continue;
      if (pass === from.pass && from.kind === "drafted" && !others.has(place)) beside += 1;
      if (pass > from.pass || from.kind === "drafted") others.set(place, id);
    }
  }
  const named = [...others].filter(([place, id]) => Math.abs(place - position) <= NEAR && !replay.endIds.has(id))
    .sort((a, b) => Math.abs(a[0] - position) - Math.abs(b[0] - position)).slice(0, MOST_NAMED)
    .sort((a, b) => a[0] - b[0]).map(([, id]) => tokenName(replay, id));
  const nearest = named.length ? `. The nearest: ${named.join(", ")}` : "";
  if (from.kind === "planted") {
    return others.size ? `It was planted; since then ${plural(others.size, "token")} came to stand${nearest}.`
      : "It was planted, and did not fit what stood there already.";
  }
  if (!others.size) return "";
  const later = others.size - beside;
  const unseen = [beside && `the ${plural(beside, "token")} of its own pass`, later > 0 && `the ${beside ? later : plural(later, "token")} that came after it`];
  return `Its draft could not see ${unseen.filter(Boolean).join(" and ")}; the judge could${nearest}.`;
}

// Whether it had failed before, and what held WINO back then.
function delayWords(replay, events, from, revoked) {
  const early = events.find(({ kind, pass, p }) => kind === "verified" && pass > from.pass && pass < revoked.pass
    && p < (replay.decoderOf(pass).tau2 ?? 0));
  if (!early) return "";
  const { limits } = replay.steps[early.pass - 1];
  const why = limits.includes("single_draft") ? "a pass that drafts one token takes none back"
    : limits.includes("remask_limit") ? "a pass takes back fewer than the pass before it drafted" : "";
  return why && `It was below τ2 in pass ${early.pass} already, ${number(early.p)}, but stayed: ${why}.`;
}

// What was written in its place, where the trace goes on.
function afterWords(replay, position, revoked) {
  const next = replay.history(position, replay.passes).find(({ kind, pass }) => pass > revoked.pass && (kind === "drafted" || kind === "planted"));
  if (!next || next.kind === "planted") return "";
  const waited = next.pass - revoked.pass - 1;
  const later = waited ? `, ${plural(waited + 1, "pass", "passes")} later` : "";
  if (next.id === revoked.id) return `Pass ${next.pass} wrote the same again${later}.`;
  return `Pass ${next.pass} wrote ${exactName(replay, next.id)} in its place${later}.`;
}
