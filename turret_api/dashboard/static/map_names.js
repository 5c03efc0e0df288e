// Which names have room on the map, and where they stand.

import { cut } from "./charts.js";

const LETTER = { fine: 0.56, coarse: 0.64 }; // width of a letter on average, of its size
const SIZE = { fine: 11.5, coarse: 13.5 },
  LONGEST = { fine: 28, coarse: 34 };
const MANY = 40,
  MOST = 400,
  BESIDE = 27;

const halfOf = (text, kind) => (text.length * SIZE[kind] * LETTER[kind]) / 2 + 3;

// seen: [{ topic, at, r }], the topics in view with their circles; themes: [{ theme, at, top, bottom }], with the ends of what
// belongs to them; size: of the picture; taken: [{ x, y, half, high }], where no name may stand. Returns
// [{ of, kind, text, x, y, size }]: of two that would touch the first stands, large topics before small ones. From afar, with
// many topics in view, the names of themes come before those of topics; from near they stand where these leave room.
export function namesWithRoom(seen, themes, size, taken = []) {
  const boxes = [...taken],
    found = [];
  const put = (of, kind, text, x, y) => {
    const half = halfOf(text, kind),
      high = SIZE[kind] / 2 + 3;
    if (x - half < 0 || x + half > size.width || y - high < 0 || y + high > size.height) return false;
    if (boxes.some((box) => Math.abs(box.x - x) < box.half + half && Math.abs(box.y - y) < box.high + high))
      return false;
    boxes.push({ x, y, half, high });
    found.push({ of, kind, text, x, y, size: SIZE[kind] });
    return true;
  };
  const far = seen.length > MANY;
  const coarse = () => {
    for (const { theme, at, top, bottom } of themes) {
      const text = cut(theme.label, LONGEST.coarse),
        half = halfOf(text, "coarse"),
        x = Math.max(half, Math.min(size.width - half, at.x));
      if (at.x > 0 && at.x < size.width)
        [at.y, ...(far ? [] : [top - BESIDE, bottom + BESIDE])].some((y) => put(theme, "coarse", text, x, y));
    }
  };
  if (far) coarse();
  else for (const { at, r } of seen) boxes.push({ x: at.x, y: at.y, half: r * 0.8, high: r * 0.8 });
  // A topic's name stands above its circle, else below.
  for (const { topic, at, r } of [...seen].sort((a, b) => b.topic.size - a.topic.size).slice(0, MOST)) {
    const text = cut(topic.label, LONGEST.fine);
    if (!put(topic, "fine", text, at.x, at.y - r - 9)) put(topic, "fine", text, at.x, at.y + r + 9);
  }
  if (!far) coarse();
  return found;
}
