// A trace file of one's own: chosen with a button, or dropped anywhere on the tab. Its text goes to the server with
// trigger("upload", {text}), which checks it and answers with a value for the player, or a sentence for the notice.

const MOST_TRACE_BYTES = 12e6; // as in wino_viz/ui/upload.py
const UPLOAD_WORDS = "Open a trace file …";

function showUpload(element, data, trigger) {
  element.winoUpload ??= new TraceUpload(element, trigger);
  element.winoUpload.ready();
}

class TraceUpload {
  constructor(element, trigger) {
    this.trigger = trigger;
    this.button = part("button", "upload-choose", UPLOAD_WORDS);
    this.button.type = "button";
    this.button.title = "JSON from “Take it with you”, `decode --trace` or an endpoint; or drop it on this page";
    const file = part("input");
    file.type = "file";
    file.accept = ".json,application/json";
    file.hidden = true;
    this.button.addEventListener("click", () => file.click());
    file.addEventListener("change", () => {
      this.take(file.files[0]);
      file.value = ""; // the same file may be chosen again
    });
    element.append(this.button, file);
    this.drops(element.closest('[role="tabpanel"]'));
  }

  ready() {
    this.busy = false;
    this.button.textContent = UPLOAD_WORDS;
    this.button.removeAttribute("aria-disabled");
  }

  say(text, look = "error") {
    showNotice(document.querySelector("#decode-notice .notice"), { look, text });
  }

  async take(file) {
    if (!file || this.busy) return;
    if (file.size > MOST_TRACE_BYTES) {
      const size = (file.size / 1e6).toFixed(1);
      this.say(`The file has ${size} MB; up to ${MOST_TRACE_BYTES / 1e6} MB are taken.`);
      return;
    }
    this.busy = true;
    this.button.textContent = "Opening it …";
    this.button.setAttribute("aria-disabled", "true"); // it keeps the focus
    try {
      this.trigger("upload", { text: await file.text() });
    } catch {
      this.ready();
      this.say("The file can’t be read.");
    }
  }

  drops(tab) {
    if (!tab) return;
    const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    tab.addEventListener("dragover", (event) => {
      if (!carriesFile(event)) return;
      event.preventDefault();
      tab.classList.add("upload-dropping");
    });
    tab.addEventListener("dragleave", (event) => {
      if (!tab.contains(event.relatedTarget)) tab.classList.remove("upload-dropping");
    });
    tab.addEventListener("drop", (event) => {
      tab.classList.remove("upload-dropping");
      if (!carriesFile(event)) return;
      event.preventDefault();
      this.take(event.dataTransfer.files[0]);
    });
  }
}
