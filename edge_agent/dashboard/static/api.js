/* Calls to the agent's HTTP API. Every view uses these; an error carries the agent's own sentence. */

export async function get(path) {
  return call("GET", path);
}

export async function post(path, body) {
  return call("POST", path, body);
}

export async function put(path, body) {
  return call("PUT", path, body);
}

async function call(method, path, body) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(`/api/${path}`, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "same-origin",
  });
  const type = answer.headers.get("content-type") ?? "";
  const value = type.includes("json") ? await answer.json() : await answer.text();
  if (!answer.ok) throw Object.assign(new Error(value.message ?? answer.statusText), { status: answer.status, value });
  return value;
}
