// The pictures of the Multimodal tab: bringing one, the three squares with the token grid, and the ways to ask.
// Pictures come as PNGs in data URLs from our own server, and nothing else is ever set as an image's address.

const PNG = /^data:image\/png;base64,[A-Za-z0-9+/=]+$/;
const MOST_BYTES = 20_000_000; // of a file; the server says the same
const STEPS_OF_KEYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function image(url, alt) {
  const made = part("img");
  if (PNG.test(url)) made.src = url;
  made.alt = alt;
  made.draggable = false; // or it could be dropped onto the page as a file
  return made;
}

// ---- bringing a picture: choose a file, paste it, drop it

function showInput(element, data, trigger) {
  element.winoStop?.();
  const choose = part("button", "picture-choose", "Upload a picture");
  const file = part("input");
  choose.type = "button";
  file.type = "file";
  file.accept = "image/*";
  file.hidden = true;
  choose.addEventListener("click", () => file.click());
  const hint = part("p", "picture-hint", String(data?.hint ?? ""));
  element.replaceChildren(choose, file, hint);

  const take = (brought) => {
    if (!brought) return;
    if (brought.size > MOST_BYTES) {
      const size = (brought.size / 1e6).toFixed(1);
      sayOfPicture({ look: "error", text: `The file has ${size} MB; up to ${MOST_BYTES / 1e6} MB are taken.` });
      return;
    }
    choose.textContent = "Opening it …";
    choose.disabled = true;
    sayOfPicture({ look: "busy", text: "Opening the picture …" });
    const reader = new FileReader();
    reader.addEventListener("load", () => trigger("upload", { data: String(reader.result) }));
    reader.addEventListener("error", () => {
      choose.textContent = "Upload a picture";
      choose.disabled = false;
      sayOfPicture({ look: "error", text: "The file can’t be read." });
    });
    reader.readAsDataURL(brought);
  };
  file.addEventListener("change", () => {
    take(file.files[0]);
    file.value = ""; // the same file may be chosen again
  });

  const tab = element.closest(".picture-tab");
  const listeners = new AbortController();
  const on = (target, event, action) => target.addEventListener(event, action, { signal: listeners.signal });
  on(document, "paste", (event) => {
    const pasted = event.clipboardData?.files[0];
    if (!pasted || !tab?.checkVisibility()) return;
    event.preventDefault();
    take(pasted);
  });
  if (tab) {
    const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    on(tab, "dragover", (event) => {
      if (!carriesFile(event)) return;
      event.preventDefault();
      tab.classList.add("picture-dropping");
    });
    on(tab, "dragleave", (event) => {
      if (!tab.contains(event.relatedTarget)) tab.classList.remove("picture-dropping");
    });
    on(tab, "drop", (event) => {
      tab.classList.remove("picture-dropping");
      if (!carriesFile(event)) return;
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
  }
  element.winoStop = () => listeners.abort();
}

function sayOfPicture(data) {
  const notice = document.querySelector("#picture-notice .notice");
  if (notice) showNotice(notice, data);
}

// ---- ways to ask: a row of buttons, each of which writes its words into the box

function showChips(element, data, trigger) {
  element.replaceChildren();
  for (const words of data?.texts ?? []) {
    const chip = part("button", "chip", String(words));
    chip.type = "button";
    chip.addEventListener("click", () => trigger("select", { text: String(words) }));
    element.append(chip);
  }
}

// ---- the three squares: the picture, the picture as the model sees it, its tokens

function showPicture(element, data, trigger) {
  element.replaceChildren();
  if (!data) return;
  const squares = part("div", "picture-squares");
  const marks = [];
  const square = (name, title, about, content) => {
    const figure = part("figure", `picture-square picture-${name}`);
    const frame = part("div", "picture-frame");
    frame.append(...content);
    const words = part("figcaption");
    words.append(part("b", "", title), part("span", "", about));
    figure.append(frame, words);
    squares.append(figure);
    return frame;
  };
  const markOn = (frame) => {
    const mark = part("div", "picture-mark");
    mark.hidden = true;
    frame.append(mark);
    marks.push(mark);
  };

  markOn(square("own", "The picture", String(data.about ?? ""), [image(data.image, String(data.alt ?? "A picture"))]));
  const readout = part("div", "picture-readout");
  if (data.codes) {
    const [rows, columns] = [data.codes.length, data.codes[0].length];
    markOn(square("seen", "As the model sees it", "decoded from its tokens", [
      image(data.seen, "The same picture, decoded from the tokens that the model reads"),
    ]));
    const grid = tokenGrid(data.codes, marks, readout);
    square("tokens", "Its tokens", `${rows} × ${columns}, one tint for each`, [image(data.image, ""), grid]);
  } else {
    const show = part("button", "picture-show", "Show them now");
    show.type = "button";
    show.addEventListener("click", () => {
      show.disabled = true;
      show.textContent = "Loading the model …";
      trigger("click", {});
    });
    square("seen", "As the model sees it", "", [show]);
    square("tokens", "Its tokens", "", [part("span", "", "with the first run")]);
    readout.append(part("p", "", "The model never sees pixels: a picture is cut into tokens, and read like words."));
    readout.append(part("p", "", "They are made with the first run, or at once; the model is loaded for it."));
  }
  const body = part("div", "picture-body");
  body.append(squares, readout);
  element.append(body);
  if (data.warning) element.append(warning(data.warning));
}

function warning({ text, more, code }) {
  const box = part("div", "picture-warning");
  box.append(part("p", "", String(text)));
  const loading = part("p", "", `${more} `);
  loading.append(part("code", "", String(code)));
  box.append(loading);
  return box;
}

// One cell for each token; moving over it with the pointer or the arrow keys marks its place in the other squares.
function tokenGrid(codes, marks, readout) {
  const [rows, columns] = [codes.length, codes[0].length];
  const grid = part("div", "token-grid");
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", `The picture’s tokens, ${rows} rows of ${columns}`);
  grid.style.setProperty("--columns", columns);
  const cells = codes.map((row, r) => {
    const line = part("div", "token-row");
    line.setAttribute("role", "row");
    grid.append(line);
    return row.map((code, c) => {
      const cell = part("div", "token-cell");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-label", `Row ${r + 1}, column ${c + 1}: token ${code}`);
      cell.tabIndex = -1;
      cell.style.setProperty("--tint", tint(code));
      cell.dataset.at = `${r} ${c}`;
      line.append(cell);
      return cell;
    });
  });
  const places = new Map();
  codes.forEach((row, r) => row.forEach((code, c) => places.set(code, [...(places.get(code) ?? []), cells[r][c]])));

  const hint = () => {
    const words = `Each of the ${rows * columns} tokens stands for a small square. There are ${places.size} different ones here; equal tokens have equal tints.`;
    readout.replaceChildren(part("p", "", words), part("p", "", "Point at one, or move there with the arrow keys."));
  };
  let here = null;
  const leave = () => {
    here = null;
    for (const cell of grid.querySelectorAll(".token-here, .token-same")) cell.classList.remove("token-here", "token-same");
    grid.classList.remove("token-pointing");
    for (const mark of marks) mark.hidden = true;
    hint();
  };
  const point = (cell) => {
    if (cell === here) return;
    leave();
    here = cell;
    grid.classList.add("token-pointing");
    const [r, c] = cell.dataset.at.split(" ").map(Number);
    const code = codes[r][c];
    const same = places.get(code);
    for (const other of same) other.classList.add(other === cell ? "token-here" : "token-same");
    for (const mark of marks) {
      mark.hidden = false;
      Object.assign(mark.style, {
        left: `${(100 * c) / columns}%`, top: `${(100 * r) / rows}%`, width: `${100 / columns}%`, height: `${100 / rows}%`,
      });
    }
    const swatch = part("span", "token-swatch");
    swatch.style.setProperty("--tint", tint(code));
    const name = part("p", "token-name");
    name.append(swatch, part("span", "", `token ${code}`));
    const elsewhere = same.length === 1 ? "Nowhere else in this picture." : `In ${same.length - 1} other ${same.length === 2 ? "place" : "places"}, too.`;
    readout.replaceChildren(part("p", "", `Row ${r + 1}, column ${c + 1}`), name, part("p", "", elsewhere));
  };
  const enter = (cell) => {
    grid.querySelector('[tabindex="0"]').tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  };
  cells[0][0].tabIndex = 0;
  grid.addEventListener("pointerover", (event) => event.target.dataset.at && point(event.target));
  grid.addEventListener("pointerleave", () => (grid.contains(document.activeElement) ? point(document.activeElement) : leave()));
  grid.addEventListener("focusin", (event) => point(event.target));
  grid.addEventListener("focusout", leave);
  grid.addEventListener("click", (event) => event.target.dataset.at && enter(event.target));
  grid.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || !event.target.dataset.at) return;
    let [r, c] = event.target.dataset.at.split(" ").map(Number);
    if (event.key in STEPS_OF_KEYS) {
      const [down, across] = STEPS_OF_KEYS[event.key];
      r = Math.min(rows - 1, Math.max(0, r + down));
      c = Math.min(columns - 1, Math.max(0, c + across));
    } else if (event.key === "Home") [r, c] = [event.ctrlKey ? 0 : r, 0];
    else if (event.key === "End") [r, c] = [event.ctrlKey ? rows - 1 : r, columns - 1];
    else return;
    event.preventDefault();
    enter(cells[r][c]);
  });
  hint();
  return grid;
}

// A colour from the bits of a code: each bit pushes it a little one way, so equal codes look equal and codes that
// differ in few bits look alike. (MAGVIT-v2's bits are signs of directions in which pictures differ.)
function tint(code) {
  let [light, a, b] = [0, 0, 0];
  for (let bit = 0; bit < 13 || code >> bit; bit++) {
    const sign = (code >> bit) & 1 ? 1 : -1;
    const angle = bit * 2.39996; // the golden angle: directions as far apart as they can be
    light += bit % 2 ? sign : -sign;
    a += sign * Math.cos(angle);
    b += sign * Math.sin(angle);
  }
  return `oklab(${(0.7 + 0.018 * light).toFixed(3)} ${(0.04 * a).toFixed(3)} ${(0.04 * b).toFixed(3)})`;
}

// Run was pressed: say so before the server does, and bring into view what is going to move: the squares with the player
// under them, or on a phone, where the form stands between the two, the player.
function onPictureRun() {
  sayOfPicture({ look: "busy", text: WAITING });
  const [squares, stage] = [".picture-top", ".picture-stage"].map((name) => document.querySelector(name));
  const press = nextPress();
  if (!squares || !stage) return press;
  const together = stage.getBoundingClientRect().top - squares.getBoundingClientRect().bottom < 40;
  const first = together ? squares : stage;
  if (!together) stage.style.minHeight = `${window.innerHeight}px`; // an empty player is too low to be scrolled to the top
  const { top } = first.getBoundingClientRect();
  if (top < 0 || (!together && top > window.innerHeight * 0.6) || (together && top > 60 && window.innerHeight < 1000)) {
    // a long smooth scroll is broken off when the page grows meanwhile, as it does when a run begins
    const calm = Math.abs(top) > window.innerHeight || matchMedia("(prefers-reduced-motion: reduce)").matches;
    first.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }
  return press;
}
