// The player: lanes, counters, timeline, controls and card, kept together around one playhead.
//
//     const player = winoPlayer.createPlayer(element, { lanes: 1, theme: "auto", foldPrompt: false, onState: (s) => … });
//     player.receive('{"type":"trace","trace":{…}}');
//
// `receive` takes the messages that wino_viz/ui/player.py builds. The playhead counts forward passes: 0 is before the
// first. It follows a run that streams in until the person moves it. theme "page" follows the page's .dark class alone,
// "auto" also the system's preference.

const PASS_MS = 900; // a pass at speed 1
const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
const ANNOUNCE_MS = 2500; // between announcements while the playhead moves by itself
// px; below this the card is a sheet at the bottom, and lanes stand one above the other
const HIDDEN_BELOW = 60; // px: less of a block than this is as good as nothing
const NARROW = 700;
const NARROW_OF_THREE = 860;

// The figures above the text: those that move with the playhead, and those that stay. Name: label and what it means.
const COUNTERS = {
  "up to this pass": {
    passes: ["forward passes", "Runs of the model up to here, of all in this decoding"],
    rate: ["tokens per pass", "Tokens that stand now, divided by the passes up to here"],
    revoked: ["taken back", "Tokens that were placed and masked again up to here"],
    time: ["model time", "Time in the model up to here, without drawing or tracing"],
  },
  "whole run": {
    reduction: ["fewer passes than one by one", "All tokens of the whole decoding, divided by all its passes"],
  },
};

const ICONS = {
  first: "M6 5v14M19 5v14L9 12z",
  back: "M16 5v14L6 12z",
  play: "M7 4.5v15L19.5 12z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  forward: "M8 5v14l10-7z",
  last: "M18 5v14M5 5v14l10-7z",
};

function icon(name) {
  const picture = svg("svg", { viewBox: "0 0 24 24", class: "wp-icon", "aria-hidden": "true" });
  picture.append(svg("path", { d: ICONS[name] }));
  return picture;
}

class Player {
  constructor(root, { lanes = 1, theme = "auto", foldPrompt = false, onState = null, onPlant = null, onWhy = null } = {}) {
    this.root = root;
    Object.assign(this, { onPlant, onWhy, foldsTurns: theme === "page" });
    this.onState = onState;
    this.oldRuns = new Set();
    this.k = 0;
    this.follow = true;
    this.speed = 1;
    this.timer = null;
    this.inspected = null; // {lane, position}
    this.pinned = false;
    this._skeleton(lanes, theme);
    for (const lane of this.lanes) lane.prompt.open = !foldPrompt;
    this._reset(null);
    root.addEventListener("keydown", (event) => this._key(event));
    this.resize = new ResizeObserver(() => this._resized());
    this.resize.observe(root);
    this._render();
  }

  // ---- what arrives

  receive(text) {
    if (text === "" || text === null || text === undefined) return;
    try {
      const message = typeof text === "string" ? JSON.parse(text) : text;
      need(isObject(message), "it is not an object");
      this._take(message);
      this.problem = "";
    } catch (error) {
      console.warn("wino player: a message was left out:", error.message);
      this.problem = `A message could not be shown: ${error.message}.`;
    }
    this._schedule();
  }

  _take(message) {
    if (message.type === "clear") return this._reset(null);
    if (message.type === "lanes") {
      need(Array.isArray(message.traces) && message.traces.length <= this.lanes.length, "it has too many lanes");
      const replays = message.traces.map((trace) => Replay.fromTrace(trace)); // refused before anything changes
      const fresh = this._enter(message);
      if (fresh === null) return;
      replays.forEach((replay, index) => {
        const { verdicts, titles, stopped } = message;
        const about = { verdict: verdicts?.[index], title: titles?.[index], stopped: stopped?.[index] };
        this._complete(this.lanes[index], about, replay);
      });
      return this._arrive(fresh, message);
    }
    const lane = this.lanes[message.lane ?? 0];
    need(lane, "its lane does not exist");
    if (message.type === "trace") {
      const replay = Replay.fromTrace(message.trace); // refused before anything changes
      const fresh = this._enter(message);
      if (fresh === null) return;
      this._complete(lane, message, replay);
      return this._arrive(fresh, message);
    }
    if (message.type === "start") {
      const replay = Replay.fromStart(message.trace);
      const fresh = this._enter(message);
      if (fresh === null || (!fresh && lane.replay)) return; // it began already: this one came late
      Object.assign(lane, { replay, live: true, missed: false, waiting: new Map(), verdict: null, stopped: "" });
      lane.title = String(message.title ?? "");
      if (isNatural(message.lanes)) this.expected = Math.min(message.lanes, this.lanes.length);
      this._built(lane);
      if (this.follow) this.k = this.passes; // a branch begins in the middle
      return;
    }
    if (message.type === "step") return this._step(lane, message);
    need(false, `its type ${JSON.stringify(message.type)} is not known`);
  }

  // Enter the run of a message: true when it is a new one, false when it goes on, null when it is an old one.
  _enter({ run }) {
    if (run !== undefined && this.oldRuns.has(run)) return null;
    if (run !== undefined && run === this.run) return false;
    this._reset(run ?? null);
    return true;
  }

  _step(lane, message) {
    need(isNatural(message.seq) && message.seq >= 1, "its number is missing");
    if (this._enter(message) === null) return;
    if (!lane.replay || message.seq > lane.replay.passes + 1) {
      lane.missed = true; // shown when the whole trace comes, or when the missing message does
      lane.live = true;
      lane.waiting.set(message.seq, message);
    } else if (message.seq === lane.replay.passes + 1) {
      for (let next = message; next; next = lane.waiting.get(lane.replay.passes + 1)) {
        lane.waiting.delete(next.seq);
        lane.replay.push(next.step, next.pieces, next.model_seconds);
      }
      lane.missed = lane.waiting.size > 0;
      if (this.follow) this.k = this.passes;
    }
  }

  // A whole trace: it replaces what was streamed, and leaves the playhead where it is.
  _complete(lane, message, replay) {
    const title = message.title ?? lane.title;
    const verdict = isObject(message.verdict) ? message.verdict : null;
    const stopped = String(message.stopped ?? "");
    Object.assign(lane, { replay, live: false, missed: false, waiting: new Map(), verdict, stopped, title: String(title) });
    this._built(lane);
  }

  _arrive(fresh, { at, play, token }) {
    if (fresh) this.follow = false;
    if (fresh && isNatural(token) && token < (this.lanes[0].replay?.tokens ?? 0)) {
      this.inspected = { lane: this.lanes[0], position: token, kind: "pin" };
      this.pinned = true;
    }
    if (fresh && isNatural(at)) this.k = at;
    else if (this.follow) this.k = this.passes;
    this.k = Math.min(this.k, this.passes);
    if (!this.live) this.follow = false;
    if (fresh && play === true) this.play();
  }

  _built(lane) {
    lane.canvas.build(lane.replay);
    lane.board.build(lane.replay);
    this._showPrompt(lane);
    lane.drawn = null;
    lane.tallest = 0;
    this.timelineKey = "";
  }

  // The prompt, and what was said before it. A page that shows the prompt elsewhere begins with a conversation folded.
  _showPrompt(lane) {
    const { prompt, earlier } = lane.replay;
    lane.prompt.text.textContent = earlier.length ? "" : prompt;
    if (earlier.length) lane.prompt.text.append(turnsList(earlier, prompt));
    lane.prompt.firstChild.textContent = promptName(earlier);
    lane.prompt.hidden = prompt.trim() === "" && !earlier.length;
    lane.prompt.classList.toggle("wp-conversation", earlier.length > 0);
    if (earlier.length && this.foldsTurns && lane.turns !== earlier.length) lane.prompt.open = false;
    lane.turns = earlier.length;
  }

  _reset(run) {
    if (this.run) this.oldRuns.add(this.run);
    this.run = run;
    this.pause();
    this.k = 0;
    this.follow = true;
    this.inspected = null;
    this.pinned = false;
    this.timelineKey = "";
    this.expected = 1; // lanes that a run has said it will fill: they have their room from its first message on
    for (const lane of this.lanes) {
      Object.assign(lane, { replay: null, live: false, missed: false, waiting: new Map(), verdict: null, stopped: "" });
      Object.assign(lane, { title: "", drawn: null, current: 0, tallest: 0 });
      lane.canvas.clear();
      lane.board.build(null);
    }
  }

  // ---- the playhead

  get passes() {
    return Math.max(0, ...this.lanes.map((lane) => lane.replay?.passes ?? 0));
  }

  get live() {
    return this.lanes.some((lane) => lane.live);
  }

  // Does the playhead move by itself?
  get _moving() {
    return this.playing || (this.live && this.follow);
  }

  get playing() {
    return this.timer !== null;
  }

  // Where the person puts the playhead: it stays there, except at the newest pass of a live run, where it follows.
  goTo(k) {
    this.k = Math.max(0, Math.min(this.passes, Math.round(k)));
    this.follow = false;
    this._schedule();
  }

  followLive() {
    this.pause();
    this.k = this.passes;
    this.follow = this.live;
    this._schedule();
  }

  play() {
    if (this.playing) return;
    if (this.k >= this.passes && !this.live) this.k = 0;
    this.follow = false;
    this._tick();
    this._schedule();
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this._schedule();
  }

  _tick() {
    this.timer = setTimeout(() => {
      if (!this.root.isConnected) return this.pause();
      if (this.k < this.passes) this.k += 1;
      if (this.k >= this.passes && !this.live) this.pause();
      else this._tick();
      this._schedule();
    }, PASS_MS / this.speed);
  }

  // The text of a single lane comes out from behind the timeline and the controls, which are kept in view before it.
  _reveal() {
    const [lane] = this.lanes;
    if (this.lanes.length > 1 || !lane.replay) return;
    const block = lane.canvas.blocks[lane.replay.frame(Math.min(this.k, lane.replay.passes)).current];
    if (block && block.section.getBoundingClientRect().top > lane.summary.getBoundingClientRect().top - HIDDEN_BELOW) {
      block.section.scrollIntoView({ block: "nearest" });
    }
  }

  _move(by) {
    this.pause();
    this._reveal();
    this.goTo(this.k + by);
  }

  _key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    const target = event.target;
    if (target.closest("input, textarea, select, [contenteditable]")) return;
    const actions = {
      " ": () => (this.playing ? this.pause() : this._reveal() || this.play()),
      ArrowLeft: () => this._move(-1),
      ArrowRight: () => this._move(1),
      Home: () => this._move(-Infinity),
      End: () => this.followLive(),
      Escape: () => this._unpin(),
    };
    if (!(event.key in actions)) return;
    if (event.key === " " && target.closest("button, summary")) return; // it presses that button
    event.preventDefault();
    actions[event.key]();
  }

  // ---- the card

  _onToken(lane, kind, position) {
    if (kind === "fold") {
      this._resized(); // the height that the canvas keeps is measured anew
      return;
    }
    const same = this.inspected?.lane === lane && this.inspected.position === position;
    if (kind === "pin") {
      if (this.pinned && same) return this._unpin();
      this.pinned = true;
    } else if (this.pinned) return;
    if (same && kind !== "pin") return;
    this.inspected = { lane, position, kind };
    this._schedule();
  }

  // Pin the card of a token, as a click does; not where it would be a sheet over the page.
  pin(position, index = 0) {
    const lane = this.lanes[index];
    if (!lane?.replay || !(position < lane.replay.tokens) || this.root.classList.contains("wp-narrow")) return;
    this.pinned = true;
    this.inspected = { lane, position, kind: "pin" };
    this._schedule();
  }

  // What the model said of a token that a pass took back, where the trace that it said it of is still played.
  tell({ run, lane, position, pass, text }) {
    const replay = run === this.run ? this.lanes[lane]?.replay : null;
    if (!replay) return;
    replay.told.delete(`${position},${pass}`);
    replay.told.set(`${position},${pass}`, String(text));
    this.card.shown = null; // its words have changed
    this._schedule();
  }

  // A token of the first lane that is worth planting an error for; null where there is none.
  suggestPlant() {
    const { replay } = this.lanes[0];
    const choices = replay && !this.live ? plantSuggestion(replay, Math.min(this.k, replay.passes)) : null;
    return choices && { lane: 0, ...choices };
  }

  _unpin() {
    this.pinned = false;
    this.inspected = null;
    this._schedule();
  }

  // ---- drawing

  _schedule() {
    if (this.frameRequest) return;
    this.frameRequest = requestAnimationFrame(() => {
      this.frameRequest = null;
      this._render();
    });
  }

  _render() {
    const { k, passes } = this;
    const drawn = this.lanes.filter((lane) => lane.replay);
    this.root.style.setProperty("--wp-time", String(Math.min(1, 1 / this.speed)));
    this.body.hidden = drawn.length === 0;
    this.notice.textContent = this._noticeWords(drawn);
    this.notice.hidden = this.notice.textContent === "";
    for (const lane of this.lanes) lane.element.hidden = !lane.replay;
    this._arrange(Math.max(this.expected, drawn.length));
    for (const lane of drawn) this._drawLane(lane);
    this.root.classList.toggle("wp-edited", drawn.some((lane) => lane.replay.edited));
    this.root.classList.toggle("wp-unverified", drawn.length > 0 && !drawn.some((lane) => lane.replay.verifies));

    const replays = drawn.map((lane) => lane.replay);
    this.root.classList.toggle("wp-has-fixed", replays.some((replay) => replay.fixed.size > 0));
    const key = [this.plotWidth, ...replays.map((replay) => replay.passes)].join();
    if (key !== this.timelineKey) {
      this.timelineKey = key;
      this.timeline.draw(replays, drawn.map((lane) => this._title(lane)));
    }
    const told = (lane) => [drawn.length > 1 ? `${this._title(lane)}:` : "", lane.sentence, lane.board.taken];
    const sentence = drawn.flatMap(told).filter(Boolean).join(" ");
    this.timeline.place(k, sentence);
    this._drawControls(k, passes);
    this._drawCard();
    this._announce(sentence);
    this.onState?.(this.state);
  }

  get state() {
    const { run, k: pass, passes, playing, live, follow: following } = this;
    const pinned = this.pinned ? this.inspected.position : null;
    return { run, pass, passes, pinned, playing, live, following };
  }

  // Room for so many lanes; measured anew only when their number or the width has changed.
  _arrange(columns) {
    const arrangement = [columns, this.width].join();
    if (arrangement === this.arrangement) return;
    this.arrangement = arrangement;
    this.root.style.setProperty("--wp-columns", String(columns));
    this.root.classList.toggle("wp-crowded", columns > 2);
    this.root.classList.toggle("wp-narrow", this.width < (columns > 2 ? NARROW_OF_THREE : NARROW));
    this.plotWidth = this.timeline.plot.clientWidth;
  }

  _noticeWords(drawn) {
    if (this.problem) return this.problem;
    const missed = this.lanes.find((lane) => lane.missed);
    if (missed && !missed.replay) return "A run is under way. It appears here when it is complete.";
    if (missed) return "A pass was missed on the way here. The replay is complete as soon as the run is.";
    return drawn.length ? "" : "Nothing to play yet: what is decoded will appear here, pass by pass.";
  }

  _title(lane) {
    return lane.title || decoderWords(lane.replay);
  }

  _drawLane(lane) {
    const { replay } = lane;
    const k = Math.min(this.k, replay.passes);
    const frame = replay.frame(k);
    const animate = lane.drawn === k - 1;
    const ended = !lane.live && k === replay.passes;
    lane.sentence = passSentence(replay, k);
    if (ended && lane.stopped) lane.sentence = `${lane.sentence} ${lane.stopped}`;
    const finished = ended && this.k > k ? `Finished after ${plural(k, "pass", "passes")}.` : "";
    lane.heading.textContent = this._title(lane);
    lane.heading.hidden = this.lanes.length === 1 && !lane.title && !isWinoPlus(replay);
    const wasInView = animate && this._moving && this.lanes.length === 1 && lane.canvas.isInView(lane.current);
    lane.canvas.draw(frame, animate, ended && lane.stopped ? "stopped" : undefined);
    lane.board.draw(frame, animate, ended, ended && lane.verdict !== null && lane.verdict !== undefined);
    if (wasInView && lane.current !== frame.current) lane.canvas.bringIntoView(frame.current);
    lane.current = frame.current;
    lane.drawn = k;
    lane.words.textContent = finished ? `${finished} ${lane.sentence}` : lane.sentence;
    lane.text.textContent = `Text so far: ${plainText(replay, frame)}`;
    this._drawCounters(lane, frame, k);
    const verdict = ended ? lane.verdict : null;
    lane.verdictLine.hidden = !verdict;
    if (verdict) {
      const right = verdict.correct === true && verdict.faithful !== false; // nothing wrong beside it either
      const look = right ? "right" : verdict.correct === false ? "wrong" : "open";
      lane.verdictLine.className = `wp-verdict wp-verdict-${look}`;
      const mark = { right: "✓ ", wrong: "✗ ", open: "" }[look];
      lane.verdictLine.textContent = mark + String(verdict.text ?? "");
    }
    // The text keeps the height it once had in this run, so that what stands below it doesn't move up and down.
    lane.tallest = Math.max(lane.tallest, lane.canvas.root.scrollHeight);
    lane.canvas.root.style.minHeight = `${lane.tallest}px`;
  }

  _drawCounters(lane, frame, k) {
    const { replay } = lane;
    const placed = frame.ids.filter((id) => id !== MASKED).length - replay.fixed.size;
    const now = frame.revoked.size;
    const seconds = replay.secondsUpTo(k);
    const whole = !lane.live && placed === replay.generated;
    lane.counters.passes.textContent = `${k} of ${lane.live ? `${replay.passes}…` : replay.passes}`;
    lane.counters.rate.textContent = k ? (placed / k).toFixed(1) : "–";
    lane.counters.reduction.textContent = replay.finalIds && !replay.finalIds.includes(MASKED)
      ? `${(replay.generated / replay.passes).toFixed(1)}×` : whole ? `${(replay.generated / k).toFixed(1)}×` : "–";
    lane.counters.revoked.textContent = String(replay.revocationsUpTo(k));
    const inherited = replay.revocationsUpTo(k) > 0 && !replay.verifiesIn(replay.passes); // a branch goes on from WINO
    lane.counters.revoked.nextSibling.textContent = now ? `taken back, ${now} now` : inherited ? "taken back before it went on" : "taken back";
    lane.counters.time.textContent = seconds === null ? "–" : seconds < 10 ? `${seconds.toFixed(2)} s` : `${seconds.toFixed(1)} s`;
  }

  _drawControls(k, passes) {
    const { buttons } = this;
    const label = this.playing ? "Pause" : "Play";
    if (buttons.play.getAttribute("aria-label") !== label) {
      buttons.play.setAttribute("aria-label", label);
      buttons.play.title = `${label} (space)`;
      buttons.play.replaceChildren(icon(this.playing ? "pause" : "play"));
    }
    // aria-disabled, not disabled: a button that has the focus must not lose it
    for (const name of ["first", "back"]) buttons[name].setAttribute("aria-disabled", String(k === 0));
    for (const name of ["forward", "last"]) buttons[name].setAttribute("aria-disabled", String(k === passes));
    this.liveButton.hidden = !this.live || (this.follow && k === passes);
    this.position.textContent = this.live && this.follow ? `pass ${k}, following` : `pass ${k} of ${passes}`;
  }

  _drawCard() {
    const { inspected } = this;
    // On a narrow player the card is a sheet: a click or the keyboard opens it, a passing pointer doesn't.
    this.root.classList.toggle("wp-card-open", this.pinned || inspected?.kind === "focus");
    for (const lane of this.lanes) {
      const position = inspected?.lane === lane ? inspected.position : null;
      for (const view of [lane.canvas, lane.board]) {
        view.inspect(position);
        view.pin(this.pinned ? position : null);
      }
    }
    if (!inspected?.lane.replay) return this.card.hint();
    const { replay } = inspected.lane;
    const k = Math.min(this.k, replay.passes);
    this.card.show(replay, inspected.position, k, this.pinned, inspected.lane.board.nameOf(inspected.position), this.live);
  }

  // Say the pass to a screen reader: at once when the person moved, now and then when the playhead moves by itself.
  _announce(sentence) {
    if (sentence === this.said) return;
    this.toSay = sentence;
    if (this.sayTimer) return;
    const wait = this._moving ? Math.max(200, (this.saidAt ?? -Infinity) + ANNOUNCE_MS - performance.now()) : 200;
    this.sayTimer = setTimeout(() => {
      this.sayTimer = null;
      this.said = this.toSay;
      this.saidAt = performance.now();
      this.announcer.textContent = this.toSay;
    }, wait);
  }

  _resized() {
    const width = this.root.clientWidth;
    if (!width) return;
    this.width = width;
    for (const lane of this.lanes) {
      lane.tallest = 0;
      lane.canvas.root.style.minHeight = "";
    }
    this._schedule();
  }

  // ---- the fixed parts

  _skeleton(lanes, theme) {
    const { root } = this;
    root.classList.add("wp", `wp-theme-${theme}`, lanes === 1 ? "wp-alone" : "wp-beside");
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", "Decoding player");
    this.notice = make("p", "wp-notice");
    this.body = make("div", "wp-body");
    this.announcer = make("div", "wp-hidden");
    this.announcer.setAttribute("aria-live", "polite");
    this.legend = legend();
    const row = make("div", "wp-lanes");
    this.lanes = Array.from({ length: lanes }, () => this._lane());
    row.append(...this.lanes.map((lane) => lane.element));
    this.timelineRoot = make("div", "wp-timeline");
    this.timeline = new Timeline(this.timelineRoot, (k) => {
      this.pause();
      this.goTo(k);
    });
    const dock = make("div", "wp-dock");
    if (lanes === 1) dock.append(this.lanes[0].summary); // in view with the controls; of several, each stays with its lane
    dock.append(timelineKey(), this.timelineRoot, this._controls());
    const cardRoot = make("aside", "wp-card");
    this.card = new Card(cardRoot, () => this._unpin(), this.onPlant && ((position, k) => {
      const lane = this.lanes.indexOf(this.inspected.lane);
      this.pause();
      const choices = plantChoices(this.inspected.lane.replay, position, k);
      if (this.root.classList.contains("wp-narrow")) this._unpin(); // the sheet would lie over what comes next
      this.onPlant({ lane, ...choices });
    }), this.onWhy && ((position, pass) => {
      this.onWhy({ run: this.run, lane: this.lanes.indexOf(this.inspected.lane), position, pass });
    }));
    const main = make("div", "wp-main");
    main.append(row, dock);
    this.body.append(this.lanes[0].prompt, this.legend, main, cardRoot);
    root.replaceChildren(this.notice, this.body, this.announcer);
  }

  _lane() {
    const lane = { element: make("section", "wp-lane"), counters: {} };
    lane.heading = make("h3", "wp-lane-title");
    const counters = make("div", "wp-counters");
    counters.append(...Object.entries(COUNTERS).map(([when, labels]) => this._counters(lane, when, labels)));
    lane.prompt = make("details", "wp-prompt");
    lane.prompt.text = make("div", "wp-prompt-text");
    lane.prompt.append(make("summary", "", "Prompt"), lane.prompt.text);
    lane.verdictLine = make("span", "wp-verdict");
    lane.words = make("span");
    lane.summary = make("p", "wp-summary");
    lane.summary.append(lane.verdictLine, lane.words);
    lane.text = make("p", "wp-hidden");
    const canvas = make("div", "wp-canvas");
    const onToken = (kind, position) => this._onToken(lane, kind, position);
    lane.canvas = new CanvasView(canvas, onToken);
    const board = make("figure", "wp-board");
    const words = make("p");
    lane.board = new BoardView(board, words, onToken);
    const inner = make("div", "wp-stage-parts");
    inner.append(board, words, canvas);
    const stage = make("div", "wp-stage");
    stage.append(inner);
    lane.element.append(lane.heading, counters, stage, lane.text, lane.summary);
    return lane;
  }

  // Figures of the same time, under one head.
  _counters(lane, when, labels) {
    const group = make("div", "wp-counter-group");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", when);
    const head = make("p", "wp-counter-when", when);
    head.setAttribute("aria-hidden", "true"); // the group's label says the same
    const list = make("dl", "wp-counter-list");
    for (const [name, [label, meaning]] of Object.entries(labels)) {
      const pair = make("div", `wp-counter wp-counter-${name}`);
      pair.title = meaning;
      lane.counters[name] = make("dd");
      pair.append(lane.counters[name], make("dt", "", label));
      list.append(pair);
    }
    group.append(head, list);
    return group;
  }

  _controls() {
    const controls = make("div", "wp-controls");
    const buttons = {
      first: ["First: everything masked (Home)", () => this._move(-Infinity)],
      back: ["One pass back (left arrow)", () => this._move(-1)],
      play: ["Play", () => (this.playing ? this.pause() : this._reveal() || this.play())],
      forward: ["One pass forward (right arrow)", () => this._move(1)],
      last: ["Last pass (End)", () => this.followLive()],
    };
    this.buttons = {};
    for (const [name, [label, action]] of Object.entries(buttons)) {
      const button = make("button", `wp-button wp-button-${name}`);
      button.type = "button";
      button.setAttribute("aria-label", label.replace(/ \(.*/, ""));
      button.title = label;
      button.append(icon(name));
      button.addEventListener("click", action);
      this.buttons[name] = button;
      controls.append(button);
    }
    const speed = make("select", "wp-speed");
    speed.setAttribute("aria-label", "Speed");
    for (const value of SPEEDS) {
      const option = make("option", "", `${value}×`);
      option.value = value;
      option.selected = value === 1;
      speed.append(option);
    }
    speed.addEventListener("change", () => {
      this.speed = Number(speed.value);
      this._schedule();
    });
    this.position = make("span", "wp-position");
    this.liveButton = make("button", "wp-button wp-live", "Follow live");
    this.liveButton.type = "button";
    this.liveButton.addEventListener("click", () => this.followLive());
    controls.append(speed, this.position, this.liveButton);
    return controls;
  }
}

function legend() {
  const list = make("ul", "wp-legend");
  list.setAttribute("aria-label", "Legend");
  for (const [state, words] of Object.entries(STATE_WORDS)) {
    const item = make("li", `wp-legend-${state}`);
    const sample = make("span", `wp-token wp-${state}`);
    sample.setAttribute("aria-hidden", "true");
    const box = make("span", state === "masked" ? "wp-box wp-hole" : "wp-box");
    if (state === "remasked") box.append(make("s", "wp-struck", "word"));
    if (state === "remasked") box.append(make("span", "wp-hole"));
    const last = state === "remasked" ? box.lastChild : box;
    if (state === "masked" || state === "remasked") last.append(make("span", "wp-ghost", "nn"));
    else box.append("word");
    sample.append(box);
    item.append(sample, state === "remasked" ? `${words}, masked again` : words);
    list.append(item);
  }
  const planted = make("li", "wp-legend-planted");
  const sample = make("span", "wp-token wp-planted");
  sample.setAttribute("aria-hidden", "true");
  const box = make("span", "wp-box", "word");
  box.append(make("span", "wp-flag"));
  sample.append(box);
  planted.append(sample, "planted by hand");
  list.append(planted);
  list.append(boardSample("given", "2", "given"), boardSample("wrong", "✗", "breaks a rule (shown at the end)"));
  return list;
}

// What the board of a sudoku has beside the states of its tokens; there only while a board is shown.
function boardSample(look, mark, words) {
  const item = make("li", `wp-legend-board wp-legend-${look}`);
  const sample = make("span", look === "wrong" ? "wp-cell-cross" : "wp-cell-given", mark);
  sample.setAttribute("aria-hidden", "true");
  item.append(sample, words);
  return item;
}

function timelineKey() {
  const key = make("p", "wp-key");
  key.append(make("span", "wp-key-drafted", "drafted"), make("span", "wp-key-remasked", "taken back"), "in each forward pass");
  return key;
}

function plainText(replay, frame) {
  let text = "";
  let masked = 0;
  const flush = () => {
    if (masked) text += ` [${masked} masked] `;
    masked = 0;
  };
  for (const id of frame.ids) {
    if (id === MASKED) masked += 1;
    else if (!replay.endIds.has(id)) {
      flush();
      text += replay.pieces.get(id) ?? "";
    }
  }
  flush();
  return text.trim();
}

function createPlayer(root, options) {
  if (typeof PLAYER_CSS === "string" && !document.getElementById("wino-player-css")) {
    const style = make("style", "", PLAYER_CSS);
    style.id = "wino-player-css";
    document.head.append(style);
  }
  const player = new Player(root, options);
  return {
    receive: (text) => player.receive(text),
    goTo: (k) => {
      player.pause();
      player.goTo(k);
    },
    play: () => player.play(),
    pause: () => player.pause(),
    pin: (position, lane = 0) => player.pin(position, lane),
    tell: (words) => player.tell(words),
    suggestPlant: () => player.suggestPlant(),
    state: () => player.state, // as a "wino-pass" tells it
    replay: () => player.lanes[0].replay, // of the first lane, to read; null where nothing is shown
  };
}
