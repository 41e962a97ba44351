// The timeline: one column per forward pass, drafts up and re-masks down, and a playhead to drag.
//
// All columns of a kind are one SVG path, so 1000 passes draw as fast as ten. Lanes share the columns and the
// playhead. The element is a slider: its value is the number of passes done.

const SVG = "http://www.w3.org/2000/svg";
const TOP = 16; // px above the highest bar, for its number
const UP = 46; // px for the most drafts of a pass
const UP_OF_SEVERAL = 34; // with several lanes, one below the other
const DOWN = 22; // px at most for re-masks
const NUMBERED = 18; // px a column needs to show its numbers
const WIDEST = 44; // px of a column
const FEWEST = 12; // columns that share the width at least, so that the first passes of a run don't look like walls

function svg(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

class Timeline {
  constructor(root, onSeek) {
    this.root = root;
    this.onSeek = onSeek;
    this.plot = make("div", "wp-plot");
    this.plot.setAttribute("role", "slider");
    this.plot.setAttribute("aria-label", "Forward passes");
    this.plot.setAttribute("aria-valuemin", "0");
    this.plot.tabIndex = 0;
    this.head = make("div", "wp-playhead");
    this.flag = make("span", "wp-playhead-flag");
    this.head.append(this.flag);
    this.words = svg("svg", { class: "wp-plot-words", "aria-hidden": "true" }); // over the playhead, or it would cross them
    this.plot.append(this.head, this.words);
    root.append(this.plot);
    this.replays = [];
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.plot.setPointerCapture(event.pointerId);
      this.onSeek(this._passAt(event));
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (this.plot.hasPointerCapture(event.pointerId)) this.onSeek(this._passAt(event));
    });
  }

  _passAt(event) {
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    return Math.max(0, Math.min(this.passes, Math.ceil((x - this.left) / this.column)));
  }

  // Draw the columns of all lanes; called when passes were added or the width changed.
  draw(replays, titles) {
    this.replays = replays;
    this.passes = Math.max(0, ...replays.map((replay) => replay.passes));
    const width = this.plot.clientWidth || 300;
    this.left = 14; // the place of the playhead before the first pass
    this.column = Math.min(WIDEST, (width - this.left - 2) / Math.max(this.passes, FEWEST));
    const title = replays.length > 1 ? 22 : 0; // px of room for the name of a lane
    this.up = replays.length > 1 ? UP_OF_SEVERAL : UP;
    const row = title + TOP + this.up + DOWN + 36;
    const picture = svg("svg", { width, height: row * replays.length, "aria-hidden": "true" });
    const most = Math.max(1, ...replays.flatMap((r) => r.steps.map((s) => Math.max(s.drafted.length, s.remasked.length / 2))));
    this.words.replaceChildren();
    this.words.setAttribute("width", width);
    this.words.setAttribute("height", row * replays.length);
    replays.forEach((replay, lane) => {
      const base = lane * row + title + TOP + this.up;
      picture.append(...this._lane(replay, base, this.up / most, width));
      if (title) this._word(titles[lane], this.left + 4, base - this.up - TOP - 2);
    });
    this.picture?.remove();
    this.picture = picture;
    this.plot.prepend(picture);
    this.plot.setAttribute("aria-valuemax", String(this.passes));
  }

  _lane(replay, base, scale, width) {
    const gap = this.column > 6 ? 3 : this.column > 3 ? 1 : 0;
    const inner = Math.max(0.4, this.column - gap);
    let drafts = "";
    let remasks = "";
    const borders = [];
    const numbers = [];
    replay.steps.forEach((step, index) => {
      const x = this.left + index * this.column + gap / 2;
      const bar = (height, sign) => `M${x.toFixed(2)} ${base + sign}h${inner.toFixed(2)}v${(sign * height).toFixed(2)}h${(-inner).toFixed(2)}z`;
      const up = step.drafted.length ? Math.max(2, step.drafted.length * scale) : 0;
      const down = step.remasked.length ? Math.max(3, Math.min(DOWN, step.remasked.length * scale)) : 0;
      if (up) drafts += bar(up, -1);
      if (down) remasks += bar(down, 1);
      if (this.column >= NUMBERED) {
        const middle = x + inner / 2;
        if (up) numbers.push(this._number(step.drafted.length, middle, base - up - 5));
        if (down) numbers.push(this._number(step.remasked.length, middle, base + down + 12, "wp-number-remasked"));
      }
      if (index === 0 || replay.steps[index - 1].block !== step.block) borders.push([index, step.block]);
    });
    const parts = [
      svg("line", { x1: this.left, x2: width, y1: base, y2: base, class: "wp-axis" }),
      svg("path", { d: drafts, class: `wp-bars-drafted ${gap < 3 ? "wp-bars-thin" : ""}` }),
      svg("path", { d: remasks, class: "wp-bars-remasked" }),
      ...numbers,
    ];
    for (const { at } of replay.branches) {
      const x = this.left + at * this.column;
      parts.push(svg("line", { x1: x, x2: x, y1: base - this.up - 8, y2: base + DOWN + 18, class: "wp-branch" }));
      parts.push(svg("path", { d: `M${x - 5} ${base - this.up - 12}h10l-5 8z`, class: "wp-branch-flag" }));
    }
    let free = 0; // where the next label may start
    for (const [index, block] of borders) {
      const x = this.left + index * this.column;
      if (index > 0) parts.push(svg("line", { x1: x, x2: x, y1: base - this.up, y2: base + DOWN + 30, class: "wp-border" }));
      if (x < free) continue;
      const text = `block ${block + 1}`;
      if (x + text.length * 6.5 > width) continue;
      this._word(text, x + 4, base + DOWN + 30);
      free = x + text.length * 8 + 6;
    }
    return parts;
  }

  _word(text, x, y) {
    const label = svg("text", { x, y, class: "wp-tick" });
    label.textContent = text;
    this.words.append(label);
  }

  _number(value, x, y, look = "") {
    const text = svg("text", { x, y, class: `wp-number ${look}`, "text-anchor": "middle" });
    text.textContent = value;
    return text;
  }

  place(k, sentence) {
    const narrow = Math.max(this.column, 4);
    const x = k === 0 ? 3 : this.left + (k - 1) * this.column + (this.column - narrow) / 2;
    this.head.style.width = `${k === 0 ? 8 : narrow}px`;
    this.head.style.translate = `${x}px`;
    this.flag.textContent = k;
    this.plot.setAttribute("aria-valuenow", String(k));
    this.plot.setAttribute("aria-valuetext", `${k} of ${this.passes}. ${sentence}`);
  }
}
