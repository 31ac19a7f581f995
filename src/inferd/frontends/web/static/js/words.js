// Figures and times as the page writes them (one vocabulary on every page).

/** Whether an address of this name is the machine that shows the page. */
export const isLoopback = (hostname) => /^(localhost|.*\.localhost|127(\.\d+){3}|\[?::1\]?)$/i.test(hostname);

/** A sentence with its capital and one full stop. */
export const asSentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) + (/[.?!…]$/.test(text) ? "" : ".") : "");

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 8400000 → "8.4M", 3100 → "3.1k"; nothing for null. */
export const count = (n) => (n === null || n === undefined ? "" : compact.format(n).replace("K", "k"));

/** 1537 → "1,537". */
export const whole = (n) => Number(n).toLocaleString("en");

/** Seconds → "24 ms", "1.24 s", "1 h 12 min". */
export function duration(seconds) {
  if (seconds < 0.9995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const all = Math.round(seconds);
  if (seconds < 3599.5) return `${Math.floor(all / 60)} min ${all % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes → "7.3 GB", "412 kB". */
export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) { n /= 1000; unit += 1; }
  return `${n < 9.95 && unit ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

/** Seconds ago → "just now", "12 s", "4 min", "2 h". */
export function age(seconds) {
  if (seconds < 1) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}
