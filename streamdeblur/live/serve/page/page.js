// The controls and the status messages of the page.

import * as camera from "./camera.js";
import * as files from "./files.js";

const $ = (id) => document.getElementById(id);
const prefersReducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
let paused = false;

function showMessage(text, kind = "plain") {
  $("message").textContent = text;
  $("status").dataset.kind = kind;
}

function showButtons() {
  const on = camera.isOn();
  $("camera").textContent = on ? "Stop camera" : "Start camera";
  $("pause").hidden = !on && !files.isClip();
  if (on) $("pause").textContent = paused ? "Resume restoration" : "Pause restoration";
  else $("pause").textContent = files.isPlaying() ? "Pause the clip" : "Play the clip";
  $("live").hidden = !on && !$("download").hidden;
}

function clearFile() {
  files.close();
  if ($("download").href) URL.revokeObjectURL($("download").href);
  $("download").removeAttribute("href");
  $("download").hidden = true;
}

function sendControls() {
  camera.sendControls({ strength: $("strength").value / 100, paused });
}

function showStatistics(statistics) {
  const { p50, p99 } = statistics.latency_ms;
  $("fps").textContent = statistics.fps.toFixed(0);
  $("latency").textContent = p50 === null ? "–" : p50.toFixed(0);
  $("latency-p99").textContent = p99 === null ? "–" : p99.toFixed(0);
  $("restored").textContent = statistics.restored;
  $("dropped").textContent = statistics.dropped;
  showUnrestored(statistics.unrestored);
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
  clearFile();
  paused = false;
  $("camera").disabled = true;
  showMessage("Requesting camera access …");
  try {
    await camera.start({
      onOpen: sendControls,
      onStatistics: showStatistics,
      onEnd: (message) => {
        clearStatistics();
        showButtons();
        showMessage(message, "error");
      },
    });
    showMessage("Restoring your camera. Drag the line to compare.");
  } catch (error) {
    showMessage(error.message, "error");
  }
  $("camera").disabled = false;
  showButtons();
}

function stopCamera() {
  camera.stop();
  clearStatistics();
  showButtons();
  showMessage("The camera is off.");
}

async function restoreFile(file) {
  if (camera.isOn()) stopCamera();
  clearFile();
  showMessage(`Restoring ${file.name} …`);
  $("progress").hidden = false;
  showButtons();
  try {
    const { message, address, name, displayable } = await files.restore(file);
    Object.assign($("download"), { href: address, download: name, hidden: false });
    if (!prefersReducedMotion) await files.play(true);
    const advice = displayable ? "Drag the line to compare." : "The browser cannot show this file type; download the result to view it.";
    showMessage(`${message} ${advice}`);
  } catch (error) {
    if (error.name === "AbortError") return;
    showMessage(error.message, "error");
  }
  $("progress").hidden = true;
  showButtons();
}

async function pause() {
  if (camera.isOn()) {
    paused = !paused;
    sendControls();
  } else {
    await files.play(!files.isPlaying());
  }
  showButtons();
}

function acceptDrops() {
  const comparison = $("comparison");
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      comparison.classList.toggle("over", name === "dragover");
      const dropped = event.dataTransfer ? event.dataTransfer.files : [];
      if (name === "drop" && dropped.length) restoreFile(dropped[0]);
    });
  }
}

$("camera").addEventListener("click", () => (camera.isOn() ? stopCamera() : startCamera()));
$("pause").addEventListener("click", pause);
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files.length) restoreFile($("file").files[0]);
  $("file").value = "";
});
$("strength").addEventListener("input", () => {
  $("strength-value").textContent = `${$("strength").value} %`;
  sendControls();
});
addEventListener("pagehide", () => camera.isOn() && camera.stop());
acceptDrops();
showButtons();
