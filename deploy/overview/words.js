// What is known of a shelf, in words for a person.

export const KIND_WORDS = { out: "Out", unknown: "Unknown", low: "Low", wrong: "Misplaced", ok: "OK" };
const CAMERA_WORDS = {
  auth: "refuses the password", not_found: "isn't found", timeout: "doesn't answer", decode: "sends pictures that can't be read",
  unplugged: "is unplugged", frozen: "repeats the same picture", dark: "is too dark to see", blocked: "is covered", blurred: "is blurred",
  moved: "was moved",
};

export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function clock(ms, nowMs) {
  if (!ms) return "an unknown time";
  const at = new Date(ms);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return new Date(nowMs).toDateString() === at.toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}

export const product = (sku) => String(sku).replaceAll("-", " ").replaceAll("_", " ");

export function facings(item) {
  if (item.count === null || item.count === undefined) return "unknown";
  return item.expected ? `${item.count} of ${item.expected}` : `${item.count} here by mistake`;
}

// The one line of a shelf: what a person should see to.
export function gist(shelf, nowMs) {
  if (shelf.gone) return `unknown since ${clock(shelf.atMs, nowMs)}: ${shelf.gone}`;
  const named = (status) => shelf.items.filter((item) => item.status === status);
  const parts = [];
  if (named("out").length) parts.push(`out: ${list(named("out").map((item) => product(item.sku)))}`);
  if (named("low").length) parts.push(`low: ${list(named("low").map((item) => `${product(item.sku)} (${facings(item)})`))}`);
  if (named("unknown").length) parts.push(shelf.state.reason ?? `can't be read: ${list(named("unknown").map((item) => product(item.sku)))}`);
  if (shelf.strangers.length) parts.push(`in a wrong place: ${list(shelf.strangers.map((item) => product(item.sku)))}`);
  if (!parts.length) parts.push(shelf.kind === "unknown" ? shelf.state.reason ?? "nothing of it can be read" : "everything is where it belongs");
  return parts.join("; ");
}

export function list(words, most = 4) {
  return words.length > most ? `${words.slice(0, most).join(", ")} and ${words.length - most} more` : words.join(", ");
}

export function trouble({ device, camera }, shelves) {
  if (camera) return `camera ${camera.id} ${CAMERA_WORDS[camera.reason] ?? "gives no picture to count in"}`;
  return `offline; ${shelves === 1 ? "1 shelf is" : `${shelves} shelves are`} unknown`;
}
