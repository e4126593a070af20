// The files: a list of what waits, is restored and was restored. One is restored after the other.

import * as files from "./files.js";

const list = document.getElementById("queue");

// One file of the list.
class Entry {
  state = "waiting"; // waiting, working, done, failed, cancelled, or refused before it was sent
  words = "Waiting";
  share = null;
  result = null;
  start = 0;
  end = null; // seconds; null: the end of the clip
  used = null; // the settings that were restored with
  announced = null; // the last state that the page has told
  #abort = null;

  constructor(file) {
    this.file = file;
    this.isClip = files.isClip(file);
    this.original = URL.createObjectURL(file);
    this.restored = null; // address of the result
  }

  get isOpen() {
    return this.state === "waiting" || this.state === "working";
  }

  settings(strength) {
    return { strength, start: this.start, end: this.end };
  }

  // Whether a restoration with these settings would give something else.
  differs(strength) {
    return this.used === null || JSON.stringify(this.used) !== JSON.stringify(this.settings(strength));
  }

  refuse(words) {
    this.#end("refused", words);
  }

  cancel() {
    if (this.#abort) this.#abort.abort();
    this.#end("cancelled", "Cancelled.");
  }

  wait() {
    this.#end("waiting", "Waiting");
  }

  #end(state, words) {
    Object.assign(this, { state, words, share: null });
    this.#abort = null;
  }

  // Returns when the file was restored, has failed, or was cancelled.
  async restore(strength, onChange) {
    const abort = (this.#abort = new AbortController());
    const settings = this.settings(strength);
    Object.assign(this, { state: "working", words: "Sending", share: 0 });
    try {
      const result = await files.restore(this.file, settings, abort.signal, (words, share) => {
        if (this.#abort !== abort) return;
        Object.assign(this, { words, share });
        onChange(this);
      });
      if (abort.signal.aborted) return;
      this.forget();
      Object.assign(this, { result, restored: URL.createObjectURL(result.blob), used: settings });
      this.#end("done", result.message);
    } catch (error) {
      if (!abort.signal.aborted) this.#end("failed", error.message);
    }
  }

  // Gives up the result, before another one.
  forget() {
    if (this.restored) URL.revokeObjectURL(this.restored);
    Object.assign(this, { result: null, restored: null, used: null });
  }

  close() {
    if (this.isOpen) this.cancel();
    this.forget();
    URL.revokeObjectURL(this.original);
  }
}

// The list of files, and the work on them. events: onChange(entry) when it has another state or progress, onSelect(entry or null).
export class Queue {
  entries = [];
  selected = null;
  #rows = new Map();
  #running = false;

  constructor({ strength, onChange, onSelect }) {
    Object.assign(this, { strength, onChange, onSelect });
  }

  // Takes files into the list, selects the first one of them that the browser can show, and begins to work. Those that cannot
  // be restored are listed with the reason, and what is selected stays so.
  async add(added) {
    let first = null;
    for (const file of added) {
      const entry = new Entry(file);
      this.entries.push(entry);
      await files.check(file).catch((error) => entry.refuse(error.message));
      this.#changed(entry);
      if (entry.isOpen && !first && (!this.selected || (await files.load(entry.original, entry.isClip)))) first = entry;
    }
    if (first) this.select(first);
    this.#run();
  }

  select(entry) {
    this.selected = entry;
    this.#rows.forEach((row, of) => row.setSelected(of === entry));
    this.onSelect(entry);
  }

  again(entry) {
    if (entry.isOpen) entry.cancel();
    entry.wait();
    this.#changed(entry);
    this.#run();
  }

  cancel(entry) {
    entry.cancel();
    this.#changed(entry);
  }

  remove(entry) {
    const place = this.entries.indexOf(entry);
    entry.close();
    this.entries.splice(place, 1);
    this.#rows.get(entry).element.remove();
    this.#rows.delete(entry);
    list.parentElement.hidden = !this.entries.length;
    if (this.selected === entry) this.select(this.entries[place] || this.entries[place - 1] || null);
    const next = this.selected && this.#rows.get(this.selected);
    if (next) next.focus();
    else document.getElementById("open").focus();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    for (let entry; (entry = this.entries.find((one) => one.state === "waiting")); ) {
      const work = entry.restore(this.strength(), (one) => this.#changed(one));
      this.#changed(entry);
      await work;
      this.#changed(entry);
    }
    this.#running = false;
  }

  #changed(entry) {
    if (!this.entries.includes(entry)) return;
    if (!this.#rows.has(entry)) this.#rows.set(entry, new Row(this, entry));
    this.#rows.get(entry).update();
    this.onChange(entry);
  }
}

// What the page shows of one file.
class Row {
  constructor(queue, entry) {
    this.entry = entry;
    this.element = document.getElementById("row").content.firstElementChild.cloneNode(true);
    const parts = ["name", "words", "bar", "download", "cancel", "again", "remove"];
    this.parts = Object.fromEntries(parts.map((part) => [part, this.element.querySelector(`.${part}`)]));
    const { name } = entry.file;
    this.parts.name.textContent = name || "File without a name";
    this.parts.bar.setAttribute("aria-label", `Progress of ${name}`);
    for (const [action, words] of Object.entries({ download: "Download", cancel: "Cancel", again: "Try again", remove: "Remove" })) {
      this.parts[action].setAttribute("aria-label", `${words}: ${name}`);
    }
    this.parts.name.addEventListener("click", () => {
      queue.select(entry);
      // below a picture on a narrow screen, the list may be far from it
      document.getElementById("stage").scrollIntoView({ block: "nearest" });
    });
    this.parts.cancel.addEventListener("click", () => queue.cancel(entry));
    this.parts.again.addEventListener("click", () => queue.again(entry));
    this.parts.remove.addEventListener("click", () => queue.remove(entry));
    list.append(this.element);
    list.parentElement.hidden = false;
  }

  setSelected(selected) {
    if (selected) this.parts.name.setAttribute("aria-current", "true");
    else this.parts.name.removeAttribute("aria-current");
  }

  focus() {
    this.parts.name.focus();
  }

  update() {
    const { state, words, share, result, restored, isOpen } = this.entry;
    const { bar, cancel, again, remove, download } = this.parts;
    const focused = this.element.contains(document.activeElement);
    this.element.dataset.state = state;
    this.parts.words.textContent = words;
    bar.hidden = state !== "working";
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    cancel.hidden = !isOpen;
    again.hidden = state !== "cancelled" && state !== "failed";
    remove.hidden = isOpen;
    download.hidden = !restored;
    if (restored) Object.assign(download, { href: restored, download: result.name });
    // a button that is hidden would lose the focus to nothing
    if (focused && document.activeElement.hidden) this.focus();
  }
}
