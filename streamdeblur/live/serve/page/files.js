// Pictures and clips: which ones can be restored, how they are sent, and how they are loaded for the view.

import { request, upload } from "./requests.js";

const input = document.getElementById("file");
const MAX_BYTES = Number(input.dataset.bytes);
const SUFFIXES = input.accept.split(",");
const CLIPS = [".mp4", ".mov", ".webm"];
// The result of a MOV clip is an MP4 clip.
const RESULT_SUFFIXES = {
  "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/avif": ".avif", "image/tiff": ".tif",
  "video/mp4": ".mp4", "video/webm": ".webm",
};
const PROGRESS_MILLISECONDS = 400;
// The share of the work after which the pace of the first frames, which are slower, says what is left.
const FORESEEABLE = 0.05;

export const isClip = (file) => CLIPS.some((suffix) => file.name.toLowerCase().endsWith(suffix));

// Throws an Error for a file that the server would refuse, or that the browser cannot read.
export async function check(file) {
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

// Returns the result: { blob, name, message, faces, firstSecond, frameSeconds }. onProgress is called with words and a share of
// 0 to 1, or null where it is unknown. Throws an Error whose message is for the user, or an AbortError.
export async function restore(file, { strength, start, end }, signal, onProgress) {
  const settings = new URLSearchParams({ strength });
  if (start > 0) settings.set("start", start);
  if (end !== null) settings.set("end", end);
  const job = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const name = file.name.slice(-100).replace(/[^\w.-]/g, "_");
  const headers = { "Content-Type": "application/octet-stream", "X-Name": name, "X-Job": job };
  let asking = 0;
  const onSent = (share) => {
    if (share < 1) onProgress(`Sending, ${Math.floor(100 * share)} %`, share);
    else asking ||= setInterval(() => askForProgress(job, signal, onProgress), PROGRESS_MILLISECONDS);
  };
  try {
    const { blob, header } = await upload(`/restore?${settings}`, { headers, body: file, signal, onSent });
    return {
      blob, name: resultName(file.name, blob.type), message: header("X-Message"), faces: Number(header("X-Faces")),
      firstSecond: Number(header("X-First-Second")), frameSeconds: Number(header("X-Frame-Seconds")),
    };
  } finally {
    clearInterval(asking);
  }
}

async function askForProgress(job, signal, onProgress) {
  const response = await request(`/progress/${job}`, { signal }).catch(() => null);
  const progress = response && (await response.json().catch(() => null));
  // an answer may arrive after the end of the work
  if (!progress || signal.aborted) return;
  const { share, seconds_left: left } = progress;
  if (share === null) onProgress("Waiting for other files", null);
  else if (!share) onProgress("Preparing …", null);
  else onProgress(`${Math.floor(100 * share)} %${share < FORESEEABLE ? "" : `, ${shownTime(left)} left`}`, share);
}

function shownTime(seconds) {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function resultName(name, type) {
  const dot = name.lastIndexOf(".");
  return `${dot > 0 ? name.slice(0, dot) : name}-sharp${RESULT_SUFFIXES[type] || ""}`;
}

// Returns an element that shows a picture or clip, or null if the browser cannot.
export function load(address, clip) {
  return new Promise((resolve) => {
    const element = document.createElement(clip ? "video" : "img");
    element.addEventListener(clip ? "loadeddata" : "load", () => resolve(element), { once: true });
    element.addEventListener("error", () => resolve(null), { once: true });
    if (clip) Object.assign(element, { muted: true, playsInline: true, preload: "auto" });
    element.src = address;
  });
}
