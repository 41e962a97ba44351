// “Copy link”: an address that reopens the page at what the player shows.
//
// A recorded example is linked by its name, with the pass and the token whose card is pinned; a run of one's own by what it was
// made with, which the page fills in (wino_viz/ui/links.py reads these addresses). Nothing else of the address is kept but
// the theme: on a private Space the rest may hold a key.
//
// settings: {settings: {decoder: [names that the page has a control for]}, home: the page's model, plus: that of WINO+}

const LONGEST_LINK = 4000; // characters; what is longer gets cut by chats and proxies
const THEME = "__theme";
const FILLS = ["prompt", "task", "decoder", "gen_length", "block_length", "fixed"];

class CopyLink {
  constructor(menu, settings) {
    this.menu = menu;
    this.settings = settings;
    this.button = part("button", "take-open take-link", "Copy link");
    this.button.type = "button";
    this.button.addEventListener("click", () => this.copy());
  }

  async copy() {
    const { menu } = this;
    menu.open(false);
    if (menu.state.live) return this.say(WAIT);
    if (!hasTrace(menu.message)) return this.say("There is nothing to link to yet: run something first.");
    const { fields, words } = linkOf(JSON.parse(menu.message), menu.state, this.settings);
    const link = addressOf(fields);
    if (link.length > LONGEST_LINK) return this.say("This problem is too long for a link: take the JSON file along instead.");
    const copied = await toClipboard(link);
    this.say(`${copied ? "Link copied" : "Copy it from here"}: ${words}`, link);
    if (!copied) this.shown?.select();
  }

  say(words, link) {
    const { status } = this.menu;
    status.textContent = words;
    this.shown = null;
    if (!link) return;
    this.shown = part("input", "take-address");
    this.shown.readOnly = true;
    this.shown.value = link;
    this.shown.setAttribute("aria-label", "The link");
    this.shown.addEventListener("focus", () => this.shown?.select());
    status.append(this.shown);
  }
}

// The fields of an address for what is shown, and what the person is told of it.
function linkOf(message, state, { settings, home, plus }) {
  const { trace, about } = message;
  if (about?.example) {
    const fields = { example: about.example, pass: state.pass };
    if (Number.isInteger(state.pinned)) fields.token = state.pinned + 1;
    const token = fields.token ? `, token ${fields.token}` : "";
    return { fields, words: `this example at pass ${state.pass}${token}.` };
  }
  const { decoder } = trace;
  const key = plus && trace.model === plus && decoder.name === "threshold" ? "wino-plus" : decoder.name;
  const said = (settings[key] ?? []).filter((name) => isPlain(decoder[name])).map((name) => `${name}=${decoder[name]}`);
  const fields = { ...problemFields(trace) };
  if (settings[key]) fields.decoder = [key, ...said].join(":");
  fields.gen_length = trace.gen_length;
  fields.block_length = trace.block_length;
  if (decoder.temperature) fields.temperature = decoder.temperature;
  if (decoder.seed) fields.seed = decoder.seed;
  if (trace.fixed?.length) fields.fixed = writtenFixed(trace);
  if (["last", "never"].includes(decoder.end_of_text)) fields.end_of_text = decoder.end_of_text;
  if (decoder.cfg_scale) fields.cfg_scale = decoder.cfg_scale;
  if (![home, plus].includes(trace.model)) fields.model = trace.model;
  const what = about?.file ? "the problem and settings of your file, not the recording itself" : "this problem and its settings";
  const alone = trace.earlier?.length ? " A link has no room for a conversation: it brings the last question alone." : "";
  return { fields, words: `${what}. It fills in the form and runs nothing.${alone}` };
}

const isPlain = (value) => typeof value === "number" || (typeof value === "string" && /^\w+$/.test(value));

// A countdown and a sudoku in their short form.
function problemFields({ prompt, record }) {
  if (record?.task === "countdown" && Array.isArray(record.numbers)) {
    return { prompt: `${record.numbers.join(",")}=${record.target}` };
  }
  if (record?.task === "sudoku" && typeof record.puzzle === "string") return { prompt: record.puzzle };
  return Number.isInteger(record?.answer) ? { prompt, answer: record.answer } : { prompt };
}

// As written_fixed of wino_viz/models/fixed_words.py.
function writtenFixed({ fixed, pieces }) {
  const runs = [];
  for (const [position, id] of [...fixed].sort((a, b) => a[0] - b[0])) {
    const piece = String(pieces[id] ?? "");
    const last = runs.at(-1);
    if (last && last.stop === position) Object.assign(last, { stop: position + 1, text: last.text + piece });
    else runs.push({ start: position, stop: position + 1, text: piece });
  }
  return runs.map(({ start, text }) => {
    const spaced = (bare) => (start && /^\p{L}/u.test(bare) ? ` ${bare}` : bare);
    const bare = start && /^ \p{L}/u.test(text) ? text.slice(1) : text;
    const isAsRead = /^[^\s,|":]+( [^\s,|":]+)*$/.test(bare) && spaced(bare) === text;
    return `${start}:${isAsRead ? bare : `"${text}"`}`;
  }).join(", ");
}

// This page with these fields. Written to be read: what may stand in a query as it is does.
function addressOf(fields) {
  const theme = new URLSearchParams(location.search).get(THEME);
  const all = { ...fields, ...(["light", "dark", "system"].includes(theme) ? { [THEME]: theme } : {}) };
  const written = Object.entries(all).map(([name, value]) => {
    const text = encodeURIComponent(String(value)).replace(/%20/g, "+").replace(/%(2C|3A|3D|2F|24)/g, decodeURIComponent);
    return `${name}=${text.replace(/['()!*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)}`;
  });
  return `${location.origin}${location.pathname}?${written.join("&")}`;
}

// Inside the frame of a Space, or without https, the clipboard may be refused; the older way often is not.
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = part("textarea", "take-unseen");
    field.value = text;
    document.body.append(field);
    const focused = document.activeElement;
    field.select();
    let copied = false;
    try {
      copied = document.execCommand("copy");
    } catch {
      copied = false;
    }
    field.remove();
    focused?.focus();
    return copied;
  }
}

// After the page has followed its address: open the tab that this names, and bring what was filled in into view, with Run (on a
// phone the form is folded away). tabs: {name in links: id}.
function followLink(tabs) {
  const fields = new URLSearchParams(location.search);
  const name = (fields.get("tab") ?? "").trim().toLowerCase();
  const tab = Object.hasOwn(tabs, name) ? tabs[name] : "decode";
  if (tab !== "decode") document.querySelector(`#tabs [role="tab"][data-tab-id="${tab}"]`)?.click();
  else if (!fields.has("example") && FILLS.some((each) => fields.has(each))) showRun("decode");
}
