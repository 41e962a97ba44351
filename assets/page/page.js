// What the page does itself: notices, tables of figures, and the first answer to a press on Run.
// Words come from the model and from whoever wrote the prompt: they are set with textContent, never as HTML.

const LOOKS = ["info", "busy", "right", "wrong", "error"];
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

// Run was pressed: say so before the server does (the run may have to wait its turn), and bring the player into view.
const WAITING = "Waiting for a free place …";

function onRun(prefix) {
  const notice = document.querySelector(`#${prefix}-notice .notice`);
  if (notice) showNotice(notice, { look: "busy", text: WAITING });
  const player = document.querySelector(`#${prefix}-player`);
  if (player && player.getBoundingClientRect().top > window.innerHeight * 0.6) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    player.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }
}

// A run that never began: the queue was full, and the server said nothing else.
function onRefused(prefix) {
  const notice = document.querySelector(`#${prefix}-notice .notice`);
  if (!notice?.textContent.includes(WAITING)) return;
  showNotice(notice, { look: "error", text: "Too many people are decoding just now. Try again in a minute." });
}

// The focus goes to a part of a tab that is just being opened; nowhere if that does not happen.
function focusWhenShown(selector, frames = 300) {
  const wanted = document.querySelector(selector);
  if (wanted?.offsetParent) wanted.focus();
  else if (frames) requestAnimationFrame(() => focusWhenShown(selector, frames - 1));
}

function installPage() {
  if (window.winoPage) return;
  const style = part("style", "", PAGE_CSS);
  style.id = "wino-page-css";
  document.head.append(style);
  window.winoPage = {
    notice: showNotice, figures: showFigures, mask: showMask, onRun, onRefused, focusWhenShown,
    picture: showPicture, bring: showInput, chips: showChips, words: showWords, onPictureRun, take: showTake,
    chart: showChart, progress: showProgress, reported: showReported,
  };
}
