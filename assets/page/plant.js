// “Plant an error”: change a token by hand, watch two decoders go on from there, and compare the branches.
//
// data: {follows, shows: the ids of the player whose tokens are changed and of the one that shows the branches}, and after a
// run also {run, branch: {name, at_pass, position, outcomes: [{text, pass, verdict, correct}, …]}}, or what was asked of a token
// that was taken back, {why: {source, run, lane, position, pass, text}}. The server decodes: trigger("click", {trace, model,
// at_pass, position, token | text}), and asks the model: trigger("select", {trace, source, run, lane, position, pass}). Branches are kept by this browser, for this visit.

const MOST_BRANCHES = 8;
const MOST_COMPARED = 3;
const LONGEST_NAME = 60;
const KEPT = "wino-branches"; // of the Decode tab; others add the id of their player
const HOW = "Pause at any pass, click a token and press “Plant an error here” in its card; or";

function showPlant(element, data, trigger) {
  if (!data) return;
  element.winoPlant ??= new PlantForm(element, data, trigger);
  if (data.branch) element.winoPlant.collect(data);
  if (data.why) playerOf(String(data.why.source))?.player?.tell(data.why);
}

class PlantForm {
  constructor(element, { follows, shows }, trigger) {
    Object.assign(this, { element, follows: String(follows), shows: String(shows), trigger });
    this.kept = this.shows === "plant-player" ? KEPT : `${KEPT}-${this.shows}`;
    this.chosen = null; // what a person may do at the token that was chosen, as the player tells it
    this.branches = [];
    this.ticked = [];
    this.taken = new Set(); // runs whose branches were collected
    this.shown = null; // the traces that the branches' player shows, where they are not those of its last run
    this.button = plainButton("plant-open", "Plant an error");
    this.button.setAttribute("aria-expanded", "false");
    this.button.addEventListener("click", () => this.open(!this.isOpen));
    this.form = part("form", "plant-form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.list = part("section", "plant-branches");
    this.list.setAttribute("aria-label", "Branches");
    this.fates = part("ul", "plant-fates");
    this.fates.setAttribute("aria-live", "polite");
    element.append(this.button, this.form, this.list, this.fates);
    this.restore();
    this.drawForm();
    this.drawBranches();
    this.open(false);
    document.addEventListener("wino-plant", (event) => {
      const source = [this.follows, this.shows].find((id) => event.target.closest?.(`#${id}`));
      if (source) this.choose({ source, ...event.detail });
    });
    document.addEventListener("wino-why", (event) => {
      const source = [this.follows, this.shows].find((id) => event.target.closest?.(`#${id}`));
      const trace = source && this.traceOf(source, event.detail.lane);
      if (!trace) return;
      playerOf(source).player.tell({ ...event.detail, text: "Asking the model …" });
      this.trigger("select", { ...event.detail, source, trace: JSON.stringify(trace), model: trace.model });
    });
    document.addEventListener("wino-pass", (event) => {
      const { chosen } = this;
      if (chosen && event.target.closest?.(`#${chosen.source}`) && event.detail.run !== chosen.run) {
        if (chosen.run === undefined) chosen.run = event.detail.run;
        else this.choose(null); // another trace is played: the token is not there any more
      }
    });
  }

  get column() {
    return this.element.closest(".plant-column");
  }

  get isOpen() {
    return this.button.getAttribute("aria-expanded") === "true";
  }

  open(shown) {
    this.button.setAttribute("aria-expanded", String(shown));
    this.column?.classList.toggle("plant-unfolded", shown);
    if (shown && this.ticked.length && !this.shown) this.show();
  }

  // ---- what is to be changed

  choose(chosen) {
    this.chosen = chosen;
    this.drawForm();
    if (!chosen) return;
    this.open(true);
    this.form.scrollIntoView({ block: "nearest" });
    this.form.querySelector("input")?.focus({ preventScroll: true });
  }

  suggest() {
    const detail = playerOf(this.follows)?.player?.suggestPlant();
    if (detail) {
      playerOf(this.follows).player.goTo(detail.pass);
      playerOf(this.follows).player.pin(detail.position);
      this.choose({ source: this.follows, ...detail });
    } else this.complain("There is no token yet whose error could be found: run something first, or choose another example.");
  }

  drawForm() {
    const { chosen, form } = this;
    form.replaceChildren();
    this.warning = part("p", "plant-warning");
    this.warning.setAttribute("role", "status");
    if (!chosen) {
      const how = part("p", "plant-how", `${HOW} `);
      const pick = plainButton("plant-pick", "let one be suggested");
      pick.addEventListener("click", () => this.suggest());
      how.append(pick, ".");
      form.append(how, this.warning);
      return;
    }
    const { name, position, pass, options } = chosen;
    const fields = part("fieldset", "plant-choice");
    const when = pass === 0 ? "Before the first pass" : `After pass ${pass}`;
    fields.append(part("legend", "", name === null ? `${when}, put at the mask of token ${position + 1}` : `${when}, in the place of ${name} (token ${position + 1}), put`));
    const row = part("div", "plant-options");
    const own = (index) => (name === null && index === 0 ? ", its first choice" : ""); // of a mask: not an error
    options.forEach((option, index) => row.append(radio(option.name, `${option.share}${own(index)}`, { token: option.id })));
    row.append(this.typed());
    if (name !== null) row.append(radio("a mask again", "", {}));
    row.querySelectorAll("input")[name === null && options.length > 1 ? 1 : 0].checked = true;
    fields.append(row);
    const go = part("button", "plant-go", "Decode on from here");
    go.type = "submit";
    go.disabled = chosen.masks === 0 && name === null;
    const words = part("p", "plant-how", "The figures are the model’s own probabilities. WINO and standard decoding go on side by side; WINO may take the token back, standard decoding never does.");
    const last = part("div", "plant-last");
    last.append(go, words);
    form.append(fields, last, this.warning);
    this.warning.textContent = adviceFor(chosen);
  }

  typed() {
    const label = radio("", "", null);
    const text = part("input", "plant-text");
    Object.assign(text, { type: "text", maxLength: 60, placeholder: "another token" });
    text.setAttribute("aria-label", "Another token, as text");
    text.addEventListener("input", () => (label.querySelector("input").checked = true));
    text.addEventListener("focus", () => (label.querySelector("input").checked = true));
    label.append(text);
    return label;
  }

  submit() {
    const { chosen } = this;
    const what = this.form.querySelector("input[type=radio]:checked");
    if (!chosen || !what) return;
    const trace = this.traceOf(chosen.source, chosen.lane);
    if (!trace) return this.complain("There is no whole trace yet: this works as soon as the run is over.");
    const asked = what.winoWhat ?? { text: this.form.querySelector(".plant-text").value };
    if (asked.text === "") return this.complain("Write the token that is to stand there.");
    this.complain("");
    if (chosen.source === this.follows) this.keepUnchanged(trace);
    this.shown = null;
    this.fates.replaceChildren();
    this.column.classList.add("plant-shown");
    this.trigger("click", { trace: JSON.stringify(trace), model: trace.model, at_pass: chosen.pass, position: chosen.position, ...asked });
  }

  complain(words) {
    this.warning.textContent = words;
  }

  // The trace of one lane of a player, as it was sent to it.
  traceOf(id, lane) {
    if (id === this.shows && this.shown) return this.shown[lane];
    const message = lastMessage(id);
    return message?.type === "trace" ? message.trace : message?.type === "lanes" ? message.traces[lane] : null;
  }

  // ---- the branches

  // The trace as it was, to compare with: once for each trace.
  keepUnchanged(trace) {
    const same = (branch) => branch.unchanged && branch.traces[0].prompt === trace.prompt && branch.traces[0].text === trace.text
      && branch.traces[0].forward_passes === trace.forward_passes;
    if (this.branches.some(same)) return;
    const verdicts = [lastMessage(this.follows)?.verdict ?? null];
    const name = `${String(trace.prompt).trim().split(/\s+/).slice(0, 3).join(" ")} …: as it was`;
    this.keep({ name, unchanged: true, at: 0, traces: [trace], verdicts, outcomes: [] });
  }

  // A run is over: its traces are in the player as soon as that has been told.
  collect({ run, branch }, frames = 300) {
    if (this.taken.has(run) || this.branches.some((kept) => kept.run === run)) return;
    const message = lastMessage(this.shows);
    if (message?.type !== "lanes" || message.run !== run) {
      if (frames) requestAnimationFrame(() => this.collect({ run, branch }, frames - 1));
      return;
    }
    this.taken.add(run);
    const { name, at_pass: at, position, outcomes } = branch;
    const kept = this.keep({ run, name: String(name), at, position, traces: message.traces, verdicts: message.verdicts, outcomes });
    this.ticked = [kept];
    this.shown = message.traces;
    this.drawBranches();
    this.drawFates();
  }

  keep(branch) {
    this.branches.push(branch);
    while (this.branches.length > MOST_BRANCHES) this.forget(this.branches[0]);
    this.save();
    this.drawBranches();
    return branch;
  }

  forget(branch) {
    this.branches = this.branches.filter((each) => each !== branch);
    this.ticked = this.ticked.filter((each) => each !== branch);
  }

  save() {
    for (let first = 0; first <= this.branches.length; first += 1) {
      try {
        sessionStorage.setItem(this.kept, JSON.stringify(this.branches.slice(first)));
        return;
      } catch { /* no room, or none allowed: as many as fit */ }
    }
  }

  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.kept) ?? "[]");
      this.branches = kept.filter((each) => Array.isArray(each?.traces) && Array.isArray(each.outcomes)).slice(0, MOST_BRANCHES);
    } catch {
      this.branches = [];
    }
  }

  drawBranches() {
    const { list, branches } = this;
    list.hidden = branches.length === 0;
    if (list.hidden) return list.replaceChildren();
    const rows = part("ul", "plant-rows");
    for (const branch of branches) rows.append(this.row(branch));
    list.replaceChildren(part("p", "plant-label", `Branches of this visit: tick one to see it, two or three to compare them under WINO`), rows);
  }

  row(branch) {
    const row = part("li", "plant-row");
    const tick = part("input");
    tick.type = "checkbox";
    tick.checked = this.ticked.includes(branch);
    tick.disabled = !tick.checked && this.ticked.length >= MOST_COMPARED;
    tick.setAttribute("aria-label", `Show ${branch.name}`);
    tick.addEventListener("change", () => {
      this.ticked = this.branches.filter((each) => (each === branch ? tick.checked : this.ticked.includes(each))); // as the list has them
      this.show();
      this.drawBranches();
      this.list.querySelectorAll("input[type=checkbox]")[this.branches.indexOf(branch)]?.focus();
    });
    const name = part("input", "plant-name");
    Object.assign(name, { type: "text", value: branch.name, maxLength: LONGEST_NAME, spellcheck: false });
    name.setAttribute("aria-label", "Name of the branch");
    name.addEventListener("change", () => {
      branch.name = name.value.trim() || branch.name;
      name.value = branch.name;
      tick.setAttribute("aria-label", `Show ${branch.name}`);
      this.save();
      if (this.ticked.length > 1) this.show();
    });
    const remove = plainButton("plant-remove", "✕");
    remove.setAttribute("aria-label", `Forget ${branch.name}`);
    remove.addEventListener("click", () => {
      const wasShown = this.ticked.includes(branch);
      this.forget(branch);
      this.save();
      this.drawBranches();
      if (wasShown) this.show();
      (this.list.querySelector("input") ?? this.button).focus();
    });
    row.append(tick, name, part("span", "plant-short", shortWords(branch)), remove);
    return row;
  }

  // Show what is ticked: the two lanes of one branch, or the first lane of each.
  show() {
    const { ticked } = this;
    const player = playerOf(this.shows)?.player;
    this.column.classList.toggle("plant-shown", ticked.length > 0);
    this.drawFates();
    if (!ticked.length || !player) return;
    const lanes = ticked.length === 1 ? ticked[0].traces.map((trace, lane) => ({ branch: ticked[0], lane, title: "" }))
      : ticked.map((branch) => ({ branch, lane: 0, title: branch.name }));
    this.shown = lanes.map(({ branch, lane }) => branch.traces[lane]);
    const verdicts = lanes.map(({ branch, lane }) => branch.verdicts?.[lane] ?? null);
    const run = `kept-${Math.random()}`;
    const at = Math.min(...ticked.filter(({ unchanged }) => !unchanged).map((branch) => branch.at), Infinity);
    player.receive({ type: "lanes", run, traces: this.shown, titles: lanes.map(({ title }) => title), verdicts, at: Number.isFinite(at) ? at : 0 });
  }

  // What became of the planted tokens, each sentence with a way to the pass that it speaks of.
  drawFates() {
    const lines = [];
    for (const branch of this.ticked) {
      const several = this.ticked.length > 1;
      for (const outcome of several ? branch.outcomes.slice(0, 1) : branch.outcomes) {
        const line = part("li", `plant-fate plant-fate-${Number.isInteger(outcome.pass) ? "back" : "kept"}`);
        if (several) line.append(part("b", "", `${branch.name}: `));
        line.append(String(outcome.text), " ");
        if (Number.isInteger(outcome.pass)) line.append(this.goTo(outcome.pass, `Show pass ${outcome.pass}`));
        lines.push(line);
      }
    }
    if (this.ticked.length === 1 && !this.ticked[0].unchanged) {
      const { at } = this.ticked[0];
      const line = part("li", "plant-fate-place");
      line.append(this.goTo(at, at === 0 ? "Show where it was planted" : `Show where it was planted, after pass ${at}`));
      lines.push(line);
    }
    this.fates.replaceChildren(...lines);
  }

  goTo(pass, words) {
    const button = plainButton("plant-goto", words);
    button.addEventListener("click", () => {
      const root = playerOf(this.shows);
      root?.player.goTo(pass);
      for (const branch of this.ticked.slice(0, 1)) root?.player.pin(branch.position, 0);
      root?.querySelector(".wp-lanes")?.scrollIntoView({ block: "nearest" });
    });
    return button;
  }
}

function plainButton(look, words) {
  const button = part("button", look, words);
  button.type = "button";
  return button;
}

// One way to change the token; `what` is what the server is asked for, null where the text says it.
function radio(words, note, what) {
  const label = part("label", "plant-option");
  const input = part("input");
  Object.assign(input, { type: "radio", name: "plant-what", winoWhat: what });
  label.append(input);
  if (words) label.append(part("span", "plant-token", words));
  if (note) label.append(part("span", "plant-p", note));
  return label;
}

function playerOf(id) {
  return document.querySelector(`#${id} .wino-player`);
}

function lastMessage(id) {
  try {
    return JSON.parse(playerOf(id)?.lastMessage?.() ?? "null");
  } catch {
    return null;
  }
}

// What a person should know before: nothing, or why nobody will notice.
function adviceFor({ masks, name, blockDone, block }) {
  if (masks === 0) return "Every token is placed here, so only a mask can be put: choose an earlier pass to plant an error.";
  if (blockDone && name !== null) return `Block ${block} is complete after this pass, and WINO checks only the block that it works on: it won’t notice. An earlier pass is better.`;
  return "";
}

function shortWords({ outcomes }) {
  const [wino] = outcomes;
  if (!wino) return "";
  return Number.isInteger(wino.pass) ? `taken back in pass ${wino.pass}` : "stayed";
}
