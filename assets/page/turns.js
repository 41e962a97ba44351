// “Ask a follow-up”: the conversation that the player's trace holds, and a field for the next question. Words are from anybody: text only.
//
// data: {follows: the player's id, models: [names that may be asked], single: [those that learned single problems], about_single,
// longest, new: what can be taken as a new one}, and perhaps {question: for the field}, {error: a sentence, fits: how many of the newest turns there is room for}
// or {unasked: the number of a question that was not asked, for a Stop or a later run overtook it; 0: of any}.
// The server asks: trigger("click", {question, message, left_out, number}); trigger("select", {what: "new"}) wants a new problem or question,
// trigger("select", {what: "over", question: the first}) starts over.

const ASK = "Ask a follow-up";

function showTurns(element, data, trigger) {
  if (!data) return;
  element.winoTurns ??= new TurnsForm(element, data, trigger);
  element.winoTurns.answer(data);
}

class TurnsForm {
  constructor(element, { follows, models, single, about_single: about, longest, new: kind }, trigger) {
    Object.assign(this, { element, follows: String(follows), models, single, about, kind, trigger });
    const prefix = `${this.follows}-turns`;
    this.key = null; // of the conversation that is shown
    this.turns = [];
    this.asked = null; // the question that was sent, until its answer stands: another may be typed meanwhile
    this.count = 0; // of the questions that were sent
    this.button = plainButton("plant-open turns-open", ASK);
    this.button.setAttribute("aria-expanded", "false");
    this.button.setAttribute("aria-controls", `${prefix}-form`);
    this.button.addEventListener("click", () => {
      this.open(this.form.hidden);
      if (this.form.hidden) return;
      this.form.scrollIntoView({ block: "nearest" });
      if (matchMedia("(hover: hover)").matches) this.field.focus({ preventScroll: true }); // not where a keyboard would cover it
    });
    this.form = part("form", "turns-form");
    this.form.id = `${prefix}-form`;
    this.form.hidden = true;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(0);
    });
    this.list = part("ol", "turns-list");
    this.list.tabIndex = 0; // it scrolls
    this.list.setAttribute("aria-label", "The conversation so far");
    this.note = part("p", "turns-note");
    const label = part("label", "turns-label", "Next question");
    this.field = part("textarea", "turns-field");
    Object.assign(this.field, { rows: 2, maxLength: longest, id: `${prefix}-question` });
    label.htmlFor = this.field.id;
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.ask(0);
      }
    });
    this.status = part("p", "turns-status");
    this.status.id = `${prefix}-status`;
    this.field.setAttribute("aria-describedby", this.status.id);
    this.go = part("button", "plant-go", "Ask");
    this.go.type = "submit";
    const problem = plainButton("turns-more", `Take a new ${kind}`);
    problem.addEventListener("click", () => this.trigger("select", { what: "new" }));
    this.over = plainButton("turns-more", "Start over");
    this.over.addEventListener("click", () => this.startOver());
    const row = part("div", "turns-buttons");
    row.append(this.go, problem, this.over);
    this.form.append(this.list, this.note, label, this.field, this.status, row);
    element.append(this.button, this.form);
    document.addEventListener("wino-pass", (event) => {
      if (event.target.closest?.(`#${this.follows}`)) this.follow(event.detail);
    });
    this.follow(playerOf(this.follows)?.player?.state() ?? { live: false });
  }

  open(shown) {
    this.form.hidden = !shown;
    this.button.setAttribute("aria-expanded", String(shown));
    this.list.scrollTop = this.list.scrollHeight;
  }

  // What the player shows has changed. A run under way is waited for; what was stopped, or came from another model, can't be asked.
  follow({ live, run, passes }) {
    const key = [run, live, live ? "" : passes].join();
    if (key === this.key) return;
    const message = live ? null : lastMessage(this.follows);
    const trace = message?.type === "trace" ? message.trace : null;
    if (trace && message.run !== run) return; // the player has not shown it yet
    this.key = key;
    this.waiting = live;
    this.trace = trace;
    this.element.classList.toggle("turns-waiting", live);
    this.button.hidden = !trace && !live;
    if (live) {
      this.go.disabled = true;
      if (this.asked === null) return;
      this.list.append(bubble("asked", "Question", this.asked), bubble("said", "", "It answers above, pass by pass …"));
      this.list.scrollTop = this.list.scrollHeight;
      this.say("");
      return;
    }
    if (this.field.value.trim() === this.asked) this.field.value = "";
    this.asked = null;
    if (!trace) return this.open(false);
    this.draw();
  }

  draw() {
    const { trace } = this;
    const whole = !trace.output_ids.includes(trace.mask_id);
    const earlier = trace.earlier ?? [];
    const instead = !whole && earlier.length > 0; // the next question comes in the place of the one whose answer was stopped
    this.turns = [...earlier, ...(instead ? [] : [[trace.prompt, trace.text]])];
    const count = this.turns.length;
    this.button.textContent = earlier.length ? `${ASK}: ${count} ${count === 1 ? "turn" : "turns"} so far` : ASK;
    this.list.replaceChildren(...this.turns.flatMap(([question, answer]) => [bubble("asked", "Question", question), bubble("said", String(trace.model), answer)]));
    this.list.scrollTop = this.list.scrollHeight;
    this.over.hidden = earlier.length === 0;
    const offered = this.models.includes(trace.model);
    this.field.disabled = this.go.disabled = !offered || !(whole || instead);
    this.note.textContent = !offered ? `${trace.model} gave this answer, and it is not offered here: no follow-up can be asked.`
      : instead ? "The last answer was stopped before its end: the next question comes in its place."
      : !whole ? "This answer was stopped before its end: a follow-up comes after a whole one."
      : this.single.includes(trace.model) ? this.about : "";
    this.say("");
    if (this.element.contains(document.activeElement)) this.field.focus({ preventScroll: true });
  }

  ask(leftOut) {
    if (this.go.disabled || this.waiting) return;
    if (this.asked !== null) return this.say("One question at a time: the last one is still being asked.");
    const question = this.field.value.trim();
    if (!question) {
      this.say(`Write the next question, or take a new ${this.kind}.`);
      this.field.focus();
      return;
    }
    this.say("Asking …");
    this.asked = question;
    this.trigger("click", { question, left_out: leftOut, number: (this.count += 1), message: playerOf(this.follows)?.lastMessage?.() ?? "" });
  }

  startOver() {
    const question = this.turns[0]?.[0] ?? "";
    this.field.value = "";
    this.trigger("select", { what: "over", question });
  }

  answer({ question, error, fits, unasked }) {
    if (this.asked && (unasked === 0 || unasked === this.count)) {
      this.asked = null;
      this.say("");
    }
    if (typeof question === "string") {
      this.field.value = question;
      this.say("");
      this.field.focus({ preventScroll: true });
    }
    if (!error) return;
    this.asked = null;
    this.say(String(error), true);
    const dropped = this.turns.length - fits;
    if (!Number.isInteger(fits) || dropped < 1) return;
    const words = fits === 0 ? "Ask it without any of them" : `Ask it after the newest ${fits === 1 ? "turn" : `${fits} turns`} alone`;
    const less = plainButton("turns-more", words);
    less.addEventListener("click", () => this.ask(dropped));
    this.status.append(" ", less);
  }

  say(words, wrong = false) {
    this.status.textContent = words;
    this.status.classList.toggle("turns-wrong", wrong);
  }
}

function bubble(look, who, text) {
  const item = part("li", `turns-${look}`);
  item.append(part("span", "turns-who", who), part("p", "turns-text", text.trim() || "(it said nothing)"));
  return item;
}

function installMore(css) {
  if (window.winoPage.turns) return;
  document.head.append(part("style", "", css));
  window.winoPage.turns = showTurns;
}
