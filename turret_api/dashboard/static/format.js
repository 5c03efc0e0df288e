// Numbers and times in words, one way for every page.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const compact = (value) => (value < 10_000 ? whole.format(value) : short.format(value));
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

// A difference, given as its digits, with its sign.
export const signed = (text) => (Number(text) > 0 ? `+${text}` : Number(text) < 0 ? text.replace("-", "−") : "0");

export const titled = (word) => word[0].toUpperCase() + word.slice(1);

export function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  if (value === 0) return "0%";
  if (value > 0 && value < 0.1) return "<0.1%";
  if (value > 99 && value < 100) return `${Math.min(99.9, value).toFixed(1)}%`; // not quite all is not all
  return `${value.toFixed(value < 10 ? 1 : 0)}%`;
}

export function measure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 10_000) return short.format(value);
  return new Intl.NumberFormat("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 1 ? 1 : 3 }).format(value);
}

export function gap(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function ago(time, now = Date.now()) {
  const seconds = (now - new Date(time).getTime()) / 1000;
  if (seconds < 45) return "just now";
  return `${gap(seconds).replace(/^1 days$/, "1 day")} ago`;
}

export const day = (time) =>
  new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" });
export const moment = (time) => new Date(time).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
