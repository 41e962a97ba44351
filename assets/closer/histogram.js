// The confidences of one pass against the thresholds: what was drafted, and what the shadow block gave placed tokens.

const BINS = 20;

function histogramPanel() {
  let view = null;

  function build(body) {
    const note = el("p", "closer-note");
    const two = el("div", "closer-two");
    const side = (name) => {
      const figure = el("figure", "closer-figure");
      const title = el("figcaption", "closer-figure-title", name);
      const box = el("div", "closer-plot");
      box.setAttribute("role", "img");
      const words = el("p", "closer-figure-words");
      const key = el("ul", "closer-key");
      figure.append(title, key, box, words);
      two.append(figure);
      return { figure, box, words, key };
    };
    const [draft, verify] = [
      "Drafting: confidence of the predictions for masked positions", "Verification: what the shadow block gives placed tokens",
    ].map(side);
    view = { draft, verify, note };
    body.append(two, note);
  }

  function draw(closer) {
    const { replay, pass } = closer;
    const step = replay.steps[pass - 1];
    view.draft.figure.hidden = view.verify.figure.hidden = !step;
    view.note.textContent = step ? "" : "Step to a pass to see its confidences: before the first there are none.";
    if (!step) return;
    const drafts = draftGroups(decoderOf(replay, pass), step);
    show(closer, view.draft, drafts);
    const verified = verifiedGroups(decoderOf(replay, pass), step);
    view.verify.figure.hidden = !verified;
    if (verified) show(closer, view.verify, verified);
    const before = replay.frame(pass - 1).ids;
    const start = step.block * replay.blockLength;
    const open = before.slice(start, start + replay.blockLength).filter((id) => id < 0).length;
    const told = step.drafted.length + step.considered.length;
    const missing = told < open ? `The trace holds the confidences of ${told} of the block’s ${open} masked positions; the others were not recorded. ` : "";
    const unchecked = verified ? "" : "This decoder never checks a placed token again, so there is no second figure. ";
    view.note.textContent = `${missing}${unchecked}Pass ${pass}; each bar is ${1 / BINS} wide.`;
  }

  function show(closer, side, { groups, threshold, words }) {
    side.words.textContent = words;
    side.box.setAttribute("aria-label", words);
    side.key.replaceChildren(...groups.filter(({ rows }) => rows.length).map(({ name, look }) => {
      const item = el("li", `closer-key-${look}`);
      item.append(el("span", "closer-swatch"), name);
      return item;
    }));
    const width = side.figure.clientWidth;
    plot(side.box, () => histogram(closer, groups, threshold, width), (problem) => problem && (side.words.textContent = problem));
  }

  return { id: "histogram", title: "Confidences of this pass", words: "against the thresholds", build, draw };
}

function histogram(closer, groups, threshold, width) {
  const centres = Array.from({ length: BINS }, (_, bin) => (bin + 0.5) / BINS);
  const data = groups.filter(({ rows }) => rows.length).map(({ rows, name, look }) => {
    const counts = new Array(BINS).fill(0);
    for (const p of rows) counts[Math.min(BINS - 1, Math.floor(p * BINS + 1e-9))] += 1;
    const colour = closer.colour(`closer-${look}`);
    const edge = closer.colour(`closer-on-${look}`);
    const pattern = { shape: { remasked: "x", masked: "", stays: "/" }[look] ?? "", fgcolor: edge, bgcolor: colour, size: 5, solidity: 0.35 };
    return {
      type: "bar", x: centres, y: counts, width: 1 / BINS - 0.004, name, text: counts.map((count) => count || ""), textposition: "none",
      hovertemplate: `%{y} ${name}<extra></extra>`, marker: { color: colour, pattern, line: { color: edge, width: 1 } },
    };
  });
  const most = Math.max(1, ...centres.map((_, bin) => data.reduce((sum, { y }) => sum + y[bin], 0)));
  const layout = plotLayout(closer, {
    width, height: 210, barmode: "stack", margin: { l: 34, r: 10, t: 18, b: 34 },
    xaxis: { range: [-0.004, 1.004], showgrid: false, dtick: 0.2, tickformat: ".1f" },
    yaxis: { range: [0, most * 1.08], nticks: 4, tickformat: "d", rangemode: "tozero" },
  });
  if (threshold) {
    const x = threshold.value;
    const colour = closer.colour("closer-ink");
    layout.shapes = [{ type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: colour, width: 2, dash: "dash" } }];
    layout.annotations = [{
      x, y: 1, yref: "paper", yanchor: "bottom", xanchor: x > 0.85 ? "right" : x < 0.15 ? "left" : "center", showarrow: false,
      text: `<b>${threshold.name} ${winoPlayer.number(x)}</b>`, font: { size: 12, color: colour },
    }];
  }
  return { data, layout };
}

// Predictions for masked positions, drafted or not: {groups: [{name, look, rows: [p]}], threshold, words}.
function draftGroups(decoder, step) {
  const bar = winoPlayer.draftThreshold(decoder);
  const of = (rows) => rows.map(([, , p]) => p);
  const above = bar ? step.considered.filter(([, , p]) => bar.passes(p)).length : 0;
  const count = step.drafted.length + step.considered.length;
  const parts = [`${winoPlayer.plural(count, "prediction")}: ${step.drafted.length} drafted, ${step.considered.length} left masked`];
  if (bar && above) parts.push(`${above} of these ${above === 1 ? "is" : "are"} ${bar.above} ${winoPlayer.number(bar.value)}, and held back by the draft cap`);
  if (bar && step.limits.includes("forced_draft")) parts.push(`none is ${bar.above} ${winoPlayer.number(bar.value)}, so the most confident is drafted`);
  return {
    groups: [{ name: "drafted", look: "drafted", rows: of(step.drafted) }, { name: "left masked", look: "masked", rows: of(step.considered) }],
    threshold: bar,
    words: `${parts.join("; ")}.${bar ? "" : " This decoder has no threshold for a draft."}`,
  };
}

// What the judged tokens got; null where the pass judged none and the decoder never does.
function verifiedGroups({ tau2 }, step) {
  const bar = Number.isFinite(tau2) ? tau2 : null;
  if (!step.verified.length) {
    const words = "No token of this block stood before this pass: there is nothing to verify yet.";
    return bar === null ? null : { groups: [], threshold: null, words };
  }
  const taken = new Set(step.remasked.map(([position]) => position));
  const groups = { verified: [], remasked: [], stays: [] };
  for (const [position, p] of step.verified) {
    groups[taken.has(position) ? "remasked" : bar !== null && p < bar ? "stays" : "verified"].push(p);
  }
  const stays = groups.stays.length ? `; ${groups.stays.length} below τ2 ${groups.stays.length === 1 ? "stays" : "stay"}, for the pass had reached its limit` : "";
  return {
    groups: [
      { name: "pass", look: "verified", rows: groups.verified },
      { name: "taken back", look: "remasked", rows: groups.remasked },
      { name: "below τ2, but stay", look: "stays", rows: groups.stays },
    ],
    threshold: bar === null ? null : { name: "τ2", value: bar },
    words: `${winoPlayer.plural(step.verified.length, "placed token")} judged: ${groups.verified.length} passed, ${groups.remasked.length} taken back${stays}.`,
  };
}
