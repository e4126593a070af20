// The visitor's camera: to the server over WebRTC, and back with both pictures beside each other.

import { clear, show } from "./stage.js";

const SIZE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } };
const START_BITRATE = "x-google-start-bitrate=4000;x-google-max-bitrate=8000";
const incoming = document.getElementById("incoming");

let peer = null;
let channel = null;
let camera = null;

export const isOn = () => camera !== null;

// { strength: 0 to 1, paused: true or false }
export function tell(wanted) {
  if (channel && channel.readyState === "open") channel.send(JSON.stringify(wanted));
}

// Throws an Error whose message is for the visitor. onEnd is called with a message when the connection is lost.
export async function start({ onOpen, onFigures, onEnd }) {
  camera = await opened();
  const own = new RTCPeerConnection({ iceServers: [] });
  peer = own;
  channel = own.createDataChannel("controls");
  channel.addEventListener("open", onOpen);
  channel.addEventListener("message", (event) => onFigures(JSON.parse(event.data)));
  const lost = (message) => {
    if (peer !== own) return;
    stop();
    onEnd(message);
  };
  own.addEventListener("connectionstatechange", () => {
    if (["failed", "closed"].includes(own.connectionState)) lost("The connection was lost. Start the camera again.");
  });
  own.addEventListener("track", (event) => play(event));
  const [track] = camera.getVideoTracks();
  track.addEventListener("ended", () => lost("The camera was unplugged, or is used by another program."));
  const sender = own.addTrack(track, camera);
  try {
    await connect(own);
    await keepSize(sender);
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

async function opened() {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers give cameras to secure pages only: open this page on the computer itself, or over https.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ video: SIZE });
  } catch (error) {
    const reasons = {
      NotAllowedError: "The camera is not allowed. Allow it in the browser's settings for this page.",
      NotFoundError: "There is no camera.",
      NotReadableError: "The camera is used by another program.",
    };
    throw new Error(reasons[error.name] || `The camera cannot be opened: ${error.message}`);
  }
}

function play(event) {
  // the newest frame, not a smooth one that waited
  if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0;
  incoming.srcObject = new MediaStream([event.track]);
  incoming.play().catch(() => {});
  show("Your camera: as it came at the left of the line, restored at the right", () => {
    const width = Math.floor(incoming.videoWidth / 2);
    return width ? { width, height: incoming.videoHeight, before: [incoming, 0], after: [incoming, width] } : null;
  });
}

async function connect(own) {
  await own.setLocalDescription(await own.createOffer());
  await gathered(own);
  const { sdp, type } = own.localDescription;
  const response = await fetch("/offer", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sdp, type }),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `The server answered ${response.status}.`);
  // Chromium begins with 0.3 Mbit/s, which blurs more than any camera
  answer.sdp = answer.sdp.replace(/(a=rtpmap:(\d+) VP8\/90000\r\n)/g, `$1a=fmtp:$2 ${START_BITRATE}\r\n`);
  if (peer === own) await own.setRemoteDescription(answer);
}

function gathered(own) {
  if (own.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    own.addEventListener("icegatheringstatechange", () => own.iceGatheringState === "complete" && resolve());
  });
}

async function keepSize(sender) {
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  await sender.setParameters(parameters).catch(() => {});
}
