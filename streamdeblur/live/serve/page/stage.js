// The stage: the picture as it came at the left of a line, restored at the right of it.

const stage = document.getElementById("stage");
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const split = document.getElementById("split");

// Gives what is shown now, or null: { width, height, before: [picture, x], after: [picture, x] }; x is where it begins in its picture.
let view = null;

export function show(description, given) {
  view = given;
  canvas.setAttribute("aria-label", description);
  delete stage.dataset.empty;
  split.disabled = false;
}

export function clear() {
  view = null;
  canvas.setAttribute("aria-label", "Nothing is shown yet");
  stage.dataset.empty = "";
  split.disabled = true;
}

function moveLine(percent) {
  split.value = percent;
  stage.style.setProperty("--split", `${split.value}%`);
  split.setAttribute("aria-valuetext", `${split.value} % before, ${100 - split.value} % after`);
}

function fit(width, height) {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
  stage.style.setProperty("--aspect", width / height);
}

function draw() {
  requestAnimationFrame(draw);
  const shown = view && view();
  if (!shown) return;
  const { width, height, before, after } = shown;
  fit(width, height);
  const line = Math.round((width * split.value) / 100);
  const part = ([picture, x], from, to) =>
    to > from && context.drawImage(picture, x + from, 0, to - from, height, from, 0, to - from, height);
  part(before, 0, line);
  part(after, line, width);
}

function follow(event) {
  const box = stage.getBoundingClientRect();
  moveLine(Math.round((100 * (event.clientX - box.left)) / box.width));
}

stage.addEventListener("pointerdown", (event) => {
  if (!view) return;
  stage.setPointerCapture(event.pointerId);
  split.focus({ focusVisible: false });
  event.preventDefault();
  follow(event);
});
stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
split.addEventListener("input", () => moveLine(split.value));
moveLine(50);
requestAnimationFrame(draw);
