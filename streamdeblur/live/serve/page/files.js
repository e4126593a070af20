// Pictures and short clips: uploaded, restored by the server, shown, and offered for download.

import { clear, show } from "./comparison.js";

const MAX_BYTES = Number(document.getElementById("file").dataset.bytes);

// { before, after, isClip } of the current file, or null
let current = null;
let request = null;

export const isClip = () => Boolean(current && current.isClip);
export const isPlaying = () => isClip() && !current.after.paused;

// Returns { message, address, name, displayable }; displayable: whether the browser can show the result. Throws an Error whose
// message is for the user, or an AbortError if `close` was called meanwhile.
export async function restore(file) {
  close();
  if (file.size > MAX_BYTES) throw new Error(`The file is larger than ${Math.floor(MAX_BYTES / 2 ** 20)} MB.`);
  request = new AbortController();
  const { signal } = request;
  const response = await upload(file, signal);
  const result = await response.blob();
  const isPicture = result.type.startsWith("image/");
  const address = URL.createObjectURL(result);
  const name = file.name.replace(/(\.[^.]*)?$/, `-sharp.${/[a-z]+$/.exec(result.type)[0].replace("jpeg", "jpg")}`);
  const message = response.headers.get("X-Message");
  try {
    const kind = isPicture ? "img" : "video";
    const [before, after] = await Promise.all([load(URL.createObjectURL(file), kind), load(address, kind)]);
    signal.throwIfAborted();
    showFiles({ before, after, isClip: !isPicture });
  } catch (error) {
    if (signal.aborted) throw error;
    return { message, address, name, displayable: false };
  }
  return { message, address, name, displayable: true };
}

export function close() {
  if (request) request.abort();
  request = null;
  if (!current) return;
  for (const element of [current.before, current.after]) {
    if (current.isClip) element.pause();
    URL.revokeObjectURL(element.src);
  }
  current = null;
  clear();
}

export async function play(playing) {
  if (!isClip()) return;
  const both = [current.before, current.after];
  if (playing) await Promise.all(both.map((clip) => clip.play()));
  else both.forEach((clip) => clip.pause());
}

async function upload(file, signal) {
  let response;
  try {
    response = await fetch("/restore", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Name": file.name.replace(/[^\w.-]/g, "_") },
      body: file,
      signal,
    });
  } catch (error) {
    throw signal.aborted ? error : new Error("The server does not respond. Is streamdeblur still running?");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error || `The server responded with status ${response.status}.`);
}

function load(address, kind) {
  return new Promise((resolve, reject) => {
    const element = document.createElement(kind);
    element.addEventListener(kind === "video" ? "loadeddata" : "load", () => resolve(element), { once: true });
    element.addEventListener("error", () => reject(new Error("The browser cannot show this file.")), { once: true });
    if (kind === "video") Object.assign(element, { muted: true, loop: true, playsInline: true, preload: "auto" });
    element.src = address;
  });
}

function showFiles(files) {
  current = files;
  const { before, after, isClip } = files;
  const width = after.naturalWidth || after.videoWidth;
  const height = after.naturalHeight || after.videoHeight;
  const kind = isClip ? "Clip" : "Picture";
  show(`${kind}: original at the left of the line, restored at the right`, () => ({ width, height, before: [before, 0], after: [after, 0] }));
  if (isClip) after.addEventListener("timeupdate", () => synchronise(before, after));
}

function synchronise(before, after) {
  if (Math.abs(before.currentTime - after.currentTime) > 0.05) before.currentTime = Math.min(after.currentTime, before.duration);
}
