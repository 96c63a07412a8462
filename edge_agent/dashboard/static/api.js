/* Calls to the agent's HTTP API. Every view uses these; an error carries the agent's own sentence as its message,
   its status, and as `value` the whole answer (with `problems`, where there are several). */

export const connection = new EventTarget(); // "lost", "found", "login"
let session = { csrf: null };

export function get(path, options) {
  return call("GET", path, undefined, options);
}

export function post(path, body = {}) {
  return call("POST", path, body);
}

export function put(path, body) {
  return call("PUT", path, body);
}

export function del(path) {
  return call("DELETE", path);
}

/* Who this browser is for the device: {signed_in, password, device}. */
export async function whoami() {
  session = await call("GET", "session", undefined, { quiet: true });
  return session;
}

export async function signIn(password) {
  session = await call("POST", "session", { password }, { quiet: true });
}

export async function signOut() {
  await call("DELETE", "session", undefined, { quiet: true });
  session = { csrf: null };
}

async function call(method, path, body, options = {}) {
  const answer = await ask(method, path, body, options.signal);
  const type = answer.headers.get("content-type") ?? "";
  const value = type.includes("json") ? await answer.json() : await answer.text();
  if (answer.ok) return value;
  if (answer.status === 403 && value.code === "csrf" && !options.again) { // the agent was restarted since
    await whoami();
    return call(method, path, body, { ...options, again: true });
  }
  if (answer.status === 401 && !options.quiet) connection.dispatchEvent(new Event("login"));
  throw Object.assign(new Error(value.message ?? `${answer.status} ${answer.statusText}`), { status: answer.status, value });
}

async function ask(method, path, body, signal) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && session.csrf) headers["x-csrf-token"] = session.csrf;
  try {
    const answer = await fetch(`/api/${path}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin",
      cache: "no-store", signal,
    });
    connection.dispatchEvent(new Event("found"));
    return answer;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    connection.dispatchEvent(new Event("lost"));
    throw Object.assign(new Error("The device can't be reached. It is tried again by itself."), { lost: true });
  }
}
