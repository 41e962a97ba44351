// “Take it with you”: a button that opens four others, each of which makes a file of what the player shows.
//
// data: {follows: the player's id}, perhaps link (what “Copy link” needs, see link.js), and after a request also {id, name, type, data: base64} or {id, error}. The server makes the
// files: trigger("click", {id, kind, pass, dark, narrow, message}) asks for one.

const FILES = [
  ["gif", "Animated GIF", "every pass, for slides or a chat"],
  ["png", "PNG", "a picture of this pass"],
  ["html", "HTML file", "this player, works offline"],
  ["json", "JSON", "the trace with all its figures"],
];
const DRAWING = { gif: "Drawing the GIF …", png: "Drawing the picture …", html: "Writing the file …", json: "Writing the file …" };
const WAIT = "This works as soon as the run is over.";

function showTake(element, data, trigger) {
  if (!data) return;
  element.winoTake ??= new TakeMenu(element, String(data.follows), trigger, data.link);
  element.winoTake.answer(data);
}

class TakeMenu {
  constructor(element, follows, trigger, link) {
    this.follows = follows;
    this.trigger = trigger;
    this.asked = null; // {id, kind} of the file that is being made
    this.state = { pass: 0, passes: 0, live: false };
    this.button = part("button", "take-open", "Take it with you");
    this.button.type = "button";
    this.list = part("div", "take-list");
    this.list.id = `${follows}-take-list`;
    this.list.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.button.setAttribute("aria-controls", this.list.id);
    this.status = part("p", "take-status");
    this.status.setAttribute("role", "status");
    this.items = FILES.map(([kind, name, words]) => {
      const item = part("button", "take-item");
      item.type = "button";
      item.append(part("b", "", name), part("span", "", words));
      item.addEventListener("click", () => this.take(kind));
      this.list.append(item);
      return { kind, item, words: item.lastChild };
    });
    const buttons = part("div", "take-buttons");
    buttons.append(...(link ? [new CopyLink(this, link).button] : []), this.button);
    element.append(buttons, this.list, this.status);
    this.button.addEventListener("click", () => this.open(this.list.hidden));
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.list.hidden) return;
      this.open(false);
      this.button.focus();
    });
    document.addEventListener("wino-pass", (event) => {
      if (event.target.closest?.(`#${this.follows}`)) this.follow(event.detail);
    });
    this.follow(this.state);
  }

  open(shown) {
    this.list.hidden = !shown;
    this.button.setAttribute("aria-expanded", String(shown));
    this.status.textContent = "";
    this.follow(this.state);
    if (shown) this.list.scrollIntoView({ block: "nearest" });
  }

  // The player moved: name its pass, and whether there is a whole trace to take.
  follow(state) {
    this.state = state;
    const png = this.items.find(({ kind }) => kind === "png");
    const words = `a picture of pass ${state.pass}`;
    if (png.words.textContent !== words) png.words.textContent = words;
    const blocked = state.live || this.asked !== null;
    for (const { item } of this.items) item.setAttribute("aria-disabled", String(blocked)); // it keeps the focus
    if (state.live && !this.list.hidden) this.status.textContent = WAIT;
    else if (this.status.textContent === WAIT) this.status.textContent = "";
  }

  // The player's last message.
  get message() {
    return document.querySelector(`#${this.follows} .wino-player`)?.lastMessage?.() ?? "";
  }

  take(kind) {
    if (this.asked) return;
    const { message } = this;
    if (this.state.live || !hasTrace(message)) {
      this.status.textContent = this.state.live ? WAIT : "There is nothing to take yet: run something first.";
      return;
    }
    this.asked = { id: crypto.randomUUID?.() ?? String(Math.random()), kind };
    this.status.textContent = DRAWING[kind];
    this.follow(this.state);
    const look = { dark: document.body.classList.contains("dark"), narrow: window.innerWidth < 700 };
    this.trigger("click", { id: this.asked.id, kind, pass: this.state.pass, ...look, message });
  }

  // What the server says. A value that this menu did not ask for (it was there before) is no news.
  answer(data) {
    if (!this.asked || (data.id !== undefined && data.id !== this.asked.id) || !(data.data || data.error)) return;
    this.asked = null;
    this.follow(this.state);
    if (data.error) {
      this.status.textContent = String(data.error);
      return;
    }
    const bytes = Uint8Array.from(atob(data.data), (character) => character.charCodeAt(0));
    this.save(String(data.name), new Blob([bytes], { type: String(data.type) }));
  }

  save(name, blob) {
    const link = part("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    this.status.textContent = `Saved ${name}, ${sizeWords(blob.size)}.`;
  }
}

// Whether a player's message is a whole trace, and not a part of a run.
function hasTrace(message) {
  try {
    return JSON.parse(message)?.type === "trace";
  } catch {
    return false;
  }
}

function sizeWords(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1000))} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
