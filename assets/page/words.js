// Which words of an answer come from the picture: each token shaded by how much less likely it is without it.
//
// data: {state: "offer" | "busy"} or {words: [{piece, picture, blank}, …]}; probabilities with the picture and with a blank one.

const FULL_SHADE = 3; // powers of ten that a probability falls for the darkest shade
const LEAST = 1e-6; // smaller probabilities are rounded away
const SAME = 1.1; // two probabilities so near are called the same

function showWords(element, data, trigger) {
  element.replaceChildren();
  if (!data) return;
  element.append(part("h3", "", "Which words come from the picture?"));
  if (!data.words) {
    element.append(part("p", "", "The model reads its finished answer twice more, once with the picture blanked, and says how probable it finds each word."));
    const ask = part("button", "words-ask", data.state === "busy" ? "Asking …" : "Ask the model");
    ask.type = "button";
    ask.disabled = data.state === "busy";
    ask.addEventListener("click", () => {
      ask.disabled = true;
      ask.textContent = "Asking …";
      trigger("click", {});
    });
    element.append(ask);
    return;
  }
  if (!data.words.length) {
    element.append(part("p", "", "The answer has no words: the model wrote nothing but the end of the text."));
    return;
  }
  element.append(part("p", "", "The stronger its tint, the less likely a word would be without the picture: given all the other words, but with the picture blank."), key());
  const line = part("p", "words-line");
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", "The answer, token by token");
  const readout = part("p", "words-readout", "Point at a word, or move there with the arrow keys, for its two probabilities.");
  const spans = data.words.map((word, index) => {
    const span = part("span", "words-token", String(word.piece).trim() || String(word.piece));
    span.style.setProperty("--fall", fall(word).toFixed(3));
    span.tabIndex = index ? -1 : 0;
    span.setAttribute("role", "img");
    span.setAttribute("aria-label", sentence(word));
    span.title = sentence(word);
    for (const event of ["pointerenter", "focus"]) span.addEventListener(event, () => (readout.textContent = sentence(word)));
    span.addEventListener("click", () => enter(index));
    return span;
  });
  const enter = (index) => {
    for (const span of spans) span.tabIndex = -1;
    spans[index].tabIndex = 0;
    spans[index].focus();
  };
  line.addEventListener("keydown", (event) => {
    const at = spans.indexOf(event.target);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: spans.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    enter(Math.max(0, Math.min(spans.length - 1, to)));
  });
  spans.forEach((span, index) => {
    const [before, after] = [/^\s+(?=\S)/, /(?<=\S)\s+$/].map((space) => String(data.words[index].piece).match(space)?.[0] ?? "");
    line.append(before, span, after); // the space between two words belongs to neither
  });
  element.append(line, readout, asTable(data.words));
}

// 0: as likely without the picture (or likelier); 1: a thousand times less likely, or more.
function fall({ picture, blank }) {
  const powers = Math.log10(Math.max(picture, LEAST) / Math.max(blank, LEAST));
  return powers < Math.log10(SAME) ? 0 : Math.min(1, powers / FULL_SHADE);
}

function sentence(word) {
  return `“${word.piece.trim() || "space"}”: ${percent(word.picture)} with the picture, ${percent(word.blank)} with a blank one: ${change(word)}.`;
}

function change({ picture, blank }) {
  const ratio = Math.max(picture, LEAST) / Math.max(blank, LEAST);
  const times = (value) => (value >= 10 ? Math.round(value).toLocaleString("en") : value.toFixed(1));
  if (ratio >= SAME) return `${blank < LEAST ? "more than " : ""}${times(ratio)} times less likely`;
  if (ratio <= 1 / SAME) return `${times(1 / ratio)} times likelier`;
  return "as likely";
}

function percent(value) {
  if (value > 0 && value < 0.001) return `${(100 * value).toFixed(4)} %`;
  return `${(100 * value).toFixed(1)} %`;
}

function key() {
  const made = part("p", "words-key");
  made.append("without the picture: ");
  for (const [shade, words] of [[0, "as likely"], [1 / 3, "10 times less"], [2 / 3, "100 times less"], [1, "1,000 times less likely"]]) {
    const swatch = part("span", "words-token", words);
    swatch.style.setProperty("--fall", shade.toFixed(3));
    made.append(swatch, " ");
  }
  return made;
}

function asTable(words) {
  const box = part("details", "words-table");
  box.append(part("summary", "", "The same as a table"));
  const table = part("table");
  const row = (tag, ...texts) => {
    const line = part("tr");
    line.append(...texts.map((text) => part(tag, "", text)));
    return line;
  };
  table.append(row("th", "token", "with the picture", "with a blank one", "without the picture"));
  for (const word of words) {
    table.append(row("td", word.piece, percent(word.picture), percent(word.blank), change(word)));
  }
  box.append(table);
  return box;
}
