// “Look closer”: panels about the trace that a player shows. They follow its playhead, and a closed one does no work.
//
// data: {follows: the player's id, branch: whether the server can decode on from a pass}; see wino_viz/ui/closer.py
// A panel is {id, title, words, open: on a wide page, build(body, closer), draw(closer), key()}: it is built when it is first open and in view, and drawn
// whenever the trace, the playhead, the width or the theme changes while it is. Everything comes from the recorded passes.

const FRAME_MS = 300; // between two drawings while passes stream in
const PHONE = 760; // px, as in page.css
const WELL_IN_VIEW = "0px 0px -25% 0px"; // for a panel that nobody has opened: one that only peeps in costs nothing

function el(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

class Closer {
  constructor(element, trigger) {
    this.element = element;
    this.trigger = trigger;
    this.state = { pass: 0, passes: 0, live: false };
    this.replay = null;
    this.differs = null; // the pass that “What if τ?” has found
    this.probe = el("span", "closer-probe");
    element.append(el("h2", "closer-head", "Look closer"), this.probe);
    this.views = [livesPanel(), histogramPanel(), orderPanel(), scopePanel(), whatIfPanel()].map((panel) => this._fold(panel));
    const follow = (event) => event.target.closest?.(`#${this.follows}`) && this.update(event.detail);
    document.addEventListener("wino-pass", follow);
    const resize = new ResizeObserver(() => this.update());
    resize.observe(element);
    const theme = new MutationObserver(() => this.update());
    theme.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.stop = () => {
      document.removeEventListener("wino-pass", follow);
      for (const observer of [resize, theme]) observer.disconnect();
    };
  }

  show(data) {
    this.follows = String(data.follows);
    this.canBranch = data.branch === true;
    this.update();
  }

  _fold(panel) {
    const box = el("details", `closer-panel closer-panel-${panel.id}`);
    const summary = el("summary", "closer-summary");
    summary.append(el("span", "closer-title", panel.title), el("span", "closer-words", panel.words));
    const body = el("div", "closer-body");
    box.append(summary, body);
    box.open = panel.open === true && window.innerWidth > PHONE;
    this.element.append(box);
    const view = { panel, box, body, key: null, inView: false, built: false };
    view.watch = (rootMargin) => {
      view.observer?.disconnect();
      view.observer = new IntersectionObserver(([entry]) => {
        view.inView = entry.isIntersecting;
        if (view.inView) this.update();
      }, { rootMargin });
      view.observer.observe(body);
    };
    view.watch(box.open ? WELL_IN_VIEW : "0px");
    summary.addEventListener("click", () => view.watch("0px"));
    box.addEventListener("toggle", () => this.update());
    return view;
  }

  get player() {
    return document.querySelector(`#${this.follows} .wino-player`)?.player ?? null;
  }

  get message() {
    return document.querySelector(`#${this.follows} .wino-player`)?.lastMessage?.() ?? "";
  }

  // A panel asks for a new drawing of all: something other than the playhead has changed.
  update(state = this.player?.state()) {
    if (state) this.state = state;
    const wait = this.state.live ? FRAME_MS : 0;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      requestAnimationFrame(() => this._draw());
    }, wait);
  }

  _draw() {
    if (!this.element.isConnected) return this.stop(); // the page has let go of it
    const replay = this.player?.replay() ?? null;
    if (replay !== this.replay) this.differs = null;
    this.replay = replay;
    this.element.hidden = !replay;
    if (!replay) return;
    for (const view of this.views) {
      if (!view.box.open || !view.inView || !view.body.clientWidth) continue;
      if (!view.built) {
        view.panel.build(view.body, this);
        view.built = true;
        view.watch("0px");
      }
      const dark = document.body.classList.contains("dark");
      const key = [this.serial(replay), replay.passes, this.pass, this.state.live, view.body.clientWidth, dark, this.differs, view.panel.key?.()].join();
      if (key === view.key) continue;
      view.key = key;
      view.panel.draw(this);
    }
  }

  serial(replay) {
    this.serials ??= new WeakMap();
    if (!this.serials.has(replay)) this.serials.set(replay, (this.count = (this.count ?? 0) + 1));
    return this.serials.get(replay);
  }

  get pass() {
    return Math.min(this.state.pass, this.replay?.passes ?? 0);
  }

  goTo(pass) {
    this.player?.goTo(pass);
  }

  pin(position) {
    this.player?.pin(position);
  }

  // What a button far below the player set going there is seen.
  toPlayer() {
    document.getElementById(this.follows)?.querySelector(".wp-lanes")?.scrollIntoView({ block: "nearest" });
  }

  // A colour of the style sheet as the page shows it now.
  colour(name) {
    this.probe.style.color = `var(--${name})`;
    return getComputedStyle(this.probe).color;
  }
}

// “position 17 (“ apples”)”; `id` undefined for a mask.
function placeName(replay, position, id) {
  return `position ${position + 1} (${id === undefined ? "masked" : winoPlayer.exactName(replay, id)})`;
}

const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
const numbered = (value) => value.toLocaleString("en");

// A row of buttons of which one is pressed: choices [[value, words], …].
function choice(label, choices, chosen, onChoose) {
  const box = el("div", "closer-choice");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", label);
  const buttons = choices.map(([value, words]) => {
    const button = el("button", "closer-button", words);
    button.type = "button";
    button.addEventListener("click", () => {
      press(value);
      onChoose(value);
    });
    box.append(button);
    return [value, button];
  });
  const press = (value) => buttons.forEach(([own, button]) => button.setAttribute("aria-pressed", String(own === value)));
  press(chosen);
  return box;
}

// ---- Plotly's pictures, loaded when a panel first needs them

const PLOT_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif';
const PLOT_SETTINGS = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false, showTips: false };

function plotLayout(closer, more) {
  const [ink, soft, rule] = ["ink", "soft", "rule"].map((name) => closer.colour(`closer-${name}`));
  const axis = { gridcolor: rule, linecolor: soft, tickcolor: soft, zeroline: false, fixedrange: true, tickfont: { color: soft }, ticks: "outside" };
  const { xaxis, yaxis, ...rest } = more;
  return {
    font: { family: PLOT_FONT, size: 12, color: ink }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false,
    showlegend: false, hovermode: "closest", ...rest, xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis },
  };
}

// Draws into `box`; while a drawing waits for Plotly, only the newest is kept. `failed` is told what went wrong, or "".
async function plot(box, make, failed) {
  box.winoMake = make;
  try {
    await winoPage.loadPlotly();
  } catch (error) {
    return failed(`The picture can’t be drawn: ${error.message}.`);
  }
  if (box.winoMake !== make || !box.isConnected) return null;
  failed("");
  const { data, layout } = make();
  return window.Plotly.react(box, data, layout, PLOT_SETTINGS);
}

function installCloser() {
  if (winoPage.closer) return;
  const style = el("style", "", CLOSER_CSS);
  style.id = "wino-closer-css";
  document.head.append(style);
  winoPage.closer = (element, data, trigger) => {
    if (!data) return;
    element.winoCloser ??= new Closer(element, trigger);
    element.winoCloser.show(data);
  };
  winoPage.closer.rules = { arNess, whatIf, axisOf, mayAttend };
}
