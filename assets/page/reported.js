// Published figures as tables: {papers: [{paper, arxiv, setup, tables: [{title, columns, rows, notes}]}]}, see assets/reported.json.

function showReported(element, data) {
  element.replaceChildren();
  if (!data?.papers?.length) return;
  element.append(part("h2", "", data.title), part("p", "reported-intro", data.intro));
  for (const paper of data.papers) element.append(reportedPaper(paper));
}

function reportedPaper(paper) {
  const made = part("section", "reported-paper");
  const head = part("h3", "", paper.paper);
  head.append(part("span", "reported-id", `as reported, arXiv ${paper.arxiv}`));
  made.append(head, part("p", "reported-setup", paper.setup), ...paper.tables.map(reportedTable));
  return made;
}

function reportedTable(table) {
  const made = part("details", "reported-table");
  made.open = Boolean(table.open);
  const scroll = part("div", "chart-scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", table.title);
  const grid = part("table", "chart-table");
  const head = part("tr");
  for (const column of table.columns) {
    const cell = part("th", "", column);
    cell.scope = "col";
    head.append(cell);
  }
  const top = part("thead");
  top.append(head);
  const body = part("tbody");
  for (const [name, ...cells] of table.rows) {
    const line = part("tr");
    const first = part("th", "", name);
    first.scope = "row";
    line.append(first, ...cells.map((cell) => part("td", "", cell === null ? "–" : String(cell))));
    body.append(line);
  }
  grid.append(top, body);
  scroll.append(grid);
  made.append(part("summary", "", table.title), scroll, ...table.notes.map((note) => part("p", "reported-note", note)));
  return made;
}
