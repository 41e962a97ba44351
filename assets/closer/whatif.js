// What if τ? Other thresholds, applied at once to the recorded confidences, up to the first pass that would decide otherwise.

const NAMED = 3; // tokens in a sentence
const TAUS = ["tau1", "tau2"];

function whatIfPanel() {
  let view = null;
  let replay = null;
  let found = null;

  function build(body, closer) {
    const form = el("div", "closer-taus");
    const sliders = [["tau1", "τ1", "draft above"], ["tau2", "τ2", "take back below"]].map((about) => slider(...about, () => apply(closer)));
    form.append(...sliders.map(({ row }) => row));
    const reset = el("button", "closer-button", "As recorded");
    reset.type = "button";
    reset.addEventListener("click", () => {
      for (const { key, input } of sliders) input.value = decoderOf(replay, 1)[key];
      apply(closer);
    });
    form.append(reset);
    const words = el("p", "closer-say");
    words.setAttribute("role", "status");
    const strip = el("div", "closer-strip");
    strip.setAttribute("aria-hidden", "true"); // the sentence says the same
    const details = el("ul", "closer-changes");
    const bar = el("div", "closer-bar");
    const go = el("button", "closer-button");
    go.type = "button";
    go.addEventListener("click", () => {
      closer.goTo(found.pass);
      closer.toPlayer();
    });
    const branch = el("button", "closer-button closer-branch");
    branch.type = "button";
    branch.addEventListener("click", () => {
      closer.trigger("select", { pass: found.pass, tau1: sliders[0].value(), tau2: sliders[1].value(), message: closer.message });
      closer.toPlayer();
    });
    bar.append(go, branch);
    const note = el("p", "closer-note", "Exact up to that pass, from the confidences that the trace holds. After it the model would have seen " +
      "another text, so only a new decoding could tell.");
    body.append(form, strip, words, details, bar, note);
    view = { form, sliders, reset, strip, words, details, bar, go, branch, note };
  }

  const isShare = (value) => typeof value === "number" && value >= 0 && value <= 1;
  const applies = (candidate) => hasShadow(candidate, 1) && TAUS.every((key) => isShare(decoderOf(candidate, 1)[key]));

  function apply(closer) {
    for (const { output, value } of view.sliders) output.textContent = winoPlayer.number(value());
    const [tau1, tau2] = view.sliders.map(({ value }) => value());
    const recorded = [tau1, tau2].every((value, n) => value === decoderOf(replay, 1)[TAUS[n]]);
    found = whatIf(replay, tau1, tau2);
    view.reset.disabled = recorded;
    view.words.textContent = outcomeWords(replay, found, tau1, tau2, recorded);
    view.details.replaceChildren(...(found.kind === "differs" ? changes(replay, found, tau1, tau2) : []).map((words) => el("li", "", words)));
    view.go.hidden = found.pass === undefined;
    view.go.textContent = `Show pass ${found.pass}`;
    view.branch.hidden = !(closer.canBranch && found.kind === "differs");
    view.branch.textContent = `Decode from pass ${found.pass} on`;
    view.bar.hidden = view.go.hidden;
    view.strip.style.setProperty("--same", String(found.pass === undefined ? 1 : (found.pass - 1) / replay.passes));
    view.strip.style.setProperty("--one", String(1 / Math.max(1, replay.passes)));
    view.strip.classList.toggle("closer-strip-differs", found.kind === "differs");
    const differs = found.kind === "differs" ? found.pass : null;
    if (closer.differs !== differs) {
      closer.differs = differs; // the first panel marks it
      closer.update();
    }
  }

  function draw(closer) {
    const ready = applies(closer.replay) && !closer.state.live && closer.replay.passes > 0;
    for (const part of [view.form, view.strip, view.details, view.bar, view.note]) part.hidden = !ready;
    if (!ready) {
      replay = null;
      view.words.textContent = closer.state.live ? "This works as soon as the run is over."
        : closer.replay.passes ? "Only WINO has the two thresholds, τ1 and τ2: this trace is of another decoder." : "No pass has been made yet.";
      return;
    }
    if (replay !== closer.replay) {
      replay = closer.replay;
      for (const { key, input } of view.sliders) input.value = decoderOf(replay, 1)[key];
      apply(closer);
    }
  }

  return { id: "whatif", title: "What if τ?", words: "the same run under other thresholds, up to where it would part", build, draw };
}

// A slider of one threshold; its value is the recorded one, digit for digit, until it is moved.
function slider(key, name, words, onMove) {
  const row = el("label", "closer-tau");
  const input = el("input");
  Object.assign(input, { type: "range", min: "0", max: "1", step: "any" });
  const output = el("span", "closer-number closer-tau-value");
  input.addEventListener("input", () => {
    input.value = (Math.round(Number(input.value) * 100) / 100).toString();
    onMove();
  });
  input.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 }[event.key];
    if (!by) return;
    event.preventDefault();
    input.value = Math.min(1, Math.max(0, Math.round((Number(input.value) + by) * 100) / 100));
    onMove();
  });
  row.append(el("b", "", name), el("span", "closer-tau-words", words), input, output);
  return { key, row, input, output, value: () => Number(input.value) };
}

// What the passes from there on were made with, where it differs: the thresholds by name, as “Decode from pass N on” sets them.
function otherWords(replay, pass) {
  const [first, then] = [decoderOf(replay, 1), decoderOf(replay, pass)];
  if (!("tau1" in then) || (then.tau1 === first.tau1 && then.tau2 === first.tau2)) return "other settings or a text changed by hand";
  return `τ1 = ${winoPlayer.number(then.tau1)} and τ2 = ${winoPlayer.number(then.tau2)}`;
}

function outcomeWords(replay, found, tau1, tau2, recorded) {
  const upTo = found.pass > 1 ? `Up to pass ${found.pass - 1} nothing changes. ` : "";
  if (recorded && found.kind === "same") return "These are the recorded thresholds. Move one to see where the decoding would part from this one.";
  if (found.kind === "same") return "Nothing changes: with these thresholds the decoding would be the same, token for token.";
  if (found.branch) {
    return `${upTo}From pass ${found.pass} on this trace was decoded on, with ${otherWords(replay, found.pass)}, so nothing can be said of it.`;
  }
  if (found.kind === "departs") {
    return `${upTo}In pass ${found.pass} this trace itself does not follow WINO’s rule with its recorded settings, so nothing can be said from there on.`;
  }
  if (found.kind === "unknown") {
    const of = found.what === "drafts" ? "confidence of" : "verdict on";
    return `${upTo}Pass ${found.pass} can’t be decided: the trace does not hold the ${of} ${winoPlayer.plural(found.missing, "position")} there.`;
  }
  return `${upTo}Pass ${found.pass} is the first that would decide otherwise:`;
}

// What the first pass that differs would have done, one sentence for each kind of change.
function changes(replay, found, tau1, tau2) {
  const list = (rows, bar) => {
    const named = rows.slice(0, NAMED).map(([position, id, p]) => `${winoPlayer.exactName(replay, id)} (token ${position + 1}, ${winoPlayer.number(p, bar)})`);
    return named.join(", ") + (rows.length > NAMED ? ` and ${rows.length - NAMED} more` : "");
  };
  const [t1, t2] = [tau1, tau2].map((value) => winoPlayer.number(value));
  const made = [];
  if (found.notDrafted.length) made.push(`τ1 = ${t1} would not have drafted ${list(found.notDrafted, tau1)}.`);
  if (found.alsoDrafted.length) {
    const why = found.forced ? `Nothing is above τ1 = ${t1}, so the most confident would have been drafted: ` : `τ1 = ${t1} would also have drafted `;
    made.push(`${why}${list(found.alsoDrafted, tau1)}.`);
  } else if (found.forced && found.notDrafted.length) made.push("Nothing would be above τ1, so the most confident alone is drafted.");
  if (found.alsoTaken.length) {
    const why = found.alsoTaken.every(([, , p]) => p < decoderOf(replay, 1).tau2) ? "The pass" : `τ2 = ${t2}`;
    made.push(`${why} would also have taken back ${list(found.alsoTaken, tau2)}.`);
  }
  if (found.kept.length) {
    const limit = found.single ? ", as a pass that drafts one token takes none back" : ", as a pass takes back fewer than the one before drafted";
    const why = found.kept.some(([, , p]) => p < tau2) ? limit : "";
    made.push(`${why ? "It" : `τ2 = ${t2}`} would not have taken back ${list(found.kept, tau2)}${why}.`);
  }
  return made;
}
