// The comparison view: the original at the left of a line, the restored picture at the right of it.

const comparison = document.getElementById("comparison");
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const split = document.getElementById("split");

// Returns what to draw, or null: { width, height, before: [picture, x], after: [picture, x] }, where x is the left edge of the
// part of that picture to draw.
let view = null;

export function show(description, newView) {
  view = newView;
  canvas.setAttribute("aria-label", description);
  delete comparison.dataset.empty;
  split.disabled = false;
}

export function clear() {
  view = null;
  canvas.setAttribute("aria-label", "No picture");
  comparison.dataset.empty = "";
  split.disabled = true;
}

function moveLine(percent) {
  split.value = percent;
  comparison.style.setProperty("--split", `${split.value}%`);
  split.setAttribute("aria-valuetext", `${split.value} % before, ${100 - split.value} % after`);
}

function resize(width, height) {
  if (canvas.width === width && canvas.height === height) return;
  canvas.width = width;
  canvas.height = height;
  comparison.style.setProperty("--aspect", width / height);
}

function draw() {
  requestAnimationFrame(draw);
  const current = view && view();
  if (!current) return;
  const { width, height, before, after } = current;
  resize(width, height);
  const line = Math.round((width * split.value) / 100);
  const drawPart = ([picture, x], from, to) =>
    to > from && context.drawImage(picture, x + from, 0, to - from, height, from, 0, to - from, height);
  drawPart(before, 0, line);
  drawPart(after, line, width);
}

function moveLineTo(event) {
  const box = comparison.getBoundingClientRect();
  moveLine(Math.round((100 * (event.clientX - box.left)) / box.width));
}

comparison.addEventListener("pointerdown", (event) => {
  if (!view) return;
  comparison.setPointerCapture(event.pointerId);
  split.focus({ focusVisible: false });
  event.preventDefault();
  moveLineTo(event);
});
comparison.addEventListener("pointermove", (event) => comparison.hasPointerCapture(event.pointerId) && moveLineTo(event));
split.addEventListener("input", () => moveLine(split.value));
moveLine(50);
requestAnimationFrame(draw);
