// The picture of the microscope: cells of the mask and the tokens on its axes, on a canvas the size of what is seen of it.
//
// shown: {replay, axis, offsets: where each entry of the axis begins in cells, ids: what stood before the pass, taken}

const AXIS = { left: 118, top: 92 }; // px for the names
const NAMED_FROM = 9; // px a cell needs for its token's text

function paintMask({ closer, scroll, canvas }, shown, size, cursor) {
  const { axis, offsets } = shown;
  const [width, height] = [scroll.clientWidth, scroll.clientHeight];
  const dpr = window.devicePixelRatio || 1;
  canvas.width = width * dpr;
  canvas.height = height * dpr;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(dpr, dpr);
  const names = ["ink", "soft", "rule", "paper", "focus", "sees", "judges", "idle", "hidden", "twin"];
  const colours = Object.fromEntries(names.map((name) => [name, closer.colour(`closer-${name}`)]));
  const x = (index) => AXIS.left + offsets[index] * size - scroll.scrollLeft;
  const y = (index) => AXIS.top + offsets[index] * size - scroll.scrollTop;
  const inView = (place, edge, end) => axis.map((_, index) => index).filter((index) => place(index + 1) > edge && place(index) < end);
  const [columns, rows] = [inView(x, AXIS.left, width), inView(y, AXIS.top, height)];
  const gap = size >= 8 ? 1 : 0;
  pen.save();
  pen.beginPath();
  pen.rect(AXIS.left, AXIS.top, width, height);
  pen.clip();
  for (const row of rows) {
    const looks = axis[row].kind !== "shadow" ? "sees" : shown.ids[axis[row].position] >= 0 ? "judges" : "idle";
    for (const column of columns) {
      const sees = mayAttend(axis[row], axis[column]);
      pen.fillStyle = colours[sees ? looks : "hidden"];
      const [left, top, right, bottom] = [x(column), y(row), x(column + 1) - gap, y(row + 1) - gap];
      pen.fillRect(left, top, right - left, bottom - top);
      if (!sees && axis[column].kind === "token") cross(pen, colours.twin, left, top, right, bottom);
    }
  }
  if (cursor) {
    pen.strokeStyle = colours.focus;
    pen.lineWidth = 3;
    pen.strokeRect(x(cursor.column) - 1, y(cursor.row) - 1, x(cursor.column + 1) - x(cursor.column) + 1, y(cursor.row + 1) - y(cursor.row) + 1);
  }
  pen.restore();
  axisNames(pen, colours, shown, size, { x, y, rows, columns, cursor, width, height });
}

function cross(pen, colour, left, top, right, bottom) {
  pen.strokeStyle = colour;
  pen.lineWidth = right - left > 6 ? 2 : 1;
  pen.beginPath();
  pen.moveTo(left + 1, top + 1);
  pen.lineTo(right - 1, bottom - 1);
  pen.moveTo(right - 1, top + 1);
  pen.lineTo(left + 1, bottom - 1);
  pen.stroke();
}

// The names of rows and columns that have room; folded parts always have one.
function axisNames(pen, colours, shown, size, { x, y, rows, columns, cursor, width, height }) {
  const font = (weight) => `${weight} ${Math.min(13, Math.max(11, size - 1))}px system-ui, sans-serif`;
  pen.textBaseline = "middle";
  const write = (index, focused, place) => {
    const entry = shown.axis[index];
    if (size < NAMED_FROM && entry.position !== undefined && !focused) return;
    const text = axisName(shown, entry);
    pen.font = font(focused || entry.kind !== "token" && entry.kind !== "shadow" ? 650 : 400);
    const taken = entry.kind === "shadow" && shown.taken.has(entry.position);
    pen.fillStyle = colours[focused ? "focus" : taken ? "twin" : shown.ids[entry.position] < 0 ? "soft" : "ink"];
    place(fitted(pen, text, AXIS.left - 14));
  };
  pen.save();
  pen.beginPath();
  pen.rect(0, AXIS.top, AXIS.left, height);
  pen.clip();
  pen.textAlign = "right";
  for (const row of rows) write(row, cursor?.row === row, (text) => pen.fillText(text, AXIS.left - 6, (y(row) + y(row + 1)) / 2));
  pen.restore();
  pen.save();
  pen.beginPath();
  pen.rect(AXIS.left - 4, 0, width, AXIS.top);
  pen.clip();
  pen.textAlign = "left";
  for (const column of columns) {
    write(column, cursor?.column === column, (text) => {
      pen.save();
      pen.translate((x(column) + x(column + 1)) / 2, AXIS.top - 6);
      pen.rotate(-Math.PI / 3);
      pen.fillText(text, 0, 0);
      pen.restore();
    });
  }
  pen.restore();
}

function fitted(pen, text, most) {
  if (pen.measureText(text).width <= most) return text;
  let short = text;
  while (short.length > 1 && pen.measureText(`${short}…`).width > most) short = short.slice(0, -1);
  return `${short}…`;
}

function axisName({ replay, ids }, entry) {
  if (entry.kind === "prompt") return `prompt (${entry.count})`;
  if (entry.kind === "block") return `block ${entry.block + 1} (${entry.count})`;
  const id = ids[entry.position];
  const text = id < 0 ? "" : `: ${winoPlayer.tokenName(replay, id).replace(/^“|”$|^1 (?=space$)/g, "")}`;
  return `${entry.kind === "shadow" ? "judge " : ""}${entry.position + 1}${text}`;
}
