// Marks on the tokens of a player, and picking tokens in it: for pages that speak of what the player shows.
//
//     const marks = new TokenMarks("lessons-player");
//     marks.show(new Map([[7, "pointed"]]));                  position → one of MARK_WORDS
//     marks.pick([7, 8, 9], (picked) => …);                   a click, Enter or the space bar picks a token, or drops it
//
// The player knows nothing of it: marks are attributes of its tokens (and of the cells of a board) that lessons.css draws, set
// again whenever it has drawn, as it makes its tokens anew for each trace.

const MARK_WORDS = {
  pointed: "pointed at",
  picked: "picked",
  hit: "picked, and right",
  missed: "not picked, and it was one",
  wrong: "picked, and it was none",
};

class TokenMarks {
  constructor(player, lane = 0) {
    this.id = player;
    this.lane = lane;
    this.marks = new Map();
    this.choices = null; // the positions that may be picked, while there is something to pick
    this.picked = new Set();
    document.addEventListener("wino-pass", (event) => {
      if (event.target.closest?.(`#${this.id}`)) this._apply();
    });
    // before the player hears of them: it would pin the token's card, or play
    document.addEventListener("click", (event) => this._onPick(event), true);
    document.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === " ") && !event.altKey && !event.ctrlKey && !event.metaKey) this._onPick(event);
    }, true);
    document.addEventListener("mousedown", (event) => {
      if (this._position(event.target) !== null) event.preventDefault(); // a touch would open the token's card over the text
    }, true);
  }

  get root() {
    return document.querySelector(`#${this.id} .wino-player`);
  }

  show(marks) {
    this.marks = marks;
    this._apply();
  }

  // Let tokens be picked; `onChange` hears of every change with the set of positions picked, and of a press on a token
  // that can't be picked with null.
  pick(choices, onChange) {
    this.choices = new Set(choices);
    this.picked = new Set();
    this.onChange = onChange;
    this._apply();
  }

  stopPicking() {
    this.choices = null;
    this.picked = new Set();
    this._apply();
  }

  focus(position) {
    this._tokens(position)[0]?.focus();
  }

  _items() {
    const lane = this.root?.querySelectorAll(".wp-lane")[this.lane];
    return lane ? [...lane.querySelectorAll(".wp-canvas .wp-token, .wp-board:not([hidden]) .wp-cell")] : [];
  }

  _tokens(position) {
    return this._items().filter((item) => Number(item.dataset.position) === position);
  }

  _apply() {
    for (const item of this._items()) {
      const position = Number(item.dataset.position);
      const mark = this.picked.has(position) ? "picked" : this.marks.get(position);
      if (mark) {
        item.dataset.mark = mark;
        item.setAttribute("aria-description", MARK_WORDS[mark]);
      } else if (item.dataset.mark) {
        delete item.dataset.mark;
        item.removeAttribute("aria-description");
      }
      if (this.choices) {
        item.dataset.choice = String(this.choices.has(position));
        item.setAttribute("aria-pressed", String(this.picked.has(position)));
      } else if (item.dataset.choice) {
        delete item.dataset.choice;
        item.removeAttribute("aria-pressed");
      }
    }
  }

  // The position of the token that an event is about, while tokens are picked.
  _position(target) {
    const item = this.choices && target.closest?.(`#${this.id} .wp-token, #${this.id} .wp-cell`);
    return item && item.dataset.position !== undefined && item.closest(".wp-lane") ? Number(item.dataset.position) : null;
  }

  _onPick(event) {
    const position = this._position(event.target);
    if (position === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (!this.choices.has(position)) return this.onChange(null);
    if (!this.picked.delete(position)) this.picked.add(position);
    this._apply();
    this.onChange(this.picked);
  }
}

// Text in which *stars* set words apart: text and <em>, and nothing else. The star of 4*20 is one of multiplication.
function markedText(text) {
  return String(text).split(/(?<![\p{L}\p{N}_])(\*[\p{L}\p{N}_][^*\n]*\*)(?![\p{L}\p{N}_])/u).filter(Boolean)
    .map((piece) => (/^\*.+\*$/.test(piece) ? part("em", "", piece.slice(1, -1)) : document.createTextNode(piece)));
}
