// Pictures and short clips: uploaded, restored by the server, shown, and offered for download.

import { clear, show } from "./comparison.js";
import { content, post } from "./requests.js";

const input = document.getElementById("file");
const MAX_BYTES = Number(input.dataset.bytes);
const SUFFIXES = input.accept.split(",");
// The result of a MOV clip is an MP4 clip.
const RESULT_SUFFIXES = { "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "video/mp4": ".mp4", "video/webm": ".webm" };

// { before, after, isClip } of the current file, or null
let current = null;
let request = null;

export const isClip = () => Boolean(current && current.isClip);
export const isPlaying = () => isClip() && !current.after.paused;

// Returns { message, address, name, displayable }; displayable: whether the browser can show the result. Throws an Error whose
// message is for the user, or an AbortError if `close` was called meanwhile.
export async function restore(file) {
  close();
  request = new AbortController();
  const { signal } = request;
  await check(file);
  const { result, message } = await upload(file, signal);
  const address = URL.createObjectURL(result);
  const displayable = await showFiles(file, address, result.type.startsWith("image/") ? "img" : "video", signal);
  if (signal.aborted) URL.revokeObjectURL(address);
  signal.throwIfAborted();
  return { message, address, name: resultName(file.name, result.type), displayable };
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

// A browser may refuse to play a clip; its first frame is shown then.
export async function play(playing) {
  if (!isClip()) return;
  const both = [current.before, current.after];
  if (playing) await Promise.allSettled(both.map((clip) => clip.play()));
  else both.forEach((clip) => clip.pause());
}

// Throws an Error for a file that the server would refuse, or that the browser cannot read.
async function check(file) {
  const name = file.name.toLowerCase();
  if (!SUFFIXES.some((suffix) => name.endsWith(suffix))) throw new Error(`Unsupported file type. Supported: ${SUFFIXES.join(", ")}.`);
  if (file.size > MAX_BYTES) throw new Error(`The file is larger than ${Math.floor(MAX_BYTES / 2 ** 20)} MB.`);
  if (file.size === 0) throw new Error("The file is empty.");
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Error("The file cannot be read: it is a folder, or it was moved or changed.");
  }
}

async function upload(file, signal) {
  signal.throwIfAborted();
  const name = file.name.slice(-100).replace(/[^\w.-]/g, "_");
  const headers = { "Content-Type": "application/octet-stream", "X-Name": name };
  const response = await post("/restore", { headers, body: file, signal });
  const result = await content(() => response.blob(), signal);
  return { result, message: response.headers.get("X-Message") || "Done." };
}

function resultName(name, type) {
  const dot = name.lastIndexOf(".");
  return `${dot > 0 ? name.slice(0, dot) : name}-sharp${RESULT_SUFFIXES[type] || ""}`;
}

// Returns whether the browser can show both the file and the result.
async function showFiles(file, address, kind, signal) {
  const original = URL.createObjectURL(file);
  try {
    const [before, after] = await Promise.all([load(original, kind), load(address, kind)]);
    signal.throwIfAborted();
    current = { before, after, isClip: kind === "video" };
  } catch {
    URL.revokeObjectURL(original);
    return false;
  }
  compare(current);
  return true;
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

function compare({ before, after, isClip }) {
  const width = after.naturalWidth || after.videoWidth;
  const height = after.naturalHeight || after.videoHeight;
  const kind = isClip ? "Clip" : "Picture";
  show(`${kind}: original at the left of the line, restored at the right`, () => ({ width, height, before: [before, 0], after: [after, 0] }));
  if (isClip) after.addEventListener("timeupdate", () => synchronise(before, after));
}

function synchronise(before, after) {
  const time = Math.min(after.currentTime, before.duration);
  // The duration is not a number while a clip is being replaced.
  if (Number.isFinite(time) && Math.abs(before.currentTime - after.currentTime) > 0.05) before.currentTime = time;
}
