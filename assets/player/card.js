// The card of one token: its story up to the playhead, its probabilities against the thresholds, its alternatives.

const CHART = { width: 268, height: 92, top: 14, bottom: 16 };
const MOST_BARS = 24; // of a chart; earlier passes are left out and said to be

class Card {
  // `onPlant(position, k)` and `onWhy(position, pass)` are what the buttons of a pinned card do; null: there are none.
  constructor(root, onClose, onPlant = null, onWhy = null) {
    this.root = root;
    Object.assign(this, { onPlant, onWhy });
    this.root.setAttribute("aria-label", "Token");
    this.onClose = onClose;
    this.hint();
  }

  hint() {
    if (this.shown === "hint") return;
    this.shown = "hint";
    this.root.className = "wp-card wp-card-empty";
    this.root.replaceChildren(
      make("p", "wp-card-hint", "Point at a token, or move to it with the keyboard, to see when it was drafted, how " +
        "sure the model was, and what else it considered. A click pins it."),
    );
  }

  // `cell` names the cell of a board that the token stands in ("row 2, column 3"), or is empty.
  show(replay, position, k, pinned, cell = "", live = false) {
    const key = [position, k, pinned, cell, live, replay.told.size].join();
    if (this.shown === key && this.replay === replay) return;
    this.shown = key;
    this.replay = replay;
    const focused = this.root.contains(document.activeElement) && document.activeElement.className; // of a control, which is made anew
    const content = cardContent(replay, position, k);
    const block = Math.floor(position / replay.blockLength) + 1;
    this.root.classList.remove("wp-card-empty");
    this.root.classList.toggle("wp-card-pinned", pinned);
    const head = make("div", "wp-card-head");
    const title = make("div", "wp-card-title", content.title);
    const close = make("button", "wp-card-close", pinned ? "Unpin" : "Close");
    close.type = "button";
    close.addEventListener("click", this.onClose);
    head.append(title, close);
    const at = `token ${position + 1} of ${replay.tokens}, block ${block}`;
    const where = [cell, at, content.planted ? "planted by hand" : STATE_WORDS[content.state]].filter(Boolean).join(" · ");
    const parts = [head, make("p", "wp-card-where", where)];
    parts.push(...content.lines.map((line) => make("p", "wp-card-line", line)));
    const chart = probabilityChart(replay, content.events, replay.decoderOf(k));
    if (chart) parts.push(chart);
    if (content.past.length) {
      parts.push(make("p", "wp-card-label", "Here so far"));
      const list = make("ol", "wp-card-past");
      list.append(...content.past.slice(-6).map((line) => make("li", "", line)));
      parts.push(list);
    }
    const why = whyWords(replay, position, k);
    if (why.length) {
      parts.push(make("p", "wp-card-label wp-card-why", `Why was ${content.revoked} taken back?`));
      parts.push(...why.map((line) => make("p", "wp-card-line", line)));
      const told = replay.told.get(`${position},${content.takenIn}`);
      if (told) parts.push(make("p", "wp-card-line wp-card-told", told));
      else if (this.onWhy && pinned && !live) parts.push(this._whyButton(position, content.takenIn));
    }
    if (content.bars) parts.push(make("p", "wp-card-label", content.bars.title), alternativeBars(content.bars.rows));
    if (this.onPlant && pinned && !live) parts.push(this._plantButton(replay, position, k));
    this.root.replaceChildren(...parts);
    if (focused) (focused.includes("plant") && this.root.querySelector(".wp-card-plant") || close).focus();
  }

  _whyButton(position, pass) {
    const button = make("button", "wp-button wp-card-ask", "Ask the model which of them counted");
    button.type = "button";
    button.addEventListener("click", () => this.onWhy(position, pass));
    return button;
  }

  _plantButton(replay, position, k) {
    const masked = replay.frame(k).ids[position] === MASKED;
    const button = make("button", "wp-button wp-card-plant", masked ? "Plant a token here" : "Plant an error here");
    button.type = "button";
    button.addEventListener("click", () => this.onPlant(position, k));
    return button;
  }
}

function alternativeBars(rows) {
  const list = make("ul", "wp-alternatives");
  for (const { name, p, chosen } of rows) {
    const item = make("li", chosen ? "wp-chosen" : "");
    const bar = make("span", "wp-alternative-bar");
    bar.style.setProperty("--share", String(p));
    item.append(make("span", "wp-alternative-name", name), bar, make("span", "wp-alternative-value", share(p)));
    list.append(item);
  }
  return list;
}

// Bars, one per pass: what the model gave the token there. Hollow: leaning, while masked. Dashed: the draft. Solid:
// verified. Crossed: taken back. The thresholds are lines with their names.
function probabilityChart(replay, events, decoder) {
  if (!events.some(({ p }) => p !== undefined)) return null;
  const measured = events.filter(({ p }) => p !== undefined);
  const shown = measured.slice(-MOST_BARS);
  const { width, height, top, bottom } = CHART;
  const right = 46; // for the names of the thresholds
  const y = (p) => top + (1 - p) * (height - top - bottom);
  const step = Math.min(30, (width - right) / shown.length);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "wp-chart", role: "img" });
  picture.setAttribute("aria-label", "Probability in each pass: " + shown.map(({ pass, kind, p }) => `pass ${pass} ${kind} ${number(p)}`).join(", "));
  picture.append(svg("line", { x1: 0, x2: width - right, y1: y(0), y2: y(0), class: "wp-axis" }));
  shown.forEach(({ pass, kind, p }, index) => {
    const x = index * step + 1.5;
    const inner = Math.max(2, step - 4);
    const { tau2 } = replay.decoderOf(pass);
    const look = kind === "verified" && tau2 !== undefined && p < tau2 ? "failed" : kind;
    picture.append(svg("rect", { x, y: y(p), width: inner, height: Math.max(1, y(0) - y(p)), rx: 1.5, class: `wp-chart-${look}` }));
    if (kind === "remasked") {
      const [a, b] = [x + inner / 2 - 4, y(p) - 9];
      picture.append(svg("path", { d: `M${a} ${b}l8 7m0 -7l-8 7`, class: "wp-chart-cross" }));
    }
    if (step >= 14 || index === 0 || index === shown.length - 1) {
      const label = svg("text", { x: x + inner / 2, y: height - 4, class: "wp-tick", "text-anchor": "middle" });
      label.textContent = pass;
      picture.append(label);
    }
  });
  const bar = draftThreshold(decoder);
  const lines = [];
  if (bar) lines.push([bar.name, bar.value, "wp-line-draft"]);
  if (isProbability(decoder.tau2)) lines.push(["τ2", decoder.tau2, "wp-line-verify"]);
  let taken = null; // where the label above sits, so that two close thresholds don't overprint
  for (const [name, value, look] of lines.sort((a, b) => b[1] - a[1])) {
    picture.append(svg("line", { x1: 0, x2: width - right, y1: y(value), y2: y(value), class: look }));
    let at = y(value) + 4;
    if (taken !== null && at - taken < 12) at = taken + 12;
    taken = at;
    const label = svg("text", { x: width - right + 4, y: at, class: `wp-tick ${look}-name` });
    label.textContent = `${name} ${number(value)}`;
    picture.append(label);
  }
  const figure = make("figure", "wp-figure");
  const left = measured.length - shown.length;
  figure.append(make("figcaption", "wp-card-label", `Probability in each pass${left ? ` (the last ${shown.length})` : ""}`), picture);
  return figure;
}
