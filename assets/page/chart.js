// A figure of the Explore tab: Plotly's pictures, what is to be seen in them, and their data and source.
//
// data: {title, file, plots: [{name, picks, data, layout}], palette: {light colour: dark colour}, sentences, beside, notes, empty, credit,
//        sources: [[[label, text], …], …], table: [{column: value}, …], csv, json}; see wino_viz/ui/figures.py
// Plotly's script is the server's own copy, asked for when the first figure is drawn. Words are set with textContent.

const PNG_SIZE = { width: 1100, height: 640, scale: 2 };
const PNG_MARGIN = { l: 76, t: 60, b: 96, r: 26 }; // px; at the top the title, and the legend takes what it needs under it
const PLOT_CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false, showTips: false };

let plotlyScript = null;
const charts = new Set();

function loadPlotly() {
  plotlyScript ??= new Promise((resolve, reject) => {
    const script = part("script");
    const { root = "", api_prefix: prefix = "/gradio_api" } = window.gradio_config ?? {};
    script.src = `${root}${prefix}/file=${PLOTLY_PATH}`;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotlyScript = null; // the next figure tries again
      script.remove();
      reject(new Error("Plotly’s script did not come"));
    };
    document.head.append(script);
  });
  return plotlyScript;
}

const isDark = () => document.body.classList.contains("dark");

// A figure with every colour of the palette swapped for its dark one.
function recoloured(value, palette) {
  if (typeof value === "string") return palette[value] ?? value;
  if (Array.isArray(value)) return value.map((inner) => recoloured(inner, palette));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, recoloured(inner, palette)]));
  }
  return value;
}

function themed(view, plot) {
  const { data, layout } = plot;
  return recoloured({ data, layout }, isDark() ? view.data.palette : {});
}

function showChart(element, data, trigger) {
  if (!data) return;
  const view = (element.winoChart ??= makeChart(element, trigger));
  view.data = data;
  view.element.setAttribute("aria-busy", "true");
  view.title.textContent = data.title;
  view.empty.textContent = data.empty;
  view.empty.hidden = !data.empty;
  view.notes.hidden = !data.notes.length;
  view.notes.replaceChildren(...data.notes.map((note) => part("p", "", note)));
  view.sentences.textContent = data.sentences.join(" ");
  view.beside.textContent = data.beside ?? "";
  view.beside.hidden = !data.beside;
  fillTable(view.table, data.table);
  view.sources.replaceChildren(...data.sources.map(sourceList));
  view.more.hidden = !data.table.length;
  drawPlots(view);
}

function makeChart(element, trigger) {
  const view = { element, trigger, plots: [], drawing: Promise.resolve() };
  const add = (tag, className) => (view[className] = part(tag, `chart-${className}`));
  element.append(add("h2", "title"), add("div", "notes"), add("p", "empty"), add("div", "pictures"), add("p", "sentences"), add("p", "beside"));
  view.notes.setAttribute("role", "note");
  view.more = part("div", "chart-more");
  view.buttons = part("div", "chart-buttons");
  view.more.append(
    view.buttons,
    folded("The points as a table", (view.table = part("table", "chart-table")), "chart-points"),
    folded("Where they come from", (view.sources = part("div", "chart-sources")), "chart-source"),
  );
  element.append(view.more);
  view.resize = new ResizeObserver(() => view.plots.forEach(({ box }) => box.clientWidth && box.data && window.Plotly.Plots.resize(box)));
  view.resize.observe(view.pictures);
  if (!charts.size) watchTheme();
  charts.add(view);
  return view;
}

function folded(title, inside, className) {
  const made = part("details", className);
  const scroll = part("div", "chart-scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", title);
  scroll.append(inside);
  made.append(part("summary", "", title), scroll);
  return made;
}

// One drawing after the other, and of several that wait only the newest.
function drawPlots(view) {
  const data = view.data;
  view.drawing = view.drawing.then(async () => {
    if (view.data !== data) return;
    try {
      if (data.plots.length) await loadPlotly();
      if (view.data !== data) return;
      fitPlots(view);
      for (const [n, plot] of data.plots.entries()) {
        const { box } = view.plots[n];
        const { data: traces, layout } = themed(view, plot);
        await window.Plotly.react(box, traces, { ...layout, ...forWidth(box, layout) }, PLOT_CONFIG);
        box.setAttribute("aria-label", `${data.title} ${plot.name}. ${data.sentences.join(" ")}`);
        box.winoPicks = plot.picks;
        listen(view, box);
      }
    } catch (error) {
      view.empty.textContent = `The figure can’t be drawn: ${error.message}. Its table is below.`;
      view.empty.hidden = false;
    }
    view.element.setAttribute("aria-busy", "false");
  });
}

// As many boxes and buttons as there are pictures; those that are there stay, and so do their focus and their size.
function fitPlots(view) {
  const wanted = view.data.plots;
  while (view.plots.length > wanted.length) {
    const { box, frame } = view.plots.pop();
    window.Plotly?.purge(box);
    frame.remove();
  }
  while (view.plots.length < wanted.length) {
    const frame = part("figure", "chart-frame");
    const name = part("figcaption", "chart-name");
    const box = part("div", "chart-plot");
    box.setAttribute("role", "img");
    frame.append(name, box);
    view.pictures.append(frame);
    view.plots.push({ frame, box, name });
  }
  view.pictures.classList.toggle("chart-two", wanted.length > 1);
  const names = wanted.map(({ name }) => name);
  view.plots.forEach(({ name }, n) => {
    name.textContent = names[n];
    name.hidden = wanted.length < 2;
  });
  const key = names.join("|");
  if (view.buttonsFor === key) return;
  view.buttonsFor = key;
  const pictures = names.map((name, n) => button(names.length > 1 ? `PNG: ${name}` : "PNG", () => savePicture(view, n)));
  const csv = button("CSV", () => save(view, `${view.data.file}.csv`, "text/csv", view.data.csv));
  const json = button("JSON", () => save(view, `${view.data.file}.json`, "application/json", JSON.stringify(view.data.json, null, 1)));
  view.buttons.replaceChildren(part("span", "", "Download"), ...pictures, csv, json);
}

function button(text, press) {
  const made = part("button", "chart-button", text);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
}

// What a narrow picture needs: smaller letters, and the legend below.
function forWidth(box, layout) {
  const narrow = box.clientWidth < 460;
  const font = { ...layout.font, size: narrow ? 11 : 13 };
  if (!narrow || layout.legend === undefined) return { font };
  return { font, margin: { ...layout.margin, l: 46, r: 6 } };
}

function listen(view, box) {
  if (box.winoListens) return;
  box.winoListens = true;
  box.on("plotly_click", ({ points }) => {
    const picked = points?.[0]?.customdata;
    if (box.winoPicks && Array.isArray(picked)) view.trigger("select", { picked });
  });
  box.on("plotly_hover", () => box.classList.toggle("chart-picks", Boolean(box.winoPicks)));
}

function fillTable(table, rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const head = part("tr");
  for (const column of columns) {
    const cell = part("th", "", column.replaceAll("_", " "));
    cell.scope = "col";
    head.append(cell);
  }
  const top = part("thead");
  top.append(head);
  const body = part("tbody");
  for (const row of rows) {
    const line = part("tr");
    for (const column of columns) line.append(part("td", "", row[column] == null ? "–" : String(row[column])));
    body.append(line);
  }
  table.replaceChildren(top, body);
}

function sourceList(entries) {
  const list = part("dl", "chart-source-list");
  for (const [label, text] of entries) list.append(part("dt", "", label), part("dd", "", text));
  return list;
}

// ---- downloads

function save(view, name, type, text) {
  download(name, URL.createObjectURL(new Blob([text], { type })));
}

function download(name, url) {
  const link = part("a");
  link.href = url;
  link.download = name;
  link.click();
  if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// The picture as it is on the page, with its question above and its source below.
async function savePicture(view, n) {
  const plot = view.data.plots[n];
  const { data, layout } = themed(view, plot);
  const title = view.data.plots.length > 1 ? `${view.data.title} ${plot.name}` : view.data.title;
  const whole = {
    ...layout,
    font: { ...layout.font, size: 15 },
    title: { text: `<b>${title}</b>`, x: 0.02, y: 0.975, xanchor: "left", yanchor: "top", font: { size: 20 } },
    margin: { ...layout.margin, ...PNG_MARGIN },
    annotations: [{
      text: escaped(view.data.credit), xref: "paper", yref: "paper", x: 0, y: 0, yshift: -78, xanchor: "left", yanchor: "bottom",
      showarrow: false, font: { size: 12 },
    }],
  };
  whole.margin.t += await legendHeight(data, whole);
  const url = await window.Plotly.toImage({ data, layout: whole }, { format: "png", ...PNG_SIZE });
  const name = view.data.plots.length > 1 ? `${view.data.file}-${plot.name.replaceAll(" ", "-")}` : view.data.file;
  download(`${name}.png`, url);
}

// Plotly keeps no room between a title and a legend of several lines, so its legend is measured. In px.
async function legendHeight(data, layout) {
  const box = part("div", "chart-measured");
  document.body.append(box);
  try {
    await window.Plotly.newPlot(box, data, { ...layout, width: PNG_SIZE.width, height: PNG_SIZE.height }, { staticPlot: true });
    return box.querySelector(".legend")?.getBBox().height ?? 0;
  } finally {
    window.Plotly.purge(box);
    box.remove();
  }
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// ---- progress of a measurement

function showProgress(element, data) {
  const view = (element.winoProgress ??= makeProgress(element));
  const look = LOOKS.includes(data?.look) ? data.look : "info";
  const text = String(data?.text ?? "");
  view.text.className = `notice notice-${look}`;
  const words = text && (MARKS[look] ?? "") + text;
  if (view.text.textContent !== words) view.text.textContent = words; // read out once
  view.detail.textContent = String(data?.detail ?? "");
  view.bar.hidden = !(data?.of > 0);
  if (data?.of > 0) Object.assign(view.bar, { max: data.of, value: data.done });
}

function makeProgress(element) {
  const [text, bar, detail] = [part("p"), part("progress", "progress-bar"), part("p", "progress-detail")];
  text.setAttribute("role", "status");
  bar.setAttribute("aria-label", "measured");
  element.append(text, bar, detail);
  return { text, bar, detail };
}

// ---- a change of theme, and charts that are gone

function watchTheme() {
  let dark = isDark();
  const observer = new MutationObserver(() => {
    if (dark === isDark()) return;
    dark = isDark();
    for (const view of charts) {
      if (view.element.isConnected) {
        if (view.data) drawPlots(view);
        continue;
      }
      view.resize.disconnect();
      view.plots.forEach(({ box }) => window.Plotly?.purge(box));
      charts.delete(view);
    }
    if (!charts.size) observer.disconnect(); // the next chart watches anew
  });
  observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
}
