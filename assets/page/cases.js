// The Cases tab: cards of recorded decodings, each with a miniature, and the words above the player that one is opened in.
//
// gallery: {follows: the player's id, head: the id of the words above it, count, cards: [{title, text, lanes, map}] once it was
// asked for}. trigger("select", {case: number from 0, all: whether the cards are wanted, too}) opens one.
// case: {follows, case, title, text, pass, lane, points, moments: [{pass, label, text, points}], picture, command}.

const MAP = { width: 232, columns: 40, row: 11, bar: 6, rows: 9, plot: 34 }; // px, and characters in a line
const FLAG = 6; // px above a token that was changed by hand
const STATE_NAMES = { m: "masked", d: "drafted", v: "verified", r: "remasked", p: "placed" };

function showCases(element, data, trigger) {
  if (!data) return;
  element.winoCases ??= new CaseGallery(element, data, trigger);
  element.winoCases.receive(data);
}

class CaseGallery {
  constructor(element, data, trigger) {
    this.element = element;
    this.trigger = trigger;
    this.head = data.head;
    this.count = data.count;
    document.addEventListener("wino-case", (event) => {
      if (event.detail.by !== undefined) this.open(event.detail.by);
      else this.current(event.detail.shown);
    });
    if (!data.cards) {
      if (data.count) trigger("select", { case: 0, all: true });
      element.replaceChildren(part("p", "cases-none", data.count ? "" : "There are no cases here."));
    }
  }

  receive({ cards }) {
    if (!cards || this.cards) return;
    const title = part("h2", "cases-title", "All cases");
    const list = part("ol", "cases-list");
    this.cards = cards.map((card, index) => {
      const item = part("li");
      item.append(this._card(card, index));
      list.append(item);
      return item.firstChild;
    });
    this.element.replaceChildren(title, list);
    this.current(this.shown ?? 0);
  }

  open(number) {
    if (number >= 0 && number < this.count) this.trigger("select", { case: number });
  }

  current(number) {
    this.shown = number;
    this.cards?.forEach((card, index) => {
      if (index === number) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    });
  }

  _card({ title, text, lanes, map }, index) {
    const card = part("button", "case-card");
    card.type = "button";
    const words = part("span", "case-words");
    words.append(...markedText(text));
    const line = part("span", "case-lanes");
    for (const lane of lanes) {
      const look = lane.correct === true ? "right" : lane.correct === false ? "wrong" : "open";
      const verdict = { right: "✓ right", wrong: "✗ wrong", open: "not judged" }[look];
      const one = part("span", "case-lane", `${lane.name}, ${lane.passes} ${lane.passes === 1 ? "pass" : "passes"}: `);
      one.append(part("span", `figures-${look}`, verdict));
      line.append(one);
    }
    card.append(miniature(map), part("span", "case-name", title), words, line);
    card.addEventListener("click", () => {
      this.wanted = index;
      document.querySelector(`#${this.head} .case`)?.winoCase?.expect();
      this.open(index);
    });
    return card;
  }
}

// The text of a trace at one pass as bars, wrapped like text, and below it drafts (up) and what was taken back (down) of
// each pass. A picture for the eye alone: the card's words say what it shows.
function miniature({ lines, passes, at }) {
  const widths = lines.map((line) => line.reduce((sum, [, width]) => sum + width, 0));
  const large = Math.min(3, MAP.columns / Math.min(MAP.columns, Math.max(...widths)), MAP.rows / Math.min(MAP.rows, lines.length));
  const unit = MAP.width / MAP.columns;
  const height = MAP.rows * MAP.row;
  const picture = svgPart("svg", { viewBox: `0 ${-FLAG} ${MAP.width} ${height + MAP.plot + 8 + FLAG}`, class: "case-map", "aria-hidden": "true" });
  const text = svgPart("g", { transform: `scale(${large.toFixed(2)})` }); // a short text is drawn larger
  let row = 0;
  for (const line of lines) {
    let column = 0;
    for (const [letter, width, marked] of line) {
      if (column + width > MAP.columns && column > 0) {
        row += 1;
        column = 0;
        if (!letter) continue;
      }
      if (row >= MAP.rows) break;
      if (letter) text.append(...mapBar(STATE_NAMES[letter], column * unit, row * MAP.row + 3, width * unit - 1.2, marked));
      column += width;
    }
    row += 1;
    if (row >= MAP.rows) break;
  }
  picture.append(text, mapColumns(passes, at, height + 8));
  return picture;
}

// marked: 1 pointed at, 2 changed by hand, 4 what was planted still stands; or several of them (ui/minimap.py).
function mapBar(state, x, y, width, marked) {
  const box = svgPart("rect", { x, y, width: Math.max(2, width), height: MAP.bar, rx: 1.5, class: `map-${state}` });
  const parts = [box];
  if (state === "remasked") parts.push(svgPart("path", { d: `M${x - 1} ${y + MAP.bar / 2}h${Math.max(2, width) + 2}`, class: "map-strike" }));
  if (state === "verified") parts.push(svgPart("path", { d: `M${x} ${y + MAP.bar + 1}h${Math.max(2, width)}`, class: "map-underline" }));
  if (marked & 4) parts.push(svgPart("rect", { x: x - 0.9, y: y - 0.9, width: Math.max(2, width) + 1.8, height: MAP.bar + 1.8, rx: 1.8, class: "map-planted" }));
  if (marked & 1) parts.push(svgPart("rect", { x: x - 1.8, y: y - 2, width: Math.max(2, width) + 3.6, height: MAP.bar + 4, rx: 2.5, class: "map-mark" }));
  if (marked & 2) parts.push(svgPart("path", { d: `M${x + 0.4} ${y - 1}v-${FLAG}l5.4 2.2l-5.4 2.2`, class: "map-flag" }));
  return parts;
}

function mapColumns(passes, at, top) {
  const group = svgPart("g", { transform: `translate(0 ${top})` });
  const each = Math.min(16, MAP.width / passes.length);
  const most = Math.max(1, ...passes.flat());
  const up = MAP.plot * 0.68;
  passes.forEach(([drafted, back], index) => {
    const x = index * each + 0.5;
    const width = Math.max(0.8, each - 2);
    const high = (drafted / most) * up;
    const low = back ? Math.max(2, (back / most) * up) : 0;
    group.append(svgPart("rect", { x, y: up - high, width, height: high, class: "map-column" }));
    if (low) group.append(svgPart("rect", { x, y: up + 1, width, height: Math.min(low, MAP.plot - up), class: "map-column-back" }));
  });
  if (at) group.append(svgPart("rect", { x: (at - 1) * each - 0.8, y: -1, width: Math.max(3, each + 0.4), height: MAP.plot + 2, rx: 2, class: "map-mark" }));
  return group;
}

function svgPart(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function showCase(element, data) {
  if (!data) return;
  element.winoCase ??= new CaseWords(element, data.follows);
  element.winoCase.show(data);
}

class CaseWords {
  constructor(element, follows) {
    this.element = element;
    this.follows = follows;
    this.heading = part("h2", "case-heading");
    this.heading.tabIndex = -1;
    this.text = part("p", "case-text");
    this.picture = part("img", "case-picture");
    this.moments = part("div", "case-moments");
    this.moments.setAttribute("role", "group");
    this.moments.setAttribute("aria-label", "Moments");
    this.look = part("p", "case-look");
    this.look.setAttribute("aria-live", "polite");
    this.back = this._button("Previous case", -1);
    this.next = this._button("Next case", 1);
    const turn = part("div", "case-turn");
    turn.append(this.back, this.next);
    const words = part("div", "case-said");
    words.append(this.heading, this.text, this.moments, this.look);
    this.element.replaceChildren(words, this.picture, turn);
  }

  // A card was pressed: its case comes into view, and gets the focus, when it is there.
  expect() {
    this.expected = true;
  }

  show(data) {
    this.data = data;
    this.marks ??= [new TokenMarks(this.follows, 0), new TokenMarks(this.follows, 1)];
    this.heading.textContent = String(data.title);
    this.text.replaceChildren(...markedText(data.text));
    this.picture.hidden = !data.picture;
    if (data.picture) Object.assign(this.picture, { src: data.picture, alt: "The picture that the answer is about" });
    this.look.textContent = "";
    this._mark(data.points);
    this.moments.replaceChildren(...data.moments.map((moment) => this._moment(moment)));
    this.moments.hidden = data.moments.length === 0;
    const count = document.querySelectorAll(".cases-list .case-card").length;
    this.back.setAttribute("aria-disabled", String(data.case === 0));
    this.next.setAttribute("aria-disabled", String(count > 0 && data.case === count - 1));
    document.dispatchEvent(new CustomEvent("wino-case", { detail: { shown: data.case } }));
    if (this.expected) {
      this.expected = false;
      this.heading.focus({ preventScroll: true });
      this.element.scrollIntoView({ block: "start", behavior: "instant" });
    }
  }

  _mark(points) {
    const shown = new Map(points.map((position) => [position, "pointed"]));
    this.marks.forEach((marks, lane) => marks.show(lane === this.data.lane ? shown : new Map()));
  }

  _moment(moment) {
    const button = part("button", "lesson-button case-moment", String(moment.label));
    button.type = "button";
    button.addEventListener("click", () => {
      for (const other of this.moments.children) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      this._mark(moment.points);
      document.querySelector(`#${this.follows} .wino-player`)?.player?.goTo(moment.pass);
      this.look.replaceChildren(...markedText(moment.text));
    });
    return button;
  }

  _button(words, by) {
    const button = part("button", "lesson-button", words);
    button.type = "button";
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      document.dispatchEvent(new CustomEvent("wino-case", { detail: { by: this.data.case + by } }));
    });
    return button;
  }
}

// What lessons and cases add to the page, once.
function installMore(css) {
  if (window.winoPage.lesson) return;
  document.head.append(part("style", "", css));
  Object.assign(window.winoPage, { lesson: showLesson, cases: showCases, case: showCase });
}
