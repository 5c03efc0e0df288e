// Points as pixels. A hundred thousand of them take some milliseconds this way, with or without a graphics card, so a map
// follows the hand; as shapes (SVG, or plotly's WebGL without a card) a step takes nearly half a second.

// The pixels of one round point of `radius`: how far each is from the middle one, and how much of it is covered (0 to 256).
function stampOf(radius, alpha, width) {
  const reach = Math.ceil(radius),
    offsets = [],
    covers = [];
  for (let dy = -reach; dy <= reach; dy += 1) {
    for (let dx = -reach; dx <= reach; dx += 1) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(dx, dy))) * alpha;
      if (cover < 0.02) continue;
      offsets.push(4 * (dy * width + dx));
      covers.push(Math.round(cover * 256));
    }
  }
  return { reach, offsets: Int32Array.from(offsets), covers: Int32Array.from(covers) };
}

// Draws points over each other on `context`, all of whose canvas is filled with `ground`; the first ones are the lowest.
// points: { x, y: Float32Array, fill: Uint8Array of places in `inks` }; inks: [{ rgb: [r, g, b], alpha }]; view: { x, y },
// the ranges that the canvas shows; radius in its pixels. What is not wholly inside is left out.
export function drawPoints(context, points, view, inks, ground, radius) {
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height),
    data = image.data;
  new Uint32Array(data.buffer).fill((255 << 24) | (ground[2] << 16) | (ground[1] << 8) | ground[0]);
  const stamps = inks.map((ink) => stampOf(radius, ink.alpha, width));
  const { x, y, fill } = points,
    { reach } = stamps[0];
  const acrossX = width / (view.x[1] - view.x[0]),
    acrossY = height / (view.y[1] - view.y[0]),
    left = view.x[0],
    top = view.y[1];
  for (let i = 0; i < x.length; i += 1) {
    const px = Math.floor((x[i] - left) * acrossX),
      py = Math.floor((top - y[i]) * acrossY);
    if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue;
    const [r, g, b] = inks[fill[i]].rgb,
      { offsets, covers } = stamps[fill[i]],
      middle = 4 * (py * width + px);
    for (let k = 0; k < offsets.length; k += 1) {
      const at = middle + offsets[k],
        cover = covers[k];
      data[at] += ((r - data[at]) * cover) >> 8;
      data[at + 1] += ((g - data[at + 1]) * cover) >> 8;
      data[at + 2] += ((b - data[at + 2]) * cover) >> 8;
    }
  }
  context.putImageData(image, 0, 0);
}

// How many points the view shows.
export function countIn({ x, y }, view) {
  let n = 0;
  for (let i = 0; i < x.length; i += 1)
    if (x[i] >= view.x[0] && x[i] <= view.x[1] && y[i] >= view.y[0] && y[i] <= view.y[1]) n += 1;
  return n;
}

// The place of the point nearest to (px, py), in pixels of a picture of `size`, if it is within `reach`; else -1.
export function nearest({ x, y }, view, size, px, py, reach) {
  const acrossX = size.width / (view.x[1] - view.x[0]),
    acrossY = size.height / (view.y[1] - view.y[0]);
  let found = -1,
    least = reach * reach;
  for (let i = 0; i < x.length; i += 1) {
    const dx = (x[i] - view.x[0]) * acrossX - px,
      dy = (view.y[1] - y[i]) * acrossY - py,
      far = dx * dx + dy * dy;
    if (far < least) [found, least] = [i, far];
  }
  return found;
}
