// Order of decoding: how much it resembles writing from left to right (local and global AR-ness, arXiv 2506.20639).

function orderPanel() {
  let view = null;

  function build(body) {
    const words = el("p", "closer-say");
    const table = el("table", "closer-table");
    table.append(el("caption", "", "AR-ness: 1 is strictly from left to right"));
    const top = el("thead");
    const head = el("tr");
    for (const name of ["k", "local: right after the k tokens to its left", "global: among the k leftmost masks"]) {
      const cell = el("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    top.append(head);
    const rows = el("tbody");
    table.append(top, rows);
    const note = el("p", "closer-note");
    body.append(words, table, note);
    view = { words, table, rows, note };
  }

  function draw({ replay, state }) {
    const found = arNess(replay);
    view.table.hidden = !found;
    view.words.textContent = found ? orderWords(found) : "No token is placed yet, so there is no order.";
    view.note.textContent = found ? orderNote(replay, found, state.live) : "";
    view.rows.replaceChildren(...(found?.rows ?? []).map(({ k, local, localBackwards, global, globalBackwards }) => {
      const row = el("tr");
      const name = el("th", "", String(k));
      name.scope = "row";
      row.append(name, score(local, localBackwards), score(global, globalBackwards));
      return row;
    }));
  }

  return { id: "order", title: "Order of decoding", words: "how much it is like writing from left to right", build, draw };
}

function score(value, backwards) {
  const cell = el("td");
  const bar = el("span", "closer-share");
  bar.style.setProperty("--share", value.toFixed(4));
  bar.setAttribute("aria-hidden", "true");
  const number = el("span", "closer-number", value.toFixed(2));
  cell.append(bar, number);
  if (value.toFixed(2) !== backwards.toFixed(2)) cell.append(" ", el("span", "closer-range", `${backwards.toFixed(2)} from right to left`));
  return cell;
}

function orderWords({ tokens, next, leftmost }) {
  const share = (count) => `${count} of ${numbered(tokens)} tokens (${Math.round((100 * count) / tokens)} %)`;
  return `${sentence(share(next))} were placed directly after the token to their left, and ${share(leftmost)} at the leftmost mask. ` +
    "An autoregressive model scores 1 on both, as it can only go on where it stopped; the lower the score, the more a decoding jumps.";
}

function orderNote(replay, { rows }, live) {
  const notes = [live ? "Up to the newest pass." : "Over the whole trace, wherever the playhead is."];
  if (replay.steps.some((step) => step.remasked.length)) notes.push("A token that was taken back counts in the pass that placed it for good.");
  if (rows.some((row) => row.local !== row.localBackwards || row.global !== row.globalBackwards)) {
    notes.push("Tokens of one pass come at once: they are read from left to right, and in grey from right to left.");
  }
  if (replay.blocks > 1) notes.push(`The ${replay.blocks} blocks are decoded in order, which alone raises the global score.`);
  notes.push("Local and global AR-ness@k after DiffuCoder (arXiv 2506.20639), which measures one token a pass.");
  return notes.join(" ");
}
