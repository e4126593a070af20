// Pictures and short clips: to the server, back restored, shown and offered for download.

import { clear, show } from "./stage.js";

const LARGEST = Number(document.getElementById("file").dataset.bytes);

// { before, after, isClip } of the file that is shown, or null
let shown = null;
let asking = null;

export const isClip = () => Boolean(shown && shown.isClip);
export const isPlaying = () => isClip() && !shown.after.paused;

// Gives { told, address, name, seen }: `seen` is whether the browser can show the result. Throws an Error for the visitor, or an
// AbortError where `close` came first.
export async function restore(file) {
  close();
  if (file.size > LARGEST) throw new Error(`The file is larger than ${Math.floor(LARGEST / 2 ** 20)} MB.`);
  asking = new AbortController();
  const { signal } = asking;
  const response = await ask(file, signal);
  const result = await response.blob();
  const isPicture = result.type.startsWith("image/");
  const address = URL.createObjectURL(result);
  const name = file.name.replace(/(\.[^.]*)?$/, `-sharp.${/[a-z]+$/.exec(result.type)[0].replace("jpeg", "jpg")}`);
  const told = response.headers.get("X-Told");
  try {
    const kind = isPicture ? "img" : "video";
    const [before, after] = await Promise.all([loaded(URL.createObjectURL(file), kind), loaded(address, kind)]);
    signal.throwIfAborted();
    present({ before, after, isClip: !isPicture });
  } catch (error) {
    if (signal.aborted) throw error;
    return { told, address, name, seen: false };
  }
  return { told, address, name, seen: true };
}

export function close() {
  if (asking) asking.abort();
  asking = null;
  if (!shown) return;
  for (const element of [shown.before, shown.after]) {
    if (shown.isClip) element.pause();
    URL.revokeObjectURL(element.src);
  }
  shown = null;
  clear();
}

export async function play(wanted) {
  if (!isClip()) return;
  const both = [shown.before, shown.after];
  if (wanted) await Promise.all(both.map((clip) => clip.play()));
  else both.forEach((clip) => clip.pause());
}

async function ask(file, signal) {
  let response;
  try {
    response = await fetch("/restore", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Name": file.name.replace(/[^\w.-]/g, "_") },
      body: file,
      signal,
    });
  } catch (error) {
    throw signal.aborted ? error : new Error("The server does not answer. Is streamdeblur still running?");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `The server answered ${response.status}.`);
}

function loaded(address, kind) {
  return new Promise((resolve, reject) => {
    const element = document.createElement(kind);
    element.addEventListener(kind === "video" ? "loadeddata" : "load", () => resolve(element), { once: true });
    element.addEventListener("error", () => reject(new Error("The browser cannot show this file.")), { once: true });
    if (kind === "video") Object.assign(element, { muted: true, loop: true, playsInline: true, preload: "auto" });
    element.src = address;
  });
}

function present(files) {
  shown = files;
  const { before, after, isClip } = files;
  const width = after.naturalWidth || after.videoWidth;
  const height = after.naturalHeight || after.videoHeight;
  const what = isClip ? "The clip" : "The picture";
  show(`${what}: as it came at the left of the line, restored at the right`, () => ({ width, height, before: [before, 0], after: [after, 0] }));
  if (isClip) after.addEventListener("timeupdate", () => keepInStep(before, after));
}

function keepInStep(before, after) {
  if (Math.abs(before.currentTime - after.currentTime) > 0.05) before.currentTime = Math.min(after.currentTime, before.duration);
}
