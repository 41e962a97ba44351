// Lives of tokens: every position (across) in every pass (down), coloured by its state or by what the model gave it.

const STATES = ["masked", "placed", "verified", "drafted", "remasked", "fixed"]; // in the order of the colours
const LIFE_WORDS = {
  masked: "masked", placed: "placed earlier", verified: "passed verification", drafted: "drafted", remasked: "taken back, masked again",
  fixed: "fixed from the start",
};
const MOST_CELLS = 100_000; // in one picture; of longer decodings the passes around the playhead are drawn
const CELL = { least: 5, most: 30, low: 4, high: 24 }; // px: width, and height of a pass
const LIFE_MARGIN = { l: 44, r: 12, t: 8, b: 40 };
const MOST_MARKS = 4000;

function livesPanel() {
  let colouring = "state";
  let view = null;
  let cells = null; // {replay, states: [Uint8Array], given: [Float32Array]} by pass
  let cursor = null; // {pass, position} of the keyboard, or of the pointer

  function build(body, closer) {
    const bar = el("div", "closer-bar");
    bar.append(choice("Colour", [["state", "By state"], ["given", "By confidence"]], colouring, (value) => {
      colouring = value;
      closer.update();
    }));
    const key = el("ul", "closer-key");
    for (const state of STATES) {
      const item = el("li", `closer-key-${state}`);
      item.append(el("span", "closer-swatch"), LIFE_WORDS[state]);
      key.append(item);
    }
    const keyOf = (state) => key.querySelector(`.closer-key-${state}`);
    const checks = ["verified", "remasked"].map(keyOf);
    const fixed = keyOf("fixed");
    bar.append(key);
    const box = el("div", "closer-plot");
    const scroll = el("div", "closer-scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "application");
    scroll.append(box);
    const given = el("p", "closer-note", "Masked and drafted positions: the model’s confidence. Placed ones: what the shadow block " +
      "gave them. Empty: nothing was recorded in that pass.");
    const note = el("p", "closer-note");
    const readout = el("p", "closer-readout");
    readout.setAttribute("aria-live", "polite");
    readout.textContent = LIFE_HINT;
    body.append(bar, given, scroll, readout, note);
    view = { closer, key, checks, fixed, given, box, scroll, note, readout };
    scroll.addEventListener("keydown", (event) => keyed(event));
  }

  function keyed(event) {
    const { closer } = view;
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey || (!by && event.key !== "Enter")) return;
    event.preventDefault();
    const from = cursor ?? { pass: Math.max(1, closer.pass), position: 0 };
    if (!by) return choose(from);
    const { first, last } = span(closer);
    const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
    cursor = cursor ? { pass: clamp(from.pass + by[0], first, last), position: clamp(from.position + by[1], 0, closer.replay.tokens - 1) } : from;
    tell(cursor);
    window.Plotly?.relayout(view.box, { shapes: shapes(closer) });
  }

  function choose({ pass, position }) {
    view.closer.goTo(pass);
    view.closer.pin(position);
  }

  function tell({ pass, position }) {
    view.readout.textContent = cellWords(view.closer.replay, pass, position);
  }

  // What every pass left behind, kept from one drawing to the next: passes are only added.
  function read(replay) {
    if (cells?.replay !== replay) {
      cells = { replay, states: [], given: [] };
      cursor = null;
    }
    for (let pass = cells.states.length + 1; pass <= replay.passes; pass += 1) {
      const frame = replay.frame(pass);
      const given = new Float32Array(replay.tokens).fill(NaN);
      for (const [position, , p] of [...frame.step.considered, ...frame.step.drafted]) given[position] = p;
      for (const [position, p] of frame.step.verified) given[position] = p;
      cells.states.push(Uint8Array.from(frame.states, (state) => STATES.indexOf(state)));
      cells.given.push(given);
    }
  }

  // The passes that are drawn: all, or those around the playhead.
  function span({ replay, pass }) {
    const most = Math.max(8, Math.floor(MOST_CELLS / replay.tokens));
    const first = replay.passes <= most ? 1 : Math.floor((Math.max(1, pass) - 1) / most) * most + 1;
    return { first, last: Math.min(replay.passes, first + most - 1) };
  }

  function shapes(closer) {
    const { replay, pass, differs } = closer;
    const { first, last } = span(closer);
    const [ink, focus, rule] = ["ink", "focus", "soft"].map((name) => closer.colour(`closer-${name}`));
    const right = replay.tokens + 0.5;
    const made = [];
    for (let block = 1; block < replay.blocks; block += 1) {
      const x = block * replay.blockLength + 0.5;
      made.push({ type: "line", x0: x, x1: x, y0: first - 0.5, y1: last + 0.5, line: { color: ink, width: 1.5, dash: "dot" } });
    }
    if (differs !== null && differs >= first && differs <= last) {
      made.push({ type: "line", x0: 0.5, x1: right, y0: differs - 0.5, y1: differs - 0.5, line: { color: focus, width: 2, dash: "dash" } });
    }
    if (pass >= first && pass <= last) {
      made.push({ type: "rect", x0: 0.5, x1: right, y0: pass - 0.5, y1: pass + 0.5, line: { color: ink, width: 2 } });
    }
    if (cursor && document.activeElement === view.scroll) {
      const { pass: y, position: x } = cursor;
      made.push({ type: "rect", x0: x + 0.5, x1: x + 1.5, y0: y - 0.5, y1: y + 0.5, line: { color: focus, width: 3 } });
    }
    return made.length ? made : [{ type: "line", x0: 0, x1: 0, y0: 0, y1: 0, line: { color: rule, width: 0 } }];
  }

  function draw(closer) {
    const { replay } = closer;
    read(replay);
    const { first, last } = span(closer);
    const rows = Math.max(0, last - first + 1);
    view.note.textContent = noteWords(replay, first, last);
    view.scroll.hidden = rows === 0;
    if (!rows) return;
    const room = view.scroll.clientWidth - LIFE_MARGIN.l - LIFE_MARGIN.r - (colouring === "given" ? 58 : 0);
    const wide = Math.min(CELL.most, Math.max(CELL.least, room / replay.tokens));
    const high = Math.max(CELL.low, Math.min(CELL.high, 420 / rows));
    const width = Math.max(wide * replay.tokens + LIFE_MARGIN.l + LIFE_MARGIN.r + (colouring === "given" ? 58 : 0), 260);
    view.scroll.setAttribute("aria-label", `Lives of ${replay.tokens} tokens over ${winoPlayer.plural(replay.passes, "pass", "passes")}. ` +
      "Arrow keys move from cell to cell and read it; Enter moves the playhead to its pass and pins its token.");
    // A step of the playhead moves the frame alone.
    const drawn = [closer.serial(replay), first, last, width, colouring, document.body.classList.contains("dark")].join();
    if (drawn === view.drawn) return void window.Plotly.relayout(view.box, { shapes: shapes(closer) });
    view.drawn = null;
    view.key.hidden = colouring !== "state";
    for (const item of view.checks) item.hidden = !replay.verifies;
    view.fixed.hidden = !replay.fixed.size;
    view.given.hidden = colouring !== "given";
    plot(view.box, () => picture(closer, { first, last, wide, high, width }), (words) => {
      if (words) view.note.textContent = words;
    }).then((done) => {
      if (!done) return;
      view.drawn = drawn;
      listen();
    });
  }

  function picture(closer, { first, last, wide, high, width }) {
    const { replay } = closer;
    const x = Array.from({ length: replay.tokens }, (_, position) => position + 1);
    const y = Array.from({ length: last - first + 1 }, (_, row) => first + row);
    const byState = colouring === "state";
    const z = y.map((pass) => Array.from(byState ? cells.states[pass - 1] : cells.given[pass - 1], (value) => (Number.isNaN(value) ? null : value)));
    const gap = wide >= 6 && high >= 6 ? 1 : 0;
    const heat = { type: "heatmap", x, y, z, hoverinfo: "none", xgap: gap, ygap: gap };
    if (byState) {
      const scale = STATES.flatMap((state, n) => [n, n + 1].map((edge) => [edge / STATES.length, closer.colour(`closer-${state}`)]));
      Object.assign(heat, { zmin: -0.5, zmax: STATES.length - 0.5, colorscale: scale, showscale: false });
    } else {
      const colours = [0, 1, 2].map((n) => [n / 2, closer.colour(`closer-sure-${n}`)]);
      const title = { text: "probability", side: "top", font: { size: 11 } };
      const bar = { thickness: 10, len: 1, outlinewidth: 0, tickfont: { color: closer.colour("closer-soft") }, title };
      Object.assign(heat, { zmin: 0, zmax: 1, colorscale: colours, colorbar: bar });
    }
    const size = Math.max(3, Math.min(10, 0.8 * Math.min(wide, high)));
    const layout = plotLayout(closer, {
      width, height: high * y.length + LIFE_MARGIN.t + LIFE_MARGIN.b, margin: LIFE_MARGIN, shapes: shapes(closer),
      plot_bgcolor: closer.colour("closer-well"),
      xaxis: { range: [0.5, replay.tokens + 0.5], showgrid: false, title: { text: "position", standoff: 4 }, tickmode: "array", ...ticks(replay, wide) },
      yaxis: {
        range: [last + 0.5, first - 0.5], showgrid: false, title: { text: "pass", standoff: 4 }, tickformat: "d",
        nticks: Math.max(2, Math.min(16, Math.floor(y.length * high / 22))),
      },
    });
    return { data: [heat, ...marks(closer, first, last, size)], layout };
  }

  // Without colour, too: a cross where a token is taken back, a dot where one is drafted.
  function marks(closer, first, last, size) {
    const of = (name, symbol, colour, line) => {
      const [x, y] = [[], []];
      for (let pass = first; pass <= last; pass += 1) {
        for (const [position] of closer.replay.steps[pass - 1][name]) {
          x.push(position + 1);
          y.push(pass);
        }
      }
      if (x.length > MOST_MARKS) return [];
      const marker = { symbol, size, color: colour, line: { width: line, color: colour } };
      return [{ type: "scatter", mode: "markers", x, y, marker, hoverinfo: "skip", cliponaxis: false }];
    };
    // On the colours of confidence, which are any, they are light with a dark edge.
    const own = colouring === "state";
    const [ink, paper] = ["on-drafted", "on-remasked"].map((name) => closer.colour(`closer-${name}`));
    const edge = own ? null : { color: closer.colour("closer-mark"), width: 1 };
    const dots = size < 4 ? [] : of("drafted", "circle", own ? ink : closer.colour("closer-on-mark"), 0);
    for (const { marker } of dots) Object.assign(marker, { size: size / 2 }, edge && { line: edge });
    const crosses = of("remasked", own ? "x-thin" : "x", own ? paper : closer.colour("closer-on-mark"), 2);
    for (const { marker } of crosses) Object.assign(marker, edge && { line: edge, size: size + 2 });
    return [...dots, ...crosses];
  }

  function listen() {
    const { box } = view;
    if (box.winoListens) return;
    box.winoListens = true;
    const cell = ({ points }) => (points?.[0] ? { pass: Math.round(points[0].y), position: Math.round(points[0].x) - 1 } : null);
    box.on("plotly_click", (event) => cell(event) && choose(cell(event)));
    box.on("plotly_hover", (event) => cell(event) && tell(cell(event)));
    box.on("plotly_unhover", () => (view.readout.textContent = LIFE_HINT));
  }

  const key = () => colouring;
  return { id: "lives", title: "Lives of tokens", words: "every position in every pass, at a glance", open: true, build, draw, key };
}

const LIFE_HINT = "Point at a cell to read it; a click moves the playhead to its pass.";

function noteWords(replay, first, last) {
  if (!replay.passes) return "No pass has been made yet.";
  const some = last - first + 1 < replay.passes ? `Passes ${first}–${last} of ${replay.passes} are drawn: those around the playhead. ` : "";
  return `${some}Dotted lines part the blocks, the frame is the pass that the player shows.`;
}

// Positions worth a name on the axis: the first of every block, and round ones between them.
function ticks(replay, wide) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((every) => every * wide >= 34) ?? 2000;
  const values = [];
  for (let position = step; position <= replay.tokens; position += step) values.push(position);
  return { tickvals: [1, ...values.filter((value) => value > 1)] };
}

// What a cell says in words.
function cellWords(replay, pass, position) {
  const frame = replay.frame(pass);
  const { step } = frame;
  const { tau2 } = decoderOf(replay, pass);
  const find = (rows) => rows.find((row) => row[0] === position);
  const where = `Pass ${pass}, position ${position + 1}`;
  const name = (id) => winoPlayer.exactName(replay, id);
  const state = frame.states[position];
  const given = (p, bar) => winoPlayer.number(p, bar);
  const verified = find(step.verified);
  if (state === "remasked") return `${where}: ${name(frame.revoked.get(position))} taken back, at ${given(find(step.remasked)[2], tau2)}.`;
  if (state === "drafted") return `${where}: ${name(find(step.drafted)[1])} drafted with confidence ${given(find(step.drafted)[2])}.`;
  if (state === "masked") {
    const leaning = find(step.considered);
    const later = replay.finalIds && replay.finalIds[position] >= 0 ? `; in the end ${name(replay.finalIds[position])}` : "";
    return `${where}: masked${leaning ? `, leans to ${name(leaning[1])} (${given(leaning[2])})` : ""}${later}.`;
  }
  const stands = `${where}: ${name(frame.ids[position])}`;
  if (state === "fixed") return `${stands} is fixed from the start.`;
  if (state === "verified") return `${stands} passed verification with ${given(verified[1], tau2)}.`;
  return verified ? `${stands} got ${given(verified[1], tau2)}, and stays.` : `${stands} was placed earlier, and is not judged in this pass.`;
}
