// Earlier turns of a conversation, which stand before the prompt: [[question, answer], …], the oldest first. Text only.

const MAX_TURNS = 64; // as in wino_viz/turns.py

function readTurns(rows = []) {
  need(Array.isArray(rows) && rows.length <= MAX_TURNS, '"earlier" is not a list of a few turns');
  const isTurn = (row) => Array.isArray(row) && row.length === 2 && row.every((text) => typeof text === "string");
  need(rows.every(isTurn), '"earlier" holds a wrong turn');
  return rows;
}

// What the model reads, as a list: who said it, and the words. `prompt` is the question that it answers now.
function turnsList(earlier, prompt) {
  const list = make("ol", "wp-turns");
  const add = (who, text) => {
    const item = make("li", who === "asked" ? "wp-turn-asked" : "wp-turn-said");
    item.append(make("span", "wp-turn-who", who), make("p", "", text.trim() || "(nothing)"));
    list.append(item);
  };
  for (const [question, answer] of earlier) {
    add("asked", question);
    add("answered", answer);
  }
  add("asked", prompt);
  list.lastChild.classList.add("wp-turn-now");
  return list;
}

const promptName = (earlier) => earlier.length ? `Prompt, after ${plural(earlier.length, "earlier turn")}` : "Prompt";
