// The camera: sent to the server over WebRTC, and received with the original and the restored picture side by side.

import { clear, show } from "./comparison.js";
import { content, request } from "./requests.js";

const SIZE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } };
const START_BITRATE = "x-google-start-bitrate=4000;x-google-max-bitrate=8000";
const GATHERING_MILLISECONDS = 5000;
const incoming = document.getElementById("incoming");

let peer = null;
let channel = null;
let camera = null;

export const isOn = () => camera !== null;

// controls: { strength: 0 to 1, paused: true or false }
export function sendControls(controls) {
  if (channel && channel.readyState === "open") channel.send(JSON.stringify(controls));
}

// Throws an Error whose message is for the user. onEnd is called with a message when the connection is lost.
export async function start({ onOpen, onStatistics, onEnd }) {
  camera = await openCamera();
  const own = new RTCPeerConnection({ iceServers: [] });
  peer = own;
  channel = own.createDataChannel("controls");
  channel.addEventListener("open", onOpen);
  channel.addEventListener("message", (event) => onStatistics(JSON.parse(event.data)));
  const end = (message) => {
    if (peer !== own) return;
    stop();
    onEnd(message);
  };
  own.addEventListener("connectionstatechange", () => {
    if (["failed", "closed"].includes(own.connectionState)) end("The connection was lost. Start the camera again.");
  });
  own.addEventListener("track", (event) => play(event));
  const [track] = camera.getVideoTracks();
  track.addEventListener("ended", () => end("The camera was disconnected or is used by another program."));
  const sender = own.addTrack(track, camera);
  try {
    await connect(own);
    await keepResolution(sender);
  } catch (error) {
    if (peer === own) stop();
    throw error;
  }
}

export function stop() {
  if (camera) camera.getTracks().forEach((track) => track.stop());
  const old = peer;
  peer = channel = camera = null;
  if (old) old.close();
  incoming.srcObject = null;
  clear();
}

async function openCamera() {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers allow cameras on secure pages only. Open this page on the computer that runs streamdeblur, or over https.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: SIZE });
  } catch (error) {
    const reasons = {
      NotAllowedError: "Camera access was denied. Allow it in the browser's settings for this page.",
      NotFoundError: "No camera was found.",
      NotReadableError: "The camera is used by another program.",
    };
    throw new Error(reasons[error.name] || `The camera cannot be opened: ${error.message}`);
  }
}

function play(event) {
  // Show the latest frame immediately instead of buffering for smooth playback.
  if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0;
  incoming.srcObject = new MediaStream([event.track]);
  // There is no frame to show until the server's engine has started, which takes some seconds.
  incoming.addEventListener("loadeddata", showIncoming, { once: true });
  incoming.play().catch(() => {});
}

function showIncoming() {
  show("Your camera: original at the left of the line, restored at the right", () => {
    const width = Math.floor(incoming.videoWidth / 2);
    return width ? { width, height: incoming.videoHeight, before: [incoming, 0], after: [incoming, width] } : null;
  });
}

async function connect(own) {
  await own.setLocalDescription(await own.createOffer());
  await candidatesGathered(own);
  const { sdp, type } = own.localDescription;
  const headers = { "Content-Type": "application/json" };
  const response = await request("/offer", { method: "POST", headers, body: JSON.stringify({ sdp, type }) });
  const answer = await content(() => response.json());
  // Chromium starts at 0.3 Mbit/s, which blurs more than any camera.
  answer.sdp = answer.sdp.replace(/(a=rtpmap:(\d+) VP8\/90000\r\n)/g, `$1a=fmtp:$2 ${START_BITRATE}\r\n`);
  if (peer === own) await own.setRemoteDescription(answer);
}

function candidatesGathered(own) {
  if (own.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    own.addEventListener("icegatheringstatechange", () => own.iceGatheringState === "complete" && resolve());
    // The addresses of this machine are found at once; an interface that does not answer is not waited for.
    setTimeout(resolve, GATHERING_MILLISECONDS);
  });
}

async function keepResolution(sender) {
  try {
    await sender.setParameters({ ...sender.getParameters(), degradationPreference: "maintain-resolution" });
  } catch {
    // Browsers without this setting send smaller frames if they are short of time.
  }
}
