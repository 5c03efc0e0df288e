// Elements from data. Text always enters as text, never as markup, so what a user tracked cannot become a tag.

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style")
      for (const [property, set] of Object.entries(value)) element.style.setProperty(property, set);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// A list of which one is picked: pairs of a value and its words.
export function choice(name, pairs) {
  return h(
    "select",
    { name },
    pairs.map(([value, words]) => h("option", { value }, words)),
  );
}

export function meter(share, kind = "") {
  const width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h("div", { class: `meter ${kind}`, "aria-hidden": "true" }, h("i", { style: { width } }));
}

// A row of numbers as a line with its area; the words say the same to who cannot see it.
export function spark(values, words) {
  const width = 92,
    height = 24,
    top = Math.max(1, ...values);
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const points = values.map(
    (value, i) => `${(i * step).toFixed(1)},${(height - 2 - (value / top) * (height - 5)).toFixed(1)}`,
  );
  if (points.length === 1) points.push(`${width},${points[0].split(",")[1]}`);
  const line = `M${points.join("L")}`;
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    svg("path", { class: "area", d: `${line}L${width},${height}L0,${height}Z` }),
    svg("path", { d: line }),
  );
}

const gone = (why) => (why === "erased" ? "The text was erased." : `The text was removed on ${why}.`);

// What a message says; passages that many messages share are folded. Of one that is gone, why.
export function said(message) {
  if (message.text === null && message.gone) return h("em", { class: "muted" }, gone(message.gone));
  const parts = [];
  let rest = message.text;
  for (const frame of message.frames ?? []) {
    const start = rest.indexOf(frame);
    if (start < 0) continue;
    parts.push(
      rest.slice(0, start).trim(),
      h("details", { class: "frame" }, h("summary", {}, "Shared frame"), h("span", {}, frame)),
    );
    rest = rest.slice(start + frame.length);
  }
  return parts.length ? [...parts, rest.trim()].filter((part) => part !== "") : rest;
}
