// The status page: what the server does now and did in the last ten minutes, from /metrics; its modules and memory.

import { getMemory, getMetrics, getModel, getModules } from "./api.js";
import { $, element } from "./dom.js";
import { Exposition } from "./exposition.js";
import { startSwap } from "./module-swap.js";
import { Plot } from "./plot.js";
import { ServerState } from "./server-state.js";
import { applyLanguage, otherLanguage, say, startLanguage } from "./words.js";

const EVERY_MS = 2000;
const SPAN = (10 * 60_000) / EVERY_MS;
const MIB = 1 << 20;

const key = () => $("api-key").value.trim();
const whole = (value) => Math.round(value).toLocaleString();
const size = (bytes) => (bytes >= 1024 * MIB ? `${(bytes / 1024 / MIB).toFixed(2)} GiB` : `${whole(bytes / MIB)} MiB`);
const share = (part, all) => (all > 0 ? ` (${Math.round((100 * part) / all)} %)` : "");
const fraction = (value) => value.toFixed(1);
const duration = (seconds) =>
  seconds < 1 ? `${fraction(seconds * 1000)} ${say("milliseconds")}` : `${seconds.toFixed(2)} ${say("seconds")}`;

startLanguage();

const plot = (title, format, names) => new Plot($("plots"), { title: () => say(title), names, format, span: SPAN });
const names = (...all) => () => all.map((name) => say(name));
const plots = {
  first: plot("waitToFirst", duration),
  next: plot("betweenTokens", duration),
  written: plot("tokensPerSecond", fraction),
  read: plot("promptRate", fraction),
  requests: plot("requests", whole, names("running", "waiting")),
  cells: plot("kvCells", whole, names("used", "cachedCells")),
};

let last = null; // {metrics, at}

/** Rates between two looks; nothing happened in between: no point. */
function observe(metrics, at) {
  const seconds = last && (at - last.at) / 1000;
  const grown = (name, labels) => metrics.value(name, labels) - last.metrics.value(name, labels);
  const mean = (name) => (last && grown(`${name}_count`) > 0 ? grown(`${name}_sum`) / grown(`${name}_count`) : null);
  const tokens = (kind) => grown("autoglm_tokens_total", { kind });
  const gauge = (name, state) => metrics.value(name, { state });
  // Tokens of a chat are counted at its end; those between are counted as they come, by the time between them.
  plots.first.push(mean("autoglm_time_to_first_token_seconds"));
  plots.next.push(mean("autoglm_inter_token_seconds"));
  plots.written.push(last && grown("autoglm_inter_token_seconds_count") / seconds);
  plots.read.push(last && (tokens("prompt") - tokens("prompt_cached")) / seconds);
  plots.requests.push(gauge("autoglm_requests", "running"), gauge("autoglm_requests", "waiting"));
  plots.cells.push(gauge("autoglm_kv_tokens", "used"), gauge("autoglm_kv_tokens", "cached"));
  last = { metrics, at };
}

function showPlots() {
  const label = (title, now) => say("plotLabel", title, now);
  for (const one of Object.values(plots)) one.draw(label, say("noValues"));
}

function showCounts({ metrics }) {
  const tokens = (kind) => metrics.value("autoglm_tokens_total", { kind });
  const ahead = (kind) => metrics.value("autoglm_speculated_tokens_total", { kind });
  const media = (cache) =>
    metrics.value("autoglm_media_total", { modality: "vision", cache }) +
    metrics.value("autoglm_media_total", { modality: "speech", cache });
  const restarts = metrics.value("autoglm_engine_restarts_total") + metrics.value("autoglm_media_restarts_total");
  fill($("counts"), [
    [say("chats"), whole(metrics.sum("autoglm_chats_total"))],
    [say("promptTokens"), whole(tokens("prompt"))],
    [say("promptCached"), whole(tokens("prompt_cached")) + share(tokens("prompt_cached"), tokens("prompt"))],
    [say("generated"), whole(tokens("generated"))],
    [say("guessed"), whole(ahead("accepted")) + share(ahead("accepted"), ahead("drafted"))],
    [say("mediaRead"), whole(media("hit") + media("miss"))],
    [say("mediaCached"), whole(media("hit")) + share(media("hit"), media("hit") + media("miss"))],
    [say("restarts"), whole(restarts)],
  ]);
}

function fill(list, rows) {
  list.replaceChildren(
    ...rows.map(([name, value]) => {
      const row = element("div");
      row.append(element("dt", "", name), element("dd", "", value));
      return row;
    }),
  );
}

async function showModules() {
  const loaded = await getModules(key());
  // A server whose modules stay as they are lists them with its model alone.
  $("swap").hidden = loaded === null;
  const modules = loaded ?? (await getModel(key())).modules;
  $("modules").replaceChildren(
    ...modules.map(({ modality, kind, arch, version, memory_bytes, limits, is_leaving, requests }) => {
      const row = element("tr", is_leaving ? "leaving" : "");
      const name = element("th", "", say(`modality_${modality}`));
      name.scope = "row";
      const note = is_leaving ? ` · ${say("leaving", requests)}` : "";
      row.append(name, ...[kind + note, `${arch} ${version}`, size(memory_bytes), limits].map((text) => element("td", "", text)));
      return row;
    }),
  );
}

async function showMemory() {
  const { machine_bytes, estimated, measured } = await getMemory(key());
  const rows = measured.map(({ process, resident_bytes }) => [say(`process_${process}`), size(resident_bytes)]);
  if (estimated) rows.push([say("estimated"), size(estimated.resident_bytes)]);
  fill($("processes"), [...rows, [say("machine"), size(machine_bytes)]]);
}

function showError(error) {
  $("key-field").hidden = error?.status !== 401 && key() === "";
  $("error").textContent = error === null ? "" : error.status === 401 ? say("statusKey") : say("failed", error.isLost ? say("lost") : error.message);
  $("error").hidden = error === null;
}

const server = new ServerState(key);

async function look() {
  try {
    observe(new Exposition(await getMetrics(key())), performance.now());
    showPlots();
    showCounts(last);
    await Promise.all([showModules(), showMemory()]);
    showError(null);
  } catch (error) {
    showError(error);
    server.check();
  }
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY_MS);
}

$("api-key").value = sessionStorage.getItem("apiKey") ?? "";
$("api-key").addEventListener("change", () => {
  sessionStorage.setItem("apiKey", key());
  look();
  server.check();
});
$("language").addEventListener("click", () => {
  applyLanguage(otherLanguage());
  server.show();
  look();
});
startSwap({ apiKey: key, onChange: look });
server.check();
watch();
