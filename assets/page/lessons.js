// The Lessons tab: one page of words at a time beside a player, which goes to the pass that they speak of.
//
// data: {follows: the player's id, lessons: [{title, summary}]}, and once a lesson was asked for also
// {at, lesson: {steps: [{heading, text, trace, pass, points, question}], traces: {name: a message to the player}}}.
// trigger("select", {lesson: number from 0}) asks for one. Texts are set as text; *stars* make an <em>, nothing else does.

const PLAYER_FRAMES = 600; // animation frames to wait for a player that is being made

function showLesson(element, data, trigger) {
  if (!data) return;
  element.winoLesson ??= new LessonPages(element, data, trigger);
  element.winoLesson.receive(data);
}

class LessonPages {
  constructor(element, data, trigger) {
    this.trigger = trigger;
    this.marks = new TokenMarks(data.follows);
    this.at = null; // the lesson that is open
    this.step = 0;
    this.results = new Map(); // step → what was found, of the questions of this lesson that were checked
    this.element = element;
    this._skeleton(data.lessons);
    if (data.lessons.length) this.ask(0);
    else this.heading.textContent = "There are no lessons here.";
  }

  // ---- lessons

  ask(lesson) {
    if (lesson === this.at) return this.go(0);
    this.wanted = lesson;
    this.trigger("select", { lesson });
  }

  receive(data) {
    if (!data.lesson || data.at === this.at || (this.wanted !== undefined && data.at !== this.wanted)) return;
    const opened = this.at !== null; // by a press, and not with the page
    this.at = data.at;
    this.wanted = undefined;
    this.lesson = data.lesson;
    this.results = new Map();
    this.shown = null;
    this.buttons.forEach((button, index) => {
      if (index === this.at) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    const { title, summary } = this.contents[this.at];
    this.summary.replaceChildren(part("b", "lesson-title", title), summary);
    this.go(0, opened);
  }

  // ---- pages

  go(step, say = true) {
    const page = this.lesson.steps[step];
    if (!page) return;
    this.step = step;
    this.marks.stopPicking();
    this.marks.show(new Map(page.points.map((position) => [position, "pointed"])));
    this.count.textContent = `Step ${step + 1} of ${this.lesson.steps.length}`;
    this.heading.textContent = page.heading;
    this.text.replaceChildren(...page.text.map((paragraph) => {
      const line = part("p");
      line.append(...markedText(paragraph));
      return line;
    }));
    this._question(page);
    this._buttons();
    this._play(page.trace, page.pass);
    if (say) {
      const heading = /[.?!]$/.test(page.heading) ? page.heading : `${page.heading}.`;
      const words = [`${this.count.textContent}.`, heading, ...[...this.text.children].map((line) => line.textContent)];
      this._say([...words, this.asked.hidden ? "" : this.ask_.textContent].join(" "));
    }
    if (say && this.body.getBoundingClientRect().top < 0) this.body.scrollIntoView({ block: "start" });
  }

  _play(trace, pass) {
    const token = (this.playToken = {});
    const when = (frames) => {
      if (token !== this.playToken) return; // another page was opened meanwhile
      const player = this.marks.root?.player;
      if (!player) {
        if (frames) requestAnimationFrame(() => when(frames - 1));
        return;
      }
      if (this.shown === trace) return player.goTo(pass);
      this.shown = trace;
      player.receive({ ...JSON.parse(this.lesson.traces[trace]), run: `lesson-${(this.runs = (this.runs ?? 0) + 1)}`, at: pass });
    };
    when(PLAYER_FRAMES);
  }

  _buttons() {
    const last = this.step === this.lesson.steps.length - 1;
    const ended = last && this.at === this.contents.length - 1;
    this.back.setAttribute("aria-disabled", String(this.step === 0)); // it keeps the focus
    this.next.setAttribute("aria-disabled", String(ended));
    this.next.textContent = last && !ended ? "Next lesson" : "Next";
  }

  _move(by) {
    const step = this.step + by;
    if (!this.lesson || step < 0) return;
    if (step < this.lesson.steps.length) this.go(step);
    else if (this.at + 1 < this.contents.length) this.ask(this.at + 1);
  }

  // ---- questions

  _question({ question, points }) {
    this.asked.hidden = !question;
    this._score();
    if (!question) return;
    this.ask_.replaceChildren(...markedText(question.ask));
    const result = this.results.get(this.step);
    this.check.hidden = this.clear.hidden = Boolean(result);
    this.again.hidden = !result;
    if (result) {
      this.result.textContent = result.words;
      return;
    }
    this.result.textContent = "";
    this._picked(new Set());
    this.marks.pick(question.choices, (picked) => {
      if (picked) return this._picked(picked, true);
      this._say(question.find === "taken back" ? "Only a token that stands there can be taken back." : "Only a mask can be filled.");
    });
  }

  _picked(picked, say) {
    this.state.textContent = picked.size ? `${picked.size} picked` : "None picked yet: click tokens in the player, or move to them and press Enter.";
    this.check.setAttribute("aria-disabled", String(!picked.size));
    this.clear.setAttribute("aria-disabled", String(!picked.size));
    if (say) this._say(`${picked.size} picked.`);
  }

  _check() {
    const { question, trace, pass } = this.lesson.steps[this.step];
    const picked = new Set(this.marks.picked);
    if (!picked.size) return;
    const answer = new Set(question.answer);
    const found = question.answer.filter((position) => picked.has(position));
    const missed = question.answer.filter((position) => !picked.has(position));
    const wrong = [...picked].filter((position) => !answer.has(position)).sort((a, b) => a - b);
    const names = (positions) => positions.map((position) => tokenWords(question, position)).join(", ");
    const were = question.find === "taken back" ? "taken back" : "filled";
    const words = [
      `You found ${found.length} of ${answer.size}.`,
      missed.length ? `Missed: ${names(missed)}.` : "",
      wrong.length ? `Not ${were}: ${names(wrong)}.` : "",
      `A wrong pick takes a hit away.`,
    ].slice(0, wrong.length ? 4 : 3).filter(Boolean).join(" ");
    this.results.set(this.step, { words, points: Math.max(0, found.length - wrong.length), of: answer.size });
    this.marks.stopPicking();
    const marks = [[found, "hit"], [missed, "missed"], [wrong, "wrong"]].flatMap(([positions, mark]) => positions.map((p) => [p, mark]));
    this.marks.show(new Map(marks));
    this._play(trace, pass + 1);
    this.result.textContent = words;
    this.state.textContent = "";
    this.check.hidden = this.clear.hidden = true;
    this.again.hidden = false;
    this._score();
    this._say(`${words} ${this.score.textContent}`);
    this.next.focus({ preventScroll: true });
  }

  _again() {
    this.results.delete(this.step);
    this.go(this.step);
    this.check.focus({ preventScroll: true });
  }

  _score() {
    const results = [...this.results.values()];
    const sum = (key) => results.reduce((total, result) => total + result[key], 0);
    this.score.textContent = results.length ? `Your score in this lesson: ${sum("points")} of ${sum("of")}` : "";
  }

  _say(words) {
    clearTimeout(this.sayTimer);
    this.sayTimer = setTimeout(() => {
      this.live.textContent = words;
    }, 100);
  }

  // ---- the fixed parts

  _skeleton(lessons) {
    this.contents = lessons;
    const list = part("nav");
    list.setAttribute("aria-label", "Lessons");
    const items = part("ol", "lesson-list");
    this.buttons = lessons.map(({ title }, index) => {
      const item = part("li");
      const button = part("button", "lesson-choice");
      button.type = "button";
      button.append(part("span", "lesson-number", String(index + 1)), part("span", "lesson-name", title));
      button.addEventListener("click", () => this.ask(index));
      item.append(button);
      items.append(item);
      return button;
    });
    this.summary = part("p", "lesson-summary");
    list.append(items, this.summary);
    this.body = part("div", "lesson-body");
    this.count = part("p", "lesson-count");
    this.heading = part("h2", "lesson-heading");
    this.text = part("div", "lesson-text");
    this.asked = part("div", "lesson-question");
    this.asked.setAttribute("role", "group");
    this.asked.setAttribute("aria-label", "Question");
    this.asked.hidden = true;
    this.ask_ = part("p", "lesson-ask");
    this.state = part("p", "lesson-state");
    this.result = part("p", "lesson-result");
    this.check = this._button("Check", () => this._check(), "lesson-check");
    this.clear = this._button("Clear", () => this.go(this.step), "lesson-clear");
    this.again = this._button("Try again", () => this._again(), "lesson-again");
    const row = part("div", "lesson-row");
    row.append(this.check, this.clear, this.again);
    this.score = part("p", "lesson-score");
    this.asked.append(this.ask_, this.state, this.result, row);
    this.back = this._button("Back", () => this._move(-1), "lesson-back");
    this.next = this._button("Next", () => this._move(1), "lesson-next");
    const turn = part("div", "lesson-row lesson-turn");
    turn.append(this.back, this.next);
    this.body.append(this.count, this.heading, this.text, this.asked, this.score, turn);
    this.live = part("div", "lesson-live");
    this.live.setAttribute("aria-live", "polite");
    this.element.replaceChildren(list, this.body, this.live);
  }

  _button(words, action, look) {
    const button = part("button", `lesson-button ${look}`, words);
    button.type = "button";
    button.addEventListener("click", action);
    return button;
  }
}

// A token of a question by its text, and its number where another one reads the same.
function tokenWords({ names }, position) {
  const name = names[position];
  if (name === undefined) return `token ${position + 1}`;
  const same = Object.values(names).filter((other) => other === name).length;
  return same > 1 ? `“${name}” (token ${position + 1})` : `“${name}”`;
}
