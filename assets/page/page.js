// What the page does itself: notices, tables of figures, and the first answer to a press on Run.
// Words come from the model and from whoever wrote the prompt: they are set with textContent, never as HTML.

const LOOKS = ["info", "busy", "right", "wrong", "error"];
const ROOM_ABOVE = 16; // px above what is scrolled to
const MARKS = { right: "✓ ", wrong: "✗ ", error: "" };

function part(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function showNotice(element, data) {
  const look = LOOKS.includes(data?.look) ? data.look : "info";
  const text = String(data?.text ?? "");
  element.className = `notice notice-${look}`;
  element.textContent = text && (MARKS[look] ?? "") + text;
}

const COLUMNS = [
  ["passes", "forward passes", (value) => String(value)],
  ["reduction", "fewer passes than one by one", (value) => `${value.toFixed(1)}×`],
  ["revoked", "tokens taken back", (value) => String(value)],
  ["seconds", "model time", (value) => `${value.toFixed(2)} s`],
];

function showFigures(element, data) {
  element.replaceChildren();
  if (!data?.rows?.length) return;
  const table = part("table", "figures-table");
  table.append(part("caption", "", "Side by side"));
  const head = part("tr");
  for (const words of ["decoder", ...COLUMNS.map(([, words]) => words), "answer"]) {
    const cell = part("th", "", words);
    cell.scope = "col";
    head.append(cell);
  }
  const body = part("tbody");
  for (const row of data.rows) body.append(figuresRow(row));
  const top = part("thead");
  top.append(head);
  table.append(top, body);
  element.append(table);
}

function figuresRow(row) {
  const line = part("tr");
  const name = part("th", "", String(row.title ?? ""));
  name.scope = "row";
  line.append(name);
  for (const [key, words, write] of COLUMNS) {
    const cell = part("td", "figures-number", Number.isFinite(row[key]) ? write(row[key]) : "–");
    cell.dataset.label = words;
    line.append(cell);
  }
  const look = row.correct === true ? "right" : row.correct === false ? "wrong" : "open";
  const answer = part("td", "figures-answer");
  answer.dataset.label = "answer";
  answer.append(part("span", `figures-${look}`, (MARKS[look] ?? "") + String(row.verdict ?? "–")));
  line.append(answer);
  return line;
}

const WAITING = "Waiting for a free place …";
const STOPPED_LATELY = 3000; // ms

let pressed = 0;
let stoppedAt = -Infinity;

// The presses on Run, numbered: the server gets their numbers, as runs and stops may reach it in another order.
const nextPress = () => (pressed += 1);

// Stop was pressed: returns the number of the last press on Run.
function onStop() {
  stoppedAt = performance.now();
  return pressed;
}

// Run was pressed: say so before the server does (the run may have to wait its turn), and bring the player into view.
// Returns the number of the press.
function onRun(prefix) {
  const notice = document.querySelector(`#${prefix}-notice .notice`);
  if (notice) showNotice(notice, { look: "busy", text: WAITING });
  const player = document.querySelector(`#${prefix}-player`);
  // At once: what stands above may still change its height, which the browser makes up for, but not on the way to a place.
  if (player && player.getBoundingClientRect().top > window.innerHeight * 0.45) player.scrollIntoView({ block: "start" });
  return nextPress();
}

// A run that never began: the queue was full, and the server said nothing else. Soon after a Stop it may be the run that was
// stopped which comes back as failed, while the next one waits for its turn: then it is said only if that never begins.
function onRefused(prefix) {
  const press = pressed;
  const tell = () => {
    const notice = document.querySelector(`#${prefix}-notice .notice`);
    if (press !== pressed || !notice?.textContent.includes(WAITING)) return;
    showNotice(notice, { look: "error", text: "Too many people are decoding just now. Try again in a minute." });
  };
  if (performance.now() - stoppedAt < STOPPED_LATELY) setTimeout(tell, 2 * STOPPED_LATELY);
  else tell();
}

// Values were filled in from another tab, and this one is just being opened: they come into view with Run under them, which
// has the focus. Nothing happens if the tab is not opened.
function showRun(prefix, frames = 300) {
  const run = document.querySelector(`#${prefix}-run`);
  if (!run?.offsetParent) {
    if (frames) requestAnimationFrame(() => showRun(prefix, frames - 1));
    return;
  }
  run.closest(".foldable")?.querySelector(".fold")?.winoFold?.open(true);
  run.focus({ preventScroll: true, focusVisible: true });
  const said = document.querySelector(`#${prefix}-notice`).getBoundingClientRect();
  const values = document.querySelector(`#${prefix}-decoder`).getBoundingClientRect();
  const whole = said.bottom + window.scrollY <= window.innerHeight; // from the top of the page on
  window.scrollTo({ top: whole ? 0 : values.top + window.scrollY - ROOM_ABOVE, behavior: "instant" });
}

// A button that on a phone shows and hides what is filled in: else the player is a screen below. data: {words}.
function showFold(element, data) {
  const form = element.closest(".foldable");
  if (!data || !form || element.winoFold) return;
  const button = part("button", "fold-button", String(data.words));
  button.type = "button";
  const open = (shown) => {
    form.classList.toggle("unfolded", shown);
    button.setAttribute("aria-expanded", String(shown));
    for (const text of shown ? form.querySelectorAll("textarea") : []) text.style.height = `${text.scrollHeight + 2}px`; // unknown before
  };
  button.addEventListener("click", () => open(!form.classList.contains("unfolded")));
  open(false);
  element.winoFold = { open };
  element.append(button);
}

// A number that was deleted stays so, and Run says that it is missing; gradio's sliders would make it their lowest value.
function keepEmpty(event) {
  if (event.target instanceof HTMLInputElement && event.target.type === "number" && event.target.value === "") {
    event.stopImmediatePropagation();
  }
}

function installPage() {
  if (window.winoPage) return;
  const style = part("style", "", PAGE_CSS);
  style.id = "wino-page-css";
  document.head.append(style);
  document.addEventListener("blur", keepEmpty, true);
  window.winoPage = {
    notice: showNotice, figures: showFigures, mask: showMask, onRun, onRefused, onStop, showRun, fold: showFold,
    picture: showPicture, bring: showInput, chips: showChips, words: showWords, onPictureRun, take: showTake, followLink, upload: showUpload,
    plant: showPlant,
    chart: showChart, progress: showProgress, reported: showReported, loadPlotly,
  };
}
