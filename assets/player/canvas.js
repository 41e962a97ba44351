// The canvas of one lane: every token of the generated part in its place, framed per block.
//
// One element per position, made once per run; a new frame repaints only the positions that changed. What marks a state
// is drawn beside the flow of the text (see player.css), so that a token keeps its place when its state changes. Once
// the whole trace is known, a mask is as wide as the text that will stand there, and nothing moves while it is replayed.

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const UNKNOWN = { lead: " ", core: "nn", kind: "text" }; // the room of a mask whose token is not known yet

class CanvasView {
  constructor(root, onToken) {
    this.root = root; // the element that holds the blocks
    this.onToken = onToken; // (kind: "point" | "focus" | "pin", position)
    root.setAttribute("role", "toolbar");
    root.setAttribute("aria-label", "Generated text, token by token. Arrow keys move, Enter pins the token’s card.");
    root.addEventListener("pointerover", (event) => {
      const position = this._position(event.target);
      if (position !== null && event.pointerType !== "touch") this.onToken("point", position);
    });
    root.addEventListener("focusin", (event) => {
      const item = event.target.closest(".wp-token, .wp-fold");
      if (!item) return;
      this._rove(item);
      const position = this._position(item);
      if (position !== null) this.onToken("focus", position);
    });
    root.addEventListener("click", (event) => {
      const position = this._position(event.target);
      if (position !== null) this.onToken("pin", position);
    });
    root.addEventListener("keydown", (event) => this._key(event));
    this.clear();
  }

  clear() {
    this.replay = null;
    this.blocks = [];
    this.tokens = [];
    this.keys = [];
    this.unfolded = new Set();
    this.drawn = null; // the pass that is shown
    this.current = null; // the item in the tab order
    this.root.replaceChildren();
  }

  build(replay) {
    this.clear();
    this.replay = replay;
    for (let block = 0; block < replay.blocks; block += 1) {
      const section = make("div", "wp-block");
      section.setAttribute("role", "group");
      const head = make("div", "wp-block-head");
      head.setAttribute("aria-hidden", "true"); // the group's label says the same
      const status = make("span", "wp-block-status");
      head.append(make("span", "wp-block-name", `Block ${block + 1} of ${replay.blocks}`), status);
      const text = make("div", "wp-text");
      for (let i = 0; i < replay.blockLength; i += 1) {
        const token = make("span", "wp-token");
        token.setAttribute("role", "button");
        token.tabIndex = -1;
        token.dataset.position = block * replay.blockLength + i;
        this.tokens.push(token);
        text.append(token);
      }
      section.append(head, text);
      this.root.append(section);
      this.blocks.push({ section, status, text, fold: this._fold(block) });
    }
    this._rove(this.tokens[0]);
  }

  // Draw the frame; `animate` only when it follows the frame drawn before. `note` replaces "decoding" (a stopped run).
  draw(frame, animate, note) {
    const replay = this.replay;
    if (this.drawn !== frame.pass) for (const token of this.tokens) token.classList.remove("wp-enter");
    this.drawn = frame.pass;
    for (let position = 0; position < replay.tokens; position += 1) this._drawToken(position, frame, animate);
    this.blocks.forEach((block, index) => this._drawBlock(block, index, frame, note));
    if (!this.current?.isConnected || this.current.hidden) this._rove(this._items()[0]);
  }

  isInView(block) {
    const box = this.blocks[block]?.section.getBoundingClientRect();
    return box !== undefined && box.bottom > 0 && box.top < window.innerHeight;
  }

  bringIntoView(block) {
    this.blocks[block].section.scrollIntoView({ block: "nearest" });
  }

  inspect(position) {
    this.inspected?.classList.remove("wp-inspected");
    this.inspected = position === null ? null : this.tokens[position];
    this.inspected?.classList.add("wp-inspected");
  }

  pin(position) {
    this.pinned?.removeAttribute("aria-pressed");
    this.pinned = position === null ? null : this.tokens[position];
    this.pinned?.setAttribute("aria-pressed", "true");
  }

  _drawToken(position, frame, animate) {
    const replay = this.replay;
    const state = frame.states[position];
    const id = frame.ids[position];
    const revoked = frame.revoked.get(position);
    const later = id === MASKED && replay.finalIds ? replay.finalIds[position] : MASKED;
    const mark = frame.marks.get(position); // changed by hand
    const key = `${state} ${id} ${revoked} ${later} ${mark}`;
    const token = this.tokens[position];
    if (this.keys[position] === key) return;
    this.keys[position] = key;
    token.className = `wp-token wp-${state}${animate ? " wp-enter" : ""}`;
    if (token === this.inspected) token.classList.add("wp-inspected");
    token.replaceChildren();
    const room = later === MASKED ? UNKNOWN : pieceParts(replay, later);
    if (state === "remasked") {
      const old = pieceParts(replay, revoked);
      token.append(room.lead || old.lead);
      const box = make("span", "wp-box");
      const struck = make("s", `wp-struck wp-kind-${old.kind}`, struckText(old));
      box.append(struck, this._hole(room));
      token.append(box, ...breaks(room));
    } else if (state === "masked") {
      token.append(room.lead, this._hole(room, "wp-box"), ...breaks(room));
    } else {
      const parts = pieceParts(replay, id);
      const box = make("span", `wp-box wp-kind-${parts.kind}`);
      appendCore(box, parts.core);
      token.append(parts.lead, box, ...breaks(parts));
    }
    if (mark) {
      token.classList.add(mark === "planted" ? "wp-planted" : "wp-plant-site");
      const flag = make("span", "wp-flag");
      flag.setAttribute("aria-hidden", "true");
      token.querySelector(".wp-box").append(flag);
    }
    const name = state === "masked" ? "masked"
      : state === "remasked" ? `${tokenName(replay, revoked)} ${STATE_WORDS.remasked}, masked again`
      : `${tokenName(replay, id)}, ${STATE_WORDS[state]}`;
    const planted = mark === "planted" ? ", planted by hand" : mark ? ", changed by hand before" : "";
    token.setAttribute("aria-label", `Token ${position + 1}: ${name}${planted}`);
  }

  // A mask: an empty box with the room of `parts`, whose text is there for its width only.
  _hole(parts, extra = "") {
    const hole = make("span", `wp-hole ${extra}`);
    const text = parts.kind === "space" ? parts.core.replace(/\n+/g, "↵") : parts.core;
    const ghost = make("span", "wp-ghost", parts.kind === "end" ? "n" : text.trimEnd().replace(/\n/g, "↵") || " ");
    ghost.setAttribute("aria-hidden", "true");
    hole.append(ghost);
    return hole;
  }

  _drawBlock(block, index, frame, note) {
    const replay = this.replay;
    const { placed, status } = replay.blockStatus(frame, index);
    const words = status === "decoding" ? `${note ?? "decoding"} · ${placed} of ${replay.blockLength} placed` : status;
    block.section.className = `wp-block wp-block-${status}`;
    block.status.textContent = words;
    block.section.setAttribute("aria-label", `Block ${index + 1} of ${replay.blocks}, ${words}`);

    const tail = replay.endTail(frame, index);
    const folded = tail !== null && !this.unfolded.has(index);
    const end = (index + 1) * replay.blockLength;
    for (let position = index * replay.blockLength; position < end; position += 1) {
      const hide = folded && position >= tail;
      if (this.tokens[position].hidden !== hide) this.tokens[position].hidden = hide;
    }
    if (tail === null) return block.fold.remove();
    this._drawFold(block.fold, frame.states.slice(tail, end), folded);
    if (block.fold.nextSibling !== this.tokens[tail]) block.text.insertBefore(block.fold, this.tokens[tail]);
  }

  // The chip of a folded tail: how many tokens, and what happened to them in this pass, each with its state's shape.
  _drawFold(fold, states, folded) {
    const count = (state) => states.filter((each) => each === state).length;
    const parts = [
      ["drafted", "drafted now"],
      ["verified", "passed"],
      ["remasked", "taken back now"],
      ["masked", "still masked"],
    ].map(([state, words]) => [state, count(state), words]).filter(([, number]) => number > 0);
    const standing = states.length - count("masked") - count("remasked");
    const words = [`end of text × ${standing}`, ...parts.map(([, number, what]) => `${number} ${what}`)];
    const key = `${words} ${folded}`;
    if (fold.dataset.key === key) return;
    fold.dataset.key = key;
    fold.replaceChildren(make("span", "wp-fold-text", words[0]));
    parts.forEach(([state], index) => {
      fold.append(" ", make("span", `wp-fold-change wp-fold-${state}`, words[index + 1]));
    });
    fold.setAttribute("aria-label", words.join(", "));
    fold.setAttribute("aria-expanded", String(!folded));
    fold.title = folded ? "Show every token" : "Fold";
  }

  _fold(index) {
    const fold = make("button", "wp-fold");
    fold.type = "button";
    fold.tabIndex = -1;
    fold.addEventListener("click", () => {
      if (!this.unfolded.delete(index)) this.unfolded.add(index);
      this.onToken("fold", index);
    });
    return fold;
  }

  _position(target) {
    const token = target.closest?.(".wp-token");
    return token && this.root.contains(token) ? Number(token.dataset.position) : null;
  }

  // ---- roving focus: one item is in the tab order, arrow keys move it

  _items() {
    return [...this.root.querySelectorAll(".wp-token:not([hidden]), .wp-fold")];
  }

  _rove(item) {
    if (!item || item === this.current) return;
    if (this.current) this.current.tabIndex = -1;
    this.current = item;
    item.tabIndex = 0;
  }

  _key(event) {
    const item = event.target.closest(".wp-token, .wp-fold");
    if (!item || event.altKey || event.ctrlKey || event.metaKey) return;
    const items = this._items();
    const index = items.indexOf(item);
    let next = null;
    if (event.key === "ArrowRight") next = items[index + 1];
    else if (event.key === "ArrowLeft") next = items[index - 1];
    else if (event.key === "ArrowDown") next = nearest(items.slice(index + 1), item, 1);
    else if (event.key === "ArrowUp") next = nearest(items.slice(0, index).reverse(), item, -1);
    else if (event.key === "Enter" && item.classList.contains("wp-token")) {
      this.onToken("pin", this._position(item));
    } else return;
    event.preventDefault();
    event.stopPropagation(); // the arrows move through the tokens here, not through the passes
    next?.focus();
  }
}

// The item of the next line in one direction that is closest to `item` sideways. `items` go away from it.
function nearest(items, item, direction) {
  const from = item.querySelector(".wp-box")?.getBoundingClientRect() ?? item.getBoundingClientRect();
  const middle = (from.left + from.right) / 2;
  let line = null;
  let best = null;
  for (const candidate of items) {
    const box = (candidate.querySelector(".wp-box") ?? candidate).getBoundingClientRect();
    if ((box.top - from.top) * direction < from.height / 2) continue;
    line ??= box.top;
    if (Math.abs(box.top - line) > from.height / 2) break;
    const distance = Math.abs((box.left + box.right) / 2 - middle);
    if (!best || distance < best.distance) best = { candidate, distance };
  }
  return best?.candidate;
}

// What stands struck through: of a space alone the line would remain, which reads as a minus.
function struckText(parts) {
  const text = parts.core.replace(/\n/g, "↵");
  return parts.kind === "space" ? text.replace(/ /g, "␣") : text;
}

// A token's core as text; a line break inside it is shown as ↵ and breaks the line, the last one after the box.
function appendCore(box, core) {
  const lines = core.split("\n");
  lines.forEach((line, index) => {
    if (line) box.append(line);
    if (index === lines.length - 1) return;
    box.append(make("span", "wp-newline", "↵"));
    if (index < lines.length - 2 || lines.at(-1)) box.append(make("br"));
  });
}

function breaks(parts) {
  return parts.core.endsWith("\n") ? [make("br")] : [];
}
