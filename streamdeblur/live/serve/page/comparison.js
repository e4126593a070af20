// The comparison view: the original at the left of a line, the restored picture at the right of it. It can be enlarged.

const MAX_SIDE = 2560;
const MAX_ZOOM = 8;
// pixels of the screen around the line from which a drag moves it where the picture is enlarged; elsewhere it moves the picture
const REACH = 28;

const comparison = document.getElementById("comparison");
const canvas = document.getElementById("picture");
const context = canvas.getContext("2d");
const split = document.getElementById("split");
const zoomValue = document.getElementById("zoom-value");

// Returns what to draw, or null: { width, height, before: [picture, x], after: [picture, x] }, where x is the left edge of the
// part of that picture to draw. Without `after`, there is only the original.
let view = null;
let zoom = 1;
// the middle of what is shown, as shares of the picture
let middle = { x: 0.5, y: 0.5 };
// the fingers, or the pointer, that hold the view: their places by id
const held = new Map();
let dragsLine = false;
// where the line was before it was dragged
let lineBefore = 50;

export function show(description, newView) {
  view = newView;
  canvas.setAttribute("aria-label", description);
  delete comparison.dataset.empty;
  setZoom(1);
}

export function clear(words) {
  view = null;
  showLine(false);
  setZoom(1);
  canvas.setAttribute("aria-label", "No picture");
  comparison.dataset.empty = "";
  document.getElementById("empty-words").textContent = words || "Start your camera, or drop pictures and clips here.";
}

// The line makes sense only where there is something to compare.
export function showLine(shown) {
  comparison.toggleAttribute("data-line", shown);
  split.disabled = !shown;
}

export function setZoom(factor, x = 0.5, y = 0.5) {
  const before = zoom;
  zoom = Math.min(MAX_ZOOM, Math.max(1, factor));
  // the point of the picture at (x, y) of the view stays there
  const shift = 1 / before - 1 / zoom;
  moveTo(middle.x + (x - 0.5) * shift, middle.y + (y - 0.5) * shift);
  zoomValue.textContent = `${Math.round(100 * zoom)} %`;
  comparison.toggleAttribute("data-zoomed", zoom > 1);
}

export const zoomBy = (factor, x, y) => setZoom(zoom * factor, x, y);

// Moves by shares of what is shown.
function moveBy(x, y) {
  moveTo(middle.x + x / zoom, middle.y + y / zoom);
}

function moveTo(x, y) {
  const margin = 0.5 / zoom;
  const inside = (value) => Math.min(1 - margin, Math.max(margin, value));
  middle = { x: inside(x), y: inside(y) };
}

function moveLine(percent) {
  split.value = percent;
  comparison.style.setProperty("--split", `${split.value}%`);
  split.setAttribute("aria-valuetext", `${split.value} % before, ${100 - split.value} % after`);
}

function resize(width, height) {
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  const size = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width === size[0] && canvas.height === size[1]) return;
  [canvas.width, canvas.height] = size;
  comparison.style.setProperty("--aspect", width / height);
}

function draw() {
  requestAnimationFrame(draw);
  const current = view && view();
  if (!current) return;
  const { width, height, before, after } = current;
  resize(width, height);
  const line = after && !split.disabled ? Math.round((canvas.width * split.value) / 100) : after ? 0 : canvas.width;
  const [left, top] = [width * (middle.x - 0.5 / zoom), height * (middle.y - 0.5 / zoom)];
  const scale = width / zoom / canvas.width;
  const drawPart = ([picture, x], from, to) => {
    if (to <= from) return;
    context.drawImage(picture, x + left + from * scale, top, (to - from) * scale, height / zoom, from, 0, to - from, canvas.height);
  };
  drawPart(before, 0, line);
  if (after) drawPart(after, line, canvas.width);
}

// A point of the screen as shares of the view.
function place(event) {
  const box = comparison.getBoundingClientRect();
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, width: box.width };
}

// Where the view is held: by one pointer, or in the middle of two fingers; and their distance in pixels of the canvas.
function grip() {
  const [one, other = one] = held.values();
  const distance = Math.hypot((one.x - other.x) * canvas.width, (one.y - other.y) * canvas.height);
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, distance: Math.max(1, distance) };
}

// Two fingers, or a finger that scrolls the page, were not meant for the line.
function undoLine() {
  if (dragsLine) moveLine(lineBefore);
  dragsLine = false;
}

comparison.addEventListener("pointerdown", (event) => {
  if (!view || event.button) return;
  const { x, width } = place(event);
  held.set(event.pointerId, place(event));
  comparison.setPointerCapture(event.pointerId);
  if (held.size > 1) return undoLine();
  const nearLine = Math.abs(x - split.value / 100) * width < REACH;
  dragsLine = !split.disabled && (zoom === 1 || nearLine);
  lineBefore = split.value;
  if (!split.disabled) split.focus({ focusVisible: false });
  event.preventDefault();
  if (dragsLine) moveLine(Math.round(100 * x));
});
comparison.addEventListener("pointermove", (event) => {
  if (!held.has(event.pointerId)) return;
  const before = grip();
  held.set(event.pointerId, place(event));
  const now = grip();
  if (dragsLine) return moveLine(Math.round(100 * now.x));
  moveBy(before.x - now.x, before.y - now.y);
  zoomBy(now.distance / before.distance, now.x, now.y);
});
comparison.addEventListener("pointerup", (event) => held.delete(event.pointerId));
comparison.addEventListener("pointercancel", (event) => held.delete(event.pointerId) && undoLine());
// One finger scrolls the page (touch-action in the style sheet), which leaves it to the browser whether two do: they do not.
comparison.addEventListener("touchstart", (event) => held.size > 1 && event.preventDefault(), { passive: false });
comparison.addEventListener("dblclick", (event) => view && setZoom(zoom > 1 ? 1 : 3, place(event).x, place(event).y));
comparison.addEventListener(
  "wheel",
  (event) => {
    // The wheel alone scrolls the page; pinching a touchpad arrives as a wheel with Ctrl.
    if (!view || !event.ctrlKey) return;
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 200), place(event).x, place(event).y);
  },
  { passive: false },
);
document.getElementById("stage").addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
  const zooms = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 };
  if (event.shiftKey && moves[event.key]) moveBy(...moves[event.key]);
  else if (zooms[event.key]) zoomBy(zooms[event.key]);
  else if (event.key === "0") setZoom(1);
  else return;
  event.preventDefault();
});
split.addEventListener("input", () => moveLine(split.value));
moveLine(50);
requestAnimationFrame(draw);
