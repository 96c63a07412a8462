/* Values → words for a person. */

const RULES = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

/* 1234.5 → "1,234.5" */
export function number(value, digits = 1) {
  if (value === null || value === undefined) return "–";
  return digits === 1 ? RULES.format(value) : value.toLocaleString("en-GB", { maximumFractionDigits: digits });
}

/* plural(1, "slot") → "1 slot"; plural(2, "box", "boxes") → "2 boxes" */
export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/* Seconds → "4 s", "12 min", "3 h 5 min", "2 days". Short, rounded down. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.max(0, seconds);
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) {
    const minutes = Math.floor((s % 3600) / 60);
    return minutes ? `${Math.floor(s / 3600)} h ${minutes} min` : `${Math.floor(s / 3600)} h`;
  }
  const days = Math.floor(s / 86400);
  return plural(days, "day");
}

/* The seconds since an instant (ISO 8601, or a Date). */
export function since(instant, now = Date.now()) {
  return Math.max(0, (now - new Date(instant).getTime()) / 1000);
}

/* "just now", "4 min ago", "yesterday 17:03" */
export function ago(instant, now = Date.now()) {
  const s = since(instant, now);
  return s < 5 ? "just now" : s < 20 * 3600 ? `${duration(s)} ago` : when(instant, now);
}

/* "07:03", "yesterday 17:03", "21 Nov 17:03": local time. */
export function when(instant, now = Date.now()) {
  const at = new Date(instant);
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = new Date(at).setHours(0, 0, 0, 0);
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - day) / 86400000);
  if (days === 0) return time;
  if (days === 1) return `yesterday ${time}`;
  const year = at.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year })} ${time}`;
}

/* 0.973 → "97 %" */
export function percent(share) {
  return share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`;
}

/* "cola-33" → "cola-33": labels are shown as they are; the special ones in words. */
export function product(label) {
  return label === "empty" ? "empty" : label === "occluded" ? "something in front" : (label ?? "unknown");
}

/* What the agent says of a thing → sentences: "it is too dark" → "It is too dark." A model's name stays as it is. */
export function sentence(words) {
  const whole = words.trim(), first = /^[a-z]+ /.test(whole) ? whole[0].toUpperCase() : whole[0];
  return `${first}${whole.slice(1)}${/[.!?]$/.test(whole) ? "" : "."}`;
}

/* "2 of 4 facings", "at least 1 of 4 facings", "unknown, of 4 facings", "1 here by mistake" */
export function facings(item) {
  if (!item.expected) return item.count === null ? "perhaps here by mistake" : `${item.count} here by mistake`;
  const of = `of ${plural(item.expected, "facing")}`;
  if (item.count !== null && item.count !== undefined) return `${item.count} ${of}`;
  return item.at_least ? `at least ${item.at_least} ${of}` : `unknown, ${of}`;
}
