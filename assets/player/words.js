// The sentences of the player: token names, what a pass did, why a token stands or stays masked. No DOM in this file.

const STATE_WORDS = {
  masked: "masked",
  drafted: "drafted in this pass",
  verified: "passed verification in this pass",
  remasked: "taken back in this pass",
  placed: "placed earlier",
  fixed: "fixed from the start",
};

const plural = (count, one, many) => `${count} ${count === 1 ? one : many ?? `${one}s`}`;

// Two decimals; three where two would make a value look equal to the threshold that it is compared with.
function number(value, threshold) {
  const text = value.toFixed(2);
  return threshold !== undefined && value !== threshold && text === threshold.toFixed(2) ? value.toFixed(3) : text;
}

// A token's share of the probability, beside its name: a small one is not none.
const share = (p) => (p < 0.005 ? "< 0.01" : number(p));

// A token's text cut into what is drawn: the space before it, and its core in which line breaks are marked.
// Control characters get their visible picture, so that no text can reorder or hide what follows it.
function pieceParts(replay, id) {
  if (replay.endIds.has(id)) return { lead: " ", core: "end", kind: "end" };
  const text = replay.pieces.get(id);
  if (text === undefined) return { lead: " ", core: `token ${id}`, kind: "special" };
  if (text === "") return { lead: "", core: "∅", kind: "special" };
  const shown = text.replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  const lead = /^ +(?=[^ ])/.exec(shown)?.[0] ?? "";
  return { lead, core: shown.slice(lead.length), kind: /^\s+$/.test(shown) ? "space" : "text" };
}

function tokenName(replay, id) {
  const { core, kind } = pieceParts(replay, id);
  if (kind === "end") return /eot|turn|im_end/i.test(replay.pieces.get(id) ?? "") ? "end of turn" : "end of text";
  if (kind === "special") return core;
  if (kind === "space") {
    const breaks = core.split("\n").length - 1;
    return breaks ? (breaks > 1 ? `${breaks} line breaks` : "line break") : plural(core.length, "space");
  }
  const text = core.replace(/\n/g, "↵");
  return `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
}

// The same with the space before the token, where " 1" and "1" must be told apart.
function exactName(replay, id) {
  const { lead, kind } = pieceParts(replay, id);
  const name = tokenName(replay, id);
  return kind === "text" && lead ? `“${lead}${name.slice(1)}` : name;
}

// Several tokens in a row as one quoted text.
function textName(replay, ids) {
  if (ids.length === 1) return tokenName(replay, ids[0]);
  if (ids.every((id) => replay.endIds.has(id))) return `${ids.length} × end of text`;
  const text = ids.map((id) => {
    const { lead, core } = pieceParts(replay, id);
    return lead + core.replace(/\n/g, "↵");
  }).join("").trim();
  return `“${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
}

// A decoder and its settings; the model is named where its weights make it another decoder. As wino_viz/names.py.
function decoderWords(replay) {
  const words = ruleWords(replay.decoder);
  if (!isWinoPlus(replay)) return words;
  return replay.decoder.name === "threshold" ? words.replace("Threshold", "WINO+") : `WINO+ model, ${words}`;
}

// Known by the model's name, as in wino_viz/plus.py.
function isWinoPlus({ model }) {
  return /wino[-_]?plus[^/\\]*[/\\]?$/i.test(model);
}

function ruleWords(decoder) {
  const name = String(decoder.name ?? "");
  const value = (key) => (typeof decoder[key] === "number" ? String(Number(decoder[key].toPrecision(6))) : null);
  if (name === "wino") return `WINO, τ1 ${value("tau1") ?? "?"}, τ2 ${value("tau2") ?? "?"}`;
  if (name === "factor") return `Factor, f ${value("f") ?? "?"}`;
  if (name === "prophet") {
    return `Prophet, gaps ${["gap_early", "gap_middle", "gap_late"].map((key) => value(key) ?? "?").join(", ")}`;
  }
  if (name === "threshold") return `Threshold, τ ${value("tau") ?? "?"}`;
  if (name === "standard") {
    return `Standard, ${plural(decoder.tokens_per_step ?? 1, "token")} a pass${decoder.remasking === "random" ? ", at random" : ""}`;
  }
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}

// The threshold that a draft must pass: {value, words, passes} or null for decoders without one.
function draftThreshold(decoder) {
  if (isProbability(decoder.tau1)) {
    return { value: decoder.tau1, name: "τ1", above: "above τ1", passes: (p) => p > decoder.tau1 };
  }
  if (isProbability(decoder.tau)) {
    return { value: decoder.tau, name: "τ", above: "at least τ", passes: (p) => p >= decoder.tau };
  }
  return null;
}

// The bar of a token under the factor rule: {rank, value, words, passes} or null for other decoders. `rank` counts the
// predictions of its pass from the most confident on.
function rankBar(replay, step, position) {
  const { name, f } = step.decoder;
  if (name !== "factor" || !(Number.isFinite(f) && f >= 0)) return null;
  const ranked = [...step.drafted, ...step.considered].sort((a, b) => b[2] - a[2] || a[0] - b[0]);
  const rank = ranked.findIndex((row) => row[0] === position) + 1;
  if (!rank) return null;
  const value = 1 - f / (rank + 1);
  return { rank, words: `1\u00a0−\u00a0f/${rank + 1} = ${number(value)}`, passes: (p) => p >= value - 1e-9 };
}

function gapWords({ gap }) {
  if (!gap) return "";
  const where = gap.first === gap.last ? `token\u00a0${gap.first + 1}` : `tokens\u00a0${gap.first + 1}–${gap.last + 1}`;
  const found = `The answer (${where}) has a gap of ${number(gap.gap, gap.needed)}`;
  return gap.commits ? `${found}, at least ${number(gap.needed)}: all that was left was drafted at once.`
    : `${found}; from ${number(gap.needed)} on all that is left would be drafted at once.`;
}

function passSentence(replay, k) {
  if (k === 0) {
    const how = replay.fixed.size ? `${plural(replay.fixed.size, "token")} of ${replay.tokens} stand already, all others are masked`
      : `all ${replay.tokens} tokens are masked`;
    const masked = [`Before the first pass: ${how}.`, ...branchWords(replay, 0)].join(" ");
    const drawn = "The model doesn’t know how long their texts will be; here each mask is drawn as wide as what will stand there, " +
      "so that nothing moves.";
    return [masked, replay.finalIds ? drawn : "", ...controlWords(replay)].filter(Boolean).join(" ");
  }
  const step = replay.steps[k - 1];
  const parts = [];
  const ends = step.drafted.filter(([, id]) => replay.endIds.has(id)).length;
  let drafted = `drafted ${plural(step.drafted.length, "token")}`;
  const allEnds = ends > 1 ? ", all end of text" : " (end of text)";
  if (ends > 0) drafted += ends === step.drafted.length ? allEnds : ` (${ends} of them end of text)`;
  else if (step.drafted.length > 0 && step.drafted.length <= 2) {
    drafted += ` (${step.drafted.map(([, id]) => tokenName(replay, id)).join(", ")})`;
  }
  parts.push(drafted);
  if (step.verified.length) parts.push(`verified ${step.verified.length}`);
  if (step.remasked.length) parts.push(`took back ${step.remasked.length}: ${revokedWords(replay, step)}`);
  else if (step.verified.length) parts.push("took none back");
  const sentence = `Pass ${k}: ${parts.join(", ")}.`;
  return [sentence, gapWords(step), ...limitWords(replay, step), blockWords(replay, k), ...branchWords(replay, k)]
    .filter(Boolean).join(" ");
}

// What was changed by hand after pass k, and which decoder goes on where it is another one.
function branchWords(replay, k) {
  const edits = replay.edits.get(k) ?? [];
  const stood = new Map([...edits].map(([position]) => [position, replay.history(position, k)]));
  const changes = edits.slice(0, 3).map(([position, id]) => {
    const { before } = stood.get(position).findLast((event) => event.kind === "planted");
    const where = `(token\u00a0${position + 1})`;
    if (id === MASKED) return `${before === null ? "a token" : tokenName(replay, before)} ${where} was masked again`;
    if (before === null) return `${exactName(replay, id)} was planted ${where}`;
    return `${exactName(replay, before)} was replaced by ${exactName(replay, id)} ${where}`;
  });
  const more = edits.length > changes.length ? ` and ${edits.length - changes.length} more were changed` : "";
  const next = replay.branches.some(({ at }) => at === k) ? ruleWords(replay.decoderOf(k + 1)) : "";
  const from = next && next !== ruleWords(replay.decoderOf(k)) ? `${next} goes on from here.` : "";
  return [changes.length ? `Then, by hand, ${changes.join(", ")}${more}.` : "", from];
}

// What a person asked for beside the decoder.
function controlWords({ decoder }) {
  const scale = decoder.cfg_scale;
  const words = [];
  if (Number.isFinite(scale) && scale > 0) words.push(`Guidance ${number(scale)}: each pass is made with and without the prompt.`);
  if (decoder.end_of_text === "last") words.push("Ends of the text wait until their block proposes nothing else.");
  if (decoder.end_of_text === "never") words.push("The end of the text is left out of the choice.");
  return words;
}

function revokedWords(replay, step) {
  const groups = [];
  for (const [position, id] of [...step.remasked].sort((a, b) => a[0] - b[0])) {
    const group = groups.at(-1);
    if (group && group.last + 1 === position) {
      group.ids.push(id);
      group.last = position;
    } else groups.push({ first: position, last: position, ids: [id] });
  }
  const most = groups.length > 4 ? 3 : 4;
  const named = groups.slice(0, most).map(({ first, last, ids }) => {
    const where = first === last ? `token\u00a0${first + 1}` : `tokens\u00a0${first + 1}–${last + 1}`;
    return `${textName(replay, ids)} (${where})`;
  });
  const rest = groups.slice(most).reduce((sum, group) => sum + group.ids.length, 0);
  return named.join(", ") + (rest ? ` and ${rest} more` : "");
}

function limitWords(replay, step) {
  const bar = draftThreshold(step.decoder);
  const tau2 = step.decoder.tau2;
  const nothing = replay.decoder.end_of_text === "last" ? "No word" : "Nothing"; // an end of the text may have waited
  const sentences = [];
  for (const limit of step.limits) {
    if (limit === "forced_draft" && bar) {
      sentences.push(`${nothing} was ${bar.above}\u00a0${number(bar.value)}, so only the most confident token was drafted.`);
    } else if (limit === "forced_draft" && step.decoder.name === "factor") {
      sentences.push(`${nothing} was sure enough, so only the most confident token was drafted.`);
    } else if (limit === "draft_cap" && bar) {
      const held = step.considered.filter((row) => bar.passes(row[2]) && !mustWait(replay, step, row[1])).length;
      sentences.push(`The draft cap of ${step.drafted.length} held back ${held} more.`);
    } else if (limit === "remask_limit" || limit === "single_draft") {
      const taken = new Set(step.remasked.map(([position]) => position));
      const kept = step.verified.filter(([position, p]) => p < (tau2 ?? 0) && !taken.has(position)).length;
      const who = limit === "single_draft" ? plural(kept, "token") : plural(kept, "more token");
      const why = limit === "single_draft" ? "a pass that drafts one token takes none back"
        : "a pass takes back fewer than the pass before it drafted";
      sentences.push(`${who} fell below τ2 but ${kept === 1 ? "stays" : "stay"}: ${why}.`);
    }
  }
  return sentences;
}

function blockWords(replay, k) {
  const block = replay.steps[k - 1].block;
  const frame = replay.frame(k);
  if (replay.blockStatus(frame, block).status !== "done") return "";
  return frame.ids.includes(MASKED) ? `Block ${block + 1} is complete.` : "Every token is placed.";
}

// Why the token at `position` was drafted as it was: one sentence.
function draftSentence(replay, event, position) {
  const step = replay.steps[event.pass - 1];
  const bar = draftThreshold(step.decoder);
  const start = `Drafted in pass ${event.pass} with confidence ${number(event.p, bar?.value)}`;
  if (!bar) {
    if (step.decoder.name === "factor") return `${start}${rankWords(rankBar(replay, step, position), event.p)}.`;
    if (step.gap?.commits) return `${start}, together with all that was left.`;
    if (step.gap) return `${start}, the most confident of its block in that pass.`;
    if (step.decoder.name !== "standard") return `${start}.`;
    return step.decoder.remasking === "random" ? `${start}, at a random place.`
      : step.drafted.length === 1 ? `${start}, the most confident of that pass.`
      : `${start}, among the ${step.drafted.length} most confident of that pass.`;
  }
  if (bar.passes(event.p)) return `${start}, ${bar.above}\u00a0${number(bar.value)}.`;
  return `${start}: not ${bar.above}\u00a0${number(bar.value)}, but the most confident of a pass in which nothing was.`;
}

function rankWords(bar, p) {
  if (!bar) return "";
  if (bar.rank === 1) return ", the most confident of that pass, which is always drafted";
  return bar.passes(p) ? `: rank ${bar.rank} of that pass, at least ${bar.words}`
    : `: rank ${bar.rank} of that pass, not at least ${bar.words}, but the last one left goes with the others`;
}

// Does a token that a pass proposes have to wait because it ends the text and the pass placed words?
function mustWait({ decoder, endIds }, step, id) {
  return decoder.end_of_text === "last" && endIds.has(id) && step.drafted.some(([, drafted]) => !endIds.has(drafted));
}

function maskedSentence(replay, position, frame, leaning) {
  const block = Math.floor(position / replay.blockLength);
  if (frame.pass === 0) return "Nothing has been predicted yet.";
  if (block > frame.current) {
    const early = frame.step.gap ? ", or is drafted at once when the answer’s gap is large enough" : "";
    return `Waiting: block ${block + 1} starts when block ${frame.current + 1} is complete${early}.`;
  }
  if (!leaning || leaning.pass !== frame.pass) return "";
  if (mustWait(replay, frame.step, leaning.id)) {
    return "Stays masked: an end of the text waits until its block proposes nothing else.";
  }
  const bar = draftThreshold(frame.step.decoder);
  if (!bar) {
    const ranked = rankBar(replay, frame.step, position);
    if (ranked) return `Stays masked: rank ${ranked.rank} of this pass, and not at least ${ranked.words}.`;
    return frame.step.decoder.remasking === "random" ? "Stays masked: its place was not drawn in this pass."
      : "Stays masked: others were more confident in this pass.";
  }
  if (bar.passes(leaning.p)) {
    return `Stays masked: ${bar.above}\u00a0${number(bar.value)}, but the draft cap let only the ` +
      `${frame.step.drafted.length} most confident through.`;
  }
  return `Stays masked: ${number(leaning.p, bar.value)} is not ${bar.above}\u00a0${number(bar.value)}.`;
}

// What the card says about one position after pass k.
function cardContent(replay, position, k) {
  const frame = replay.frame(k);
  const state = frame.states[position];
  const events = replay.history(position, k);
  const decisive = events.filter((event) => event.kind !== "considered");
  const placing = events.findLast((event) => event.kind === "drafted" || event.kind === "planted");
  const plant = placing?.kind === "planted" ? placing : null;
  const draft = plant ? null : placing;
  const tau2 = replay.decoderOf(k).tau2;
  const lines = [];
  let title = "masked";
  let bars = null;
  if (frame.ids[position] !== MASKED) {
    title = tokenName(replay, frame.ids[position]);
    if (state === "fixed") lines.push("It stood before the first pass: the model reads it, and no pass drafts it or takes it back.");
    if (plant) lines.push(plantSentence(replay, plant));
    if (draft) lines.push(draftSentence(replay, draft, position));
    const checks = events.filter((event) => event.kind === "verified" && event.pass > placing?.pass);
    if (checks.length) {
      const latest = checks.at(-1);
      const lowest = Math.min(...checks.map((event) => event.p));
      lines.push(checks.length === 1
        ? `Verified once, in pass ${latest.pass}: ${number(latest.p, tau2)}.`
        : `Verified in ${checks.length} passes: latest ${number(latest.p, tau2)}, lowest ${number(lowest, tau2)}.`);
      if (latest.pass === k && tau2 !== undefined && latest.p < tau2) {
        lines.push(`Below τ2\u00a0${number(tau2)} in this pass, but it stays: the pass had reached its limit.`);
      }
    } else if (state === "fixed") bars = null;
    else if (!replay.verifiesIn(plant ? k + 1 : k)) {
      lines.push("This decoder never checks a token again: what is placed stays.");
    } else if (state === "drafted" || plant?.pass === k) lines.push("It is verified from the next pass on.");
    const chosen = state === "fixed" ? null : events.findLast((event) => event.kind === "drafted");
    if (chosen) bars = { pass: chosen.pass, title: `The model’s first choices there in pass ${chosen.pass}`, chosen: chosen.id };
  } else if (state === "remasked") {
    const revoked = decisive.at(-1);
    title = `${tokenName(replay, revoked.id)} taken back`;
    lines.push(`Its probability fell to ${number(revoked.p, tau2)}, below τ2\u00a0${tau2 === undefined ? "" : number(tau2)}, ` +
      "so it is masked again.");
    if (plant) lines.push(plantSentence(replay, plant));
    if (draft) lines.push(draftSentence(replay, draft, position));
    bars = { pass: k, title: `What the model would rather see there`, chosen: revoked.id };
  } else {
    const leaning = events.findLast((event) => event.kind === "considered");
    if (leaning && leaning.pass === k) lines.push(`Leans to ${tokenName(replay, leaning.id)}, ${number(leaning.p)}.`);
    lines.push(maskedSentence(replay, position, frame, leaning));
    const revoked = decisive.at(-1);
    if (revoked?.kind === "remasked") {
      lines.push(`${tokenName(replay, revoked.id)} stood here until pass ${revoked.pass}.`);
    } else if (revoked?.kind === "planted") lines.push(plantSentence(replay, revoked));
  }
  const rows = bars ? replay.steps[bars.pass - 1].alternatives[position] : null;
  if (rows?.length) {
    bars.rows = rows.slice(0, 5).map(([id, p]) => ({ name: exactName(replay, id), p, chosen: id === bars.chosen }));
  } else bars = null;
  const taken = events.findLast((event) => event.kind === "remasked");
  const revoked = taken ? `${tokenName(replay, taken.id)} (pass ${taken.pass})` : "";
  return { title, state, revoked, takenIn: taken?.pass, planted: plant?.pass === k && plant.id !== MASKED, position, lines: lines.filter(Boolean), events, bars, past: pastWords(replay, events) };
}

// The drafts and revocations at one position, when there was more than a single draft.
function pastWords(replay, events) {
  const turns = events.filter(({ kind }) => kind === "drafted" || kind === "remasked" || kind === "planted");
  if (turns.length < 2) return [];
  return turns.map(({ pass, kind, id, p }) => {
    if (kind === "planted") return `after pass ${pass}: ${id === MASKED ? "masked" : `planted ${exactName(replay, id)}`} by hand`;
    const threshold = kind === "remasked" ? replay.decoderOf(pass).tau2 : undefined;
    return `pass ${pass}: ${kind === "drafted" ? "drafted" : "took back"} ${tokenName(replay, id)} at ${number(p, threshold)}`;
  });
}

// What was changed by hand at a position.
function plantSentence(replay, { pass, id, before }) {
  const when = pass === 0 ? "before the first pass" : `after pass ${pass}`;
  const old = before === null ? "" : exactName(replay, before);
  if (id === MASKED) return `Masked again by hand ${when}${old && `: ${old} stood here`}.`;
  return `Planted by hand ${when}${old && `, in the place of ${old}`}.`;
}
