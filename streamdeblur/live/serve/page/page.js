// The page's controls, and what is said to the visitor.

import * as camera from "./camera.js";
import * as files from "./files.js";

const $ = (id) => document.getElementById(id);
const wantsStillness = matchMedia("(prefers-reduced-motion: reduce)").matches;
let paused = false;

function say(text, kind = "plain") {
  $("said").textContent = text;
  $("status").dataset.kind = kind;
}

function showButtons() {
  const on = camera.isOn();
  $("camera").textContent = on ? "Stop camera" : "Start camera";
  $("pause").hidden = !on && !files.isClip();
  if (on) $("pause").textContent = paused ? "Restore again" : "Pause restoring";
  else $("pause").textContent = files.isPlaying() ? "Pause the clip" : "Play the clip";
  $("live").hidden = !on && !$("download").hidden;
}

function forgetFile() {
  files.close();
  if ($("download").href) URL.revokeObjectURL($("download").href);
  $("download").removeAttribute("href");
  $("download").hidden = true;
}

function tellCamera() {
  camera.tell({ strength: $("strength").value / 100, paused });
}

function showFigures(told) {
  const { p50, p99 } = told.latency_ms;
  $("fps").textContent = told.fps.toFixed(0);
  $("latency").textContent = p50 === null ? "–" : p50.toFixed(0);
  $("latest").textContent = p99 === null ? "–" : p99.toFixed(0);
  $("restored").textContent = told.restored;
  $("dropped").textContent = told.dropped;
}

function clearFigures() {
  for (const id of ["fps", "latency", "latest", "restored", "dropped"]) $(id).textContent = "–";
}

async function startCamera() {
  forgetFile();
  paused = false;
  $("camera").disabled = true;
  say("Asking for the camera …");
  try {
    await camera.start({
      onOpen: tellCamera,
      onFigures: showFigures,
      onEnd: (message) => {
        clearFigures();
        showButtons();
        say(message, "wrong");
      },
    });
    say("Your camera is restored. Drag the line to compare.");
  } catch (error) {
    say(error.message, "wrong");
  }
  $("camera").disabled = false;
  showButtons();
}

function stopCamera() {
  camera.stop();
  clearFigures();
  showButtons();
  say("The camera is off.");
}

async function restoreFile(file) {
  if (camera.isOn()) stopCamera();
  forgetFile();
  say(`Restoring ${file.name} …`);
  $("progress").hidden = false;
  showButtons();
  try {
    const { told, address, name, seen } = await files.restore(file);
    Object.assign($("download"), { href: address, download: name, hidden: false });
    if (!wantsStillness) await files.play(true);
    say(seen ? `${told} Drag the line to compare.` : `${told} The browser cannot show this kind of file; download it to see it.`);
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error.message, "wrong");
  }
  $("progress").hidden = true;
  showButtons();
}

async function pause() {
  if (camera.isOn()) {
    paused = !paused;
    tellCamera();
  } else {
    await files.play(!files.isPlaying());
  }
  showButtons();
}

function takeDrops() {
  const stage = $("stage");
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      stage.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) restoreFile(event.dataTransfer.files[0]);
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
  tellCamera();
});
addEventListener("pagehide", () => camera.isOn() && camera.stop());
takeDrops();
showButtons();
