// What the broker said → what is known of each device and shelf. No page and no network: values only.

const KIND_OF = { out: "out", low: "low", unknown: "unknown", ok: "ok" };
export const KINDS = ["out", "unknown", "low", "wrong", "ok"]; // the worst first

export class Fleet {
  // `notKnownAfterS`: seconds without news after which a count is no longer believed.
  constructor(prefix, notKnownAfterS) {
    this.prefix = prefix;
    this.notKnownAfterS = notKnownAfterS;
    this.devices = new Map(); // "site/device" → device
  }

  // Take a message; returns the key of a device that was not known before, else null.
  take(topic, text, retained, nowMs) {
    if (!topic.startsWith(`${this.prefix}/`)) return null;
    const [site, name, ...rest] = topic.slice(this.prefix.length + 1).split("/");
    const path = rest.join("/");
    const key = `${site}/${name}`;
    const known = this.devices.get(key);
    if (!known && (!text || path !== "status")) return null; // a device is found by its status
    const device = known ?? { key, site, name, status: null, shelves: new Map(), cameras: new Map(), alerts: [], info: null };
    this.devices.set(key, device);
    if (path === "status") {
      if (text) device.status = text === "online" ? "online" : "offline";
      else this.devices.delete(key); // its retained topics were cleared
      return known ? null : key;
    }
    const body = parsed(text);
    if (path === "info") device.info = body;
    else if (path === "alerts") device.alerts = Array.isArray(body?.alerts) ? body.alerts : [];
    else if (rest.length === 3 && rest[0] === "camera" && rest[2] === "status") put(device.cameras, rest[1], body && { ...body, id: rest[1] });
    else if (rest.length === 3 && rest[0] === "shelf" && rest[2] === "state")
      put(device.shelves, rest[1], body && { state: body, heardMs: heardMs(body, retained, nowMs) });
    return null;
  }

  // Every shelf as it is to be believed now.
  *shelves(nowMs) {
    for (const device of this.devices.values())
      for (const [id, { state, heardMs: at }] of device.shelves) yield this.#judged(device, id, state, at, nowMs);
  }

  #judged(device, id, state, heardAtMs, nowMs) {
    const silent = nowMs - heardAtMs > this.notKnownAfterS * 1000;
    const gone = device.status === "offline" ? "the device is offline" : silent ? "nothing was heard of it" : null;
    const items = Array.isArray(state.items) ? state.items : [];
    const strangers = items.filter((item) => item.expected === 0 && item.count > 0);
    let kind = gone ? "unknown" : KIND_OF[state.status] ?? "unknown";
    if (kind === "ok" && strangers.length) kind = "wrong";
    return { key: `${device.key}/${id}`, device, id, kind, gone, atMs: heardAtMs, state, items, strangers };
  }

  // Devices that are offline, and cameras that give no picture to count in.
  *troubles() {
    for (const device of this.devices.values()) {
      if (device.status !== "online") yield { key: device.key, device, camera: null };
      else for (const camera of device.cameras.values()) if (camera.status !== "online") yield { key: `${device.key}/${camera.id}`, device, camera };
    }
  }

  // Open alerts, the newest first.
  alerts() {
    const found = [];
    for (const device of this.devices.values()) for (const alert of device.alerts) found.push({ key: `${device.key}/${alert.id}`, device, alert });
    return found.sort((a, b) => String(b.alert.opened_at).localeCompare(String(a.alert.opened_at)));
  }
}

// When a state was true: a retained one is as old as its own time says, and the clocks of devices may be ahead of ours.
function heardMs(state, retained, nowMs) {
  const saidMs = Date.parse(state.ts);
  return retained ? Math.min(Number.isNaN(saidMs) ? 0 : saidMs, nowMs) : nowMs;
}

function put(map, key, value) {
  if (value) map.set(key, value);
  else map.delete(key);
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

// Order of shelves: the worst kind first, then by name, so that a row stays where it is while nothing changes.
export function worse(a, b) {
  return KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.key.localeCompare(b.key);
}
