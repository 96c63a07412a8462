// The way to the broker. Devices are found by their retained status; each is then asked for, a few at a time, since a
// broker drops what it cannot queue for a client (mosquitto: 1,000 messages) and 200 devices have more to say than that.
import mqtt from "./node_modules/mqtt/dist/mqtt.esm.js";

const AT_ONCE = 10; // devices
const REFUSED = new Set([4, 5, 134, 135]);

export class Broker {
  // `on`: message(topic, text, retained), up(), down(), refused(words)
  constructor({ broker, username, password, prefix }, on) {
    this.prefix = prefix;
    this.waiting = [];
    this.asking = false;
    this.client = mqtt.connect(broker, {
      clientId: `shelfwatch-overview-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`,
      username: username || undefined,
      password: password || undefined,
      keepalive: 120, // a tab in the background is woken once a minute
      timerVariant: "native", // no worker from a blob, which the page's policy forbids
      reconnectPeriod: 2000,
      connectTimeout: 10000,
      resubscribe: false,
      queueQoSZero: false,
    });
    this.client.on("connect", () => {
      this.waiting = [];
      this.asking = false;
      this.client.subscribe(`${prefix}/+/+/status`, { qos: 0 }, (error, granted) => {
        if (error || granted?.some((one) => one.qos >= 128)) on.refused(`The broker doesn't let you read ${prefix}/#.`);
        else on.up();
      });
    });
    this.client.on("message", (topic, payload, packet) => on.message(topic, payload.toString(), packet.retain));
    this.client.on("close", () => on.down());
    this.client.on("error", (error) => {
      if (!REFUSED.has(error.code)) return; // it tries again by itself
      on.refused("The broker refuses this user or password.");
      this.leave();
    });
  }

  // Ask for all of a device.
  ask(key) {
    this.waiting.push(key);
    if (!this.asking) this.#next();
  }

  #next() {
    const keys = this.waiting.splice(0, AT_ONCE);
    this.asking = keys.length > 0;
    if (!this.asking) return;
    const filters = keys.flatMap((key) => ["info", "alerts", "camera/+/status", "shelf/+/state"].map((path) => `${this.prefix}/${key}/${path}`));
    this.client.subscribe(filters, { qos: 0 }, () => setTimeout(() => this.#next(), 0));
  }

  leave() {
    this.client.end(true);
  }
}
