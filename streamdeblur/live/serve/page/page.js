"use strict";

const $ = (id) => document.getElementById(id);
const canvas = $("picture");
const context = canvas.getContext("2d");
const incoming = $("incoming");

let connection = null;
let channel = null;
let local = null;
let paused = false;
// what is shown: draws the left part of the stage from `before` and the right part from `after`
let shown = null;

function say(text) {
  $("status").textContent = text;
}

function drawParts(width, height, before, after) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const line = Math.round((width * $("split").value) / 100);
  if (line > 0) before(line);
  if (line < width) after(line);
  context.fillStyle = "#fff";
  context.fillRect(line - 1, 0, 2, height);
}

// A camera frame holds both, beside each other.
function drawCamera() {
  const width = incoming.videoWidth / 2;
  const height = incoming.videoHeight;
  if (!width) return;
  drawParts(
    width,
    height,
    (line) => context.drawImage(incoming, 0, 0, line, height, 0, 0, line, height),
    (line) => context.drawImage(incoming, width + line, 0, width - line, height, line, 0, width - line, height),
  );
}

function drawFiles() {
  const { before, after } = shown;
  const width = after.naturalWidth || after.videoWidth;
  const height = after.naturalHeight || after.videoHeight;
  if (!width) return;
  drawParts(
    width,
    height,
    (line) => context.drawImage(before, 0, 0, line, height, 0, 0, line, height),
    (line) => context.drawImage(after, line, 0, width - line, height, line, 0, width - line, height),
  );
}

function draw() {
  if (connection) drawCamera();
  else if (shown) drawFiles();
  requestAnimationFrame(draw);
}

function tellControls() {
  const strength = $("strength").value / 100;
  $("strength-value").textContent = `${$("strength").value} %`;
  if (channel && channel.readyState === "open") channel.send(JSON.stringify({ strength, paused }));
}

function showFigures(told) {
  const latency = told.latency_ms;
  $("figures").hidden = false;
  $("fps").textContent = told.fps.toFixed(0);
  $("latency").textContent = latency.p50 === null ? "-" : `${latency.p50} / ${latency.p99}`;
  $("restored").textContent = told.restored;
  $("dropped").textContent = told.dropped;
}

async function gathered(peer) {
  if (peer.iceGatheringState === "complete") return;
  await new Promise((resolve) => {
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
  });
}

async function problemOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

async function startCamera() {
  if (!navigator.mediaDevices) {
    say("The browser gives the camera to secure pages only: open this page on the machine itself, or serve it with --certificate.");
    return;
  }
  stopFiles();
  say("Asking for the camera …");
  try {
    local = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } } });
  } catch (error) {
    say(`No camera: ${error.message}`);
    return;
  }
  say("Connecting …");
  const peer = new RTCPeerConnection({ iceServers: [] });
  connection = peer;
  channel = peer.createDataChannel("controls");
  channel.addEventListener("open", tellControls);
  channel.addEventListener("message", (event) => showFigures(JSON.parse(event.data)));
  peer.addEventListener("track", (event) => {
    incoming.srcObject = new MediaStream([event.track]);
    incoming.play();
    $("hint").hidden = true;
    say("Restoring your camera. Drag the line to compare.");
  });
  peer.addEventListener("connectionstatechange", () => {
    if (peer.connectionState === "failed" && connection === peer) {
      stopCamera();
      say("The connection was lost. Start the camera again.");
    }
  });
  local.getVideoTracks().forEach((track) => peer.addTrack(track, local));
  try {
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const { sdp, type } = peer.localDescription;
    const response = await fetch("/offer", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sdp, type }),
    });
    if (!response.ok) throw new Error(await problemOf(response));
    await peer.setRemoteDescription(await response.json());
  } catch (error) {
    stopCamera();
    say(error.message);
    return;
  }
  $("camera").textContent = "Stop camera";
  $("pause").disabled = false;
}

function stopCamera() {
  if (local) local.getTracks().forEach((track) => track.stop());
  if (connection) connection.close();
  connection = channel = local = null;
  incoming.srcObject = null;
  $("camera").textContent = "Start camera";
  $("pause").disabled = true;
  $("figures").hidden = true;
  say("The camera is off.");
}

function stopFiles() {
  if (!shown) return;
  for (const element of [shown.before, shown.after]) {
    if (element.pause) element.pause();
    URL.revokeObjectURL(element.src);
  }
  shown = null;
  $("download").hidden = true;
}

function loaded(address, isVideo) {
  return new Promise((resolve, reject) => {
    const element = document.createElement(isVideo ? "video" : "img");
    element.addEventListener(isVideo ? "loadeddata" : "load", () => resolve(element), { once: true });
    element.addEventListener("error", () => reject(new Error("The browser cannot show this file.")), { once: true });
    if (isVideo) Object.assign(element, { muted: true, loop: true, playsInline: true, preload: "auto" });
    element.src = address;
  });
}

async function restoreFile(file) {
  if (connection) stopCamera();
  stopFiles();
  say(`Restoring ${file.name} …`);
  try {
    const response = await fetch("/restore", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Name": file.name.replace(/[^\w.-]/g, "_") },
      body: file,
    });
    if (!response.ok) throw new Error(await problemOf(response));
    const told = response.headers.get("X-Told");
    const result = await response.blob();
    const link = $("download");
    link.href = URL.createObjectURL(result);
    link.download = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))[1];
    link.hidden = false;
    const isVideo = result.type.startsWith("video/");
    const [before, after] = await Promise.all([loaded(URL.createObjectURL(file), isVideo), loaded(link.href, isVideo)]);
    shown = { before, after };
    if (isVideo) {
      await Promise.all([before.play(), after.play()]);
      setInterval(() => shown && Math.abs(before.currentTime - after.currentTime) > 0.05 && (before.currentTime = after.currentTime), 500);
    }
    $("hint").hidden = true;
    say(`${told} Drag the line to compare.`);
  } catch (error) {
    say(error.message);
  }
}

function moveLine(event) {
  const box = canvas.getBoundingClientRect();
  $("split").value = Math.round((100 * (event.clientX - box.left)) / box.width);
}

$("camera").addEventListener("click", () => (connection ? stopCamera() : startCamera()));
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Restore again" : "Pause restoring";
  tellControls();
});
$("strength").addEventListener("input", tellControls);
$("file").addEventListener("change", () => $("file").files.length && restoreFile($("file").files[0]));

const stage = $("stage");
stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  moveLine(event);
});
stage.addEventListener("pointermove", (event) => event.buttons && moveLine(event));
for (const name of ["dragover", "dragleave", "drop"]) {
  stage.addEventListener(name, (event) => {
    event.preventDefault();
    stage.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) restoreFile(event.dataTransfer.files[0]);
  });
}
requestAnimationFrame(draw);
