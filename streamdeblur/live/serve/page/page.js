// The controls and the status messages of the page.

import * as camera from "./camera.js";
import { ClipPlayer } from "./clip.js";
import * as comparison from "./comparison.js";
import { load } from "./files.js";
import { Queue } from "./queue.js";
import { request } from "./requests.js";

// Without a face for so long, the line between equal pictures disappears from the camera's.
const FACELESS_MILLISECONDS = 2000;
const ZOOM_STEP = 1.5;

const $ = (id) => document.getElementById(id);
const prefersReducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
let paused = false;
let player = null;
// how many faces the camera has shown, and when the last one was
let faces = { count: 0, at: 0 };
// counts what was shown, so that what is loaded late is not shown after something newer
let showing = 0;

const strength = () => $("strength").value / 100;
const queue = new Queue({ strength, onChange: entryChanged, onSelect: showEntry });

function showMessage(text, kind = "plain") {
  $("message").textContent = text;
  $("status").dataset.kind = kind;
}

function showControls() {
  const on = camera.isOn();
  const entry = queue.selected;
  $("camera").textContent = on ? "Stop camera" : "Start camera";
  $("pause").hidden = !on;
  $("pause").textContent = paused ? "Resume restoration" : "Pause restoration";
  $("statistics").hidden = !on;
  $("tools").hidden = "empty" in $("comparison").dataset;
  $("player").hidden = $("time").hidden = !player;
  $("part").hidden = !entry || !entry.isClip || entry.state === "refused";
  $("start-here").hidden = $("end-here").hidden = !player;
  $("again").hidden = !entry || entry.state !== "done" || !entry.differs(strength());
}

function sendControls() {
  camera.sendControls({ strength: strength(), paused });
}

function showStatistics(statistics) {
  const { p50, p99 } = statistics.latency_ms;
  $("fps").textContent = statistics.fps.toFixed(0);
  $("latency").textContent = p50 === null ? "–" : p50.toFixed(0);
  $("latency-p99").textContent = p99 === null ? "–" : p99.toFixed(0);
  $("restored").textContent = statistics.restored;
  $("dropped").textContent = statistics.dropped;
  showUnrestored(statistics.unrestored);
  const count = statistics.restored + statistics.passed_through + statistics.sharp;
  if (count > faces.count) faces = { count, at: performance.now() };
  comparison.showLine(count > 0 && performance.now() - faces.at < FACELESS_MILLISECONDS);
  showControls();
}

// share: of the blurred faces, or null unless many of them stay blurred
function showUnrestored(share) {
  $("unrestored").hidden = share === null;
  if (share === null) return;
  const text = `${Math.round(100 * share)} % of the blurred faces pass unrestored: the computer that runs streamdeblur is too slow for them.`;
  if ($("unrestored").textContent !== text) $("unrestored").textContent = text;
}

function clearStatistics() {
  for (const id of ["fps", "latency", "latency-p99", "restored", "dropped"]) $(id).textContent = "–";
  showUnrestored(null);
}

async function startCamera() {
  queue.select(null);
  close("Waiting for the first picture of the camera …");
  paused = false;
  faces = { count: 0, at: 0 };
  $("camera").disabled = true;
  showMessage("Requesting camera access …");
  try {
    await camera.start({
      onOpen: sendControls,
      onStatistics: showStatistics,
      onEnd: (message) => {
        clearStatistics();
        showControls();
        showMessage(message, "error");
      },
    });
    showMessage("Restoring your camera. The line appears when a face is found.");
  } catch (error) {
    if (!queue.selected) close();
    showMessage(error.message, "error");
  }
  $("camera").disabled = false;
  showControls();
}

function stopCamera() {
  camera.stop();
  clearStatistics();
  showControls();
  showMessage("The camera is off.");
}

function entryChanged(entry) {
  if (entry.announced !== entry.state) {
    entry.announced = entry.state;
    announce(entry);
    if (entry.state === "done" && entry === queue.selected) showEntry(entry);
  }
  showControls();
}

function announce({ state, words, file }) {
  if (state === "working") showMessage(`Restoring ${file.name} …`);
  if (state === "done" || state === "cancelled") showMessage(`${file.name}: ${words}`);
  if (state === "failed" || state === "refused") showMessage(`${file.name}: ${words}`, "error");
}

// Shows the original of a file, and its result beside it when there is one. null: nothing.
async function showEntry(entry) {
  const own = ++showing;
  if (entry && camera.isOn()) stopCamera();
  if (!entry) return close();
  $("start").value = entry.start || "";
  $("end").value = entry.end ?? "";
  showControls();
  const { result, restored, isClip } = entry;
  const [before, after] = await Promise.all([load(entry.original, isClip), restored && load(restored, isClip)]);
  if (own !== showing) return;
  const advice = restored ? " Its result can be downloaded." : "";
  close(entry.state === "refused" ? entry.words : `The browser cannot show this file.${advice}`);
  if (before && after) {
    show(isClip, before, after, "original at the left of the line, restored at the right", result);
    comparison.showLine(result.faces > 0);
  } else if (before || after) {
    show(isClip, before || after, null, before ? "original" : "restored");
  }
  showControls();
}

function show(isClip, before, after, words, timing) {
  if (isClip) openClip(before, after, `Clip: ${words}`, timing);
  else openPicture(before, after, `Picture: ${words}`);
}

function close(words) {
  if (player) player.close();
  player = null;
  comparison.clear(words);
  showControls();
}

function openPicture(before, after, description) {
  const { naturalWidth: width, naturalHeight: height } = after || before;
  comparison.show(description, () => ({ width, height, before: [before, 0], after: after && [after, 0] }));
}

function openClip(before, after, description, timing) {
  const own = (player = new ClipPlayer(before, after, timing));
  comparison.show(description, () => own.picture());
  for (const event of ["play", "pause"]) own.video.addEventListener(event, showPlaying);
  for (const event of ["timeupdate", "seeked", "durationchange"]) own.video.addEventListener(event, () => player === own && showTime());
  showPlaying();
  showTime();
  if (after && !prefersReducedMotion) own.play();
}

function showPlaying() {
  $("play").textContent = player && player.playing ? "Pause" : "Play";
}

function showTime() {
  const { currentTime } = player.video;
  $("seek").max = player.duration;
  $("seek").value = currentTime;
  $("seek").setAttribute("aria-valuetext", `${currentTime.toFixed(2)} of ${player.duration.toFixed(2)} seconds`);
  $("time").textContent = `${currentTime.toFixed(2)} / ${player.duration.toFixed(2)} s`;
}

// Takes the part of the clip that is to be restored from the page.
function setPart() {
  const [start, end] = ["start", "end"].map((id) => $(id).valueAsNumber);
  queue.selected.start = Math.max(0, start || 0);
  queue.selected.end = end > 0 ? end : null;
  showControls();
}

function setHere(id, seconds) {
  $(id).value = Math.max(0, seconds).toFixed(3);
  setPart();
}

function pause() {
  paused = !paused;
  sendControls();
  showControls();
}

function acceptDrops() {
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      $("comparison").classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer) queue.add([...event.dataTransfer.files]);
    });
  }
}

$("camera").addEventListener("click", () => (camera.isOn() ? stopCamera() : startCamera()));
$("pause").addEventListener("click", pause);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  queue.add([...$("file").files]);
  $("file").value = "";
});
$("strength").addEventListener("input", () => {
  $("strength-value").textContent = `${$("strength").value} %`;
  sendControls();
  showControls();
});
$("start").addEventListener("input", setPart);
$("end").addEventListener("input", setPart);
// a little before the frame, whose time stamp is rounded
$("start-here").addEventListener("click", () => setHere("start", player.sourceTime - 0.001));
$("end-here").addEventListener("click", () => setHere("end", player.sourceTime + player.frameSeconds / 2));
$("again").addEventListener("click", () => queue.again(queue.selected));
$("play").addEventListener("click", () => {
  if (player.playing) player.pause();
  else player.play();
  showPlaying();
});
$("back").addEventListener("click", () => player.step(-1));
$("forward").addEventListener("click", () => player.step(1));
$("seek").addEventListener("input", () => player.seek(Number($("seek").value)));
$("zoom-in").addEventListener("click", () => comparison.zoomBy(ZOOM_STEP));
$("zoom-out").addEventListener("click", () => comparison.zoomBy(1 / ZOOM_STEP));
addEventListener("pagehide", () => camera.isOn() && camera.stop());
acceptDrops();
showControls();
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/service-worker.js").catch(() => {});
// where the page itself comes from the service worker, the server may have ended
request("/", { method: "HEAD" }).catch((error) => showMessage(error.message, "error"));
