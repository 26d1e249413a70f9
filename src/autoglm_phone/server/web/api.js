// The server, as the pages use it. Addresses are relative, so the pages work behind a path prefix too.

/** Browsers take bytes as header values, one a letter; the server reads them as UTF-8. */
export function headers(key) {
  if (!key) return {};
  return { Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(key))}` };
}

/** An Error whose message is the server's own, with the status. */
async function failure(response) {
  let message = `HTTP ${response.status}`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // Not our server's answer: a proxy's, perhaps. The status is all there is to say.
  }
  return Object.assign(new Error(message), { status: response.status });
}

/** Of a connection that there is not, or no longer: browsers have no words for it that a person could use. */
const lost = () => Object.assign(new Error("no connection"), { isLost: true });

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : lost();
  }
}

async function get(path, key) {
  const response = await reached(path, { headers: headers(key), cache: "no-store" });
  if (!response.ok) throw await failure(response);
  return response;
}

const post = (path, body, key, signal) =>
  reached(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers(key) },
    body: JSON.stringify(body),
    signal,
  });

/** "ok", "degraded", "loading", "failed", or "unreachable". */
export async function getHealth() {
  try {
    return (await (await fetch("health", { cache: "no-store" })).json()).status;
  } catch {
    return "unreachable";
  }
}

/** The card of the served model. */
export const getModel = async (key) => (await (await get("v1/models", key)).json()).data[0];

export const getMemory = async (key) => (await get("v1/memory", key)).json();

/** The loaded modules, leaving ones too; null on a server that has no such list. */
export async function getModules(key) {
  try {
    return (await (await get("v1/modules", key)).json()).data;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

/** Loads a module from a bundle, or unloads it (source null). Resolves when the old one takes no more requests. */
export async function changeModule(modality, source, key) {
  const path = `v1/modules/${modality}`;
  const response = await (source === null ? reached(path, { method: "DELETE", headers: headers(key) }) : post(path, { source }, key));
  if (!response.ok) throw await failure(response);
  return response.json();
}

/** The text of /metrics. */
export const getMetrics = async (key) => (await get("metrics", key)).text();

/** What is read on a picture: {lines: [{text, box}], seconds}. */
export async function readPicture(image, key) {
  const response = await post("v1/images/readings", { image }, key);
  if (!response.ok) throw await failure(response);
  const { lines, seconds } = await response.json();
  return { lines, seconds };
}

/** Streams a chat: yields {content, reasoning, usage}. Throws what went wrong, also in mid-stream: see failure, lost. */
export async function* complete(body, key, signal) {
  const response = await post("v1/chat/completions", body, key, signal);
  if (!response.ok) throw await failure(response);
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    const delta = chunk.choices[0]?.delta ?? {};
    yield { content: delta.content, reasoning: delta.reasoning_content, usage: chunk.usage };
  }
  throw lost();
}

/** The data of server-sent events; comments are left out. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : lost();
    });
    if (done) return;
    const lines = (pending + value).split("\n");
    pending = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice("data: ".length);
  }
}
