// Moving about in a picture: drag, wheel, two fingers, arrow keys. `view` holds the ranges shown, { x: [low, high], y: [low,
// high] }, and is changed in place; `changed()` is called after each step, `settled()` once the hand rests.

const REST_MS = 160,
  WHEEL = 0.0016,
  NUDGE = 0.12,
  SLACK = 4;

// Returns { zoom(factor) }, for buttons.
export function gestures(plot, view, { changed, settled }) {
  const fingers = new Map();
  let resting = null,
    moved = 0;
  const step = () => {
    changed();
    clearTimeout(resting);
    resting = setTimeout(settled, REST_MS);
  };
  const pan = (dx, dy) => {
    const x = ((view.x[1] - view.x[0]) * dx) / plot.clientWidth,
      y = ((view.y[1] - view.y[0]) * dy) / plot.clientHeight;
    view.x = view.x.map((end) => end - x);
    view.y = view.y.map((end) => end + y);
    step();
  };
  // About a place of the picture, as shares of its width and height.
  const zoom = (factor, across = 0.5, down = 0.5) => {
    const about = ([low, high], share) => {
      const middle = low + (high - low) * share;
      return [middle + (low - middle) * factor, middle + (high - middle) * factor];
    };
    view.x = about(view.x, across);
    view.y = about(view.y, 1 - down);
    step();
  };
  const shares = ({ clientX, clientY }) => {
    const box = plot.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, finger]) => finger);
    const dx = event.clientX - before.clientX,
      dy = event.clientY - before.clientY;
    moved += Math.abs(dx) + Math.abs(dy);
    fingers.set(event.pointerId, event);
    if (!other) return pan(dx, dy);
    const far = (a, b) => Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
    zoom(far(before, other) / far(event, other), ...shares(other));
  });
  for (const end of ["pointerup", "pointercancel"])
    plot.addEventListener(end, (event) => fingers.delete(event.pointerId));
  // What ends a drag is no click.
  plot.addEventListener(
    "click",
    (event) => {
      if (moved > SLACK) event.stopImmediatePropagation();
    },
    true,
  );
  plot.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY)) * WHEEL), ...shares(event));
    },
    { passive: false },
  );
  plot.parentElement.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    pan(way[0] * NUDGE * plot.clientWidth, way[1] * NUDGE * plot.clientHeight);
  });
  return { zoom };
}
