// The server, as the page uses it. Addresses are relative, so the page works behind a path prefix too.

const headers = (key) => (key === "" ? {} : { Authorization: `Bearer ${key}` });

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

/** "ok", "degraded", "loading", "failed", or "unreachable". */
export async function getHealth() {
  try {
    return (await (await fetch("health", { cache: "no-store" })).json()).status;
  } catch {
    return "unreachable";
  }
}

/** The card of the served model. */
export async function getModel(key) {
  const response = await fetch("v1/models", { headers: headers(key) });
  if (!response.ok) throw await failure(response);
  return (await response.json()).data[0];
}

/** Streams a chat: yields {content, reasoning, usage}. Throws what the server says went wrong, also in mid-stream. */
export async function* complete(body, key, signal) {
  const response = await fetch("v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers(key) },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await failure(response);
  for await (const data of events(response.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    const delta = chunk.choices[0]?.delta ?? {};
    yield { content: delta.content, reasoning: delta.reasoning_content, usage: chunk.usage };
  }
  throw new Error("the connection ended before the answer was complete");
}

/** The data of server-sent events; comments are left out. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (pending + value).split("\n");
    pending = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice("data: ".length);
  }
}
