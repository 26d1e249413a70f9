// The page's own chat. What the model or the server says only ever becomes textContent.

import { complete, getHealth, getModel } from "./api.js";
import { applyLanguage, otherLanguage, say, startLanguage } from "./words.js";

const $ = (id) => document.getElementById(id);

/** What was said so far, in the API's form; only turns that were answered stay in it. */
let conversation = [];
/** Files that go with the next message: {kind, name, dataUri, url}. */
let attachments = [];
let running = null; // AbortController of the answer that is being streamed
let status = { state: "connecting", model: null };

const elapsed = (since) => (performance.now() - since) / 1000;

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// ---- what is shown

function showStatus() {
  $("dot").className = { ok: "ready", degraded: "ready", unreachable: "down", failed: "down" }[status.state] ?? "";
  const words = say(`state_${status.state}`);
  $("status-text").textContent = status.model === null ? words : `${status.model.root} · ${words}`;
  $("limits").textContent = status.model?.limits ?? "";
}

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = text === "";
}

function showRunning() {
  $("send").hidden = running !== null;
  $("stop").hidden = running === null;
}

function showAttachments() {
  $("attachments").replaceChildren(
    ...attachments.map((file) => {
      const item = element("li");
      if (file.kind === "picture") item.append(thumbnail(file));
      const remove = element("button", "", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", `${say("remove")}: ${file.name}`);
      remove.addEventListener("click", () => {
        attachments = attachments.filter((other) => other !== file);
        URL.revokeObjectURL(file.url);
        showAttachments();
        $("prompt").focus();
      });
      item.append(element("span", "", file.name), remove);
      return item;
    }),
  );
}

function thumbnail(file) {
  const image = element("img");
  image.src = file.url;
  image.alt = file.name;
  return image;
}

function player(file) {
  const audio = element("audio");
  audio.controls = true;
  audio.src = file.url;
  audio.setAttribute("aria-label", file.name);
  return audio;
}

function addMessage(role, text, files = []) {
  $("welcome").hidden = true;
  const item = element("li", `message ${role}`);
  item.append(element("span", "who", say(role)));
  if (files.length > 0) {
    const media = element("div", "media");
    media.append(...files.map((file) => (file.kind === "picture" ? thumbnail(file) : player(file))));
    item.append(media);
  }
  item.append(element("div", "text", text));
  $("messages").append(item);
  scrollDown(true);
  return item;
}

function scrollDown(always = false) {
  const main = document.querySelector("main");
  // Who has scrolled up to read is left alone.
  if (always || main.scrollHeight - main.scrollTop - main.clientHeight < 120) main.scrollTop = main.scrollHeight;
}

/** The answer as it grows. */
class AnswerView {
  constructor() {
    this.item = addMessage("assistant", "");
    this.item.classList.add("waiting");
    this.item.setAttribute("aria-busy", "true"); // read aloud when it is whole, not token by token
    this.text = this.item.querySelector(".text");
    this.thought = null;
  }

  add({ content, reasoning }) {
    if (reasoning) this.#thoughtText().append(reasoning);
    if (content) this.text.append(content);
    scrollDown();
  }

  end(note, failure = "") {
    this.item.classList.remove("waiting");
    this.item.removeAttribute("aria-busy");
    if (failure) this.item.append(element("div", "failure", failure));
    if (note) this.item.append(element("div", "meta", note));
    scrollDown();
  }

  #thoughtText() {
    if (this.thought === null) {
      const details = element("details");
      this.thought = element("div", "text");
      details.append(element("summary", "", say("thought")), this.thought);
      this.text.before(details);
    }
    return this.thought;
  }
}

// ---- what is done

function userMessage(text, files) {
  const parts = files.map((file) =>
    file.kind === "picture"
      ? { type: "image_url", image_url: { url: file.dataUri } }
      : { type: "audio_url", audio_url: { url: file.dataUri } },
  );
  if (text) parts.push({ type: "text", text });
  return { role: "user", content: files.length > 0 ? parts : text };
}

function requestBody(messages) {
  const body = { messages, stream: true, stream_options: { include_usage: true }, truncation: "auto" };
  const temperature = $("temperature").valueAsNumber;
  if (!Number.isNaN(temperature)) body.temperature = temperature;
  if ($("thinking").checked) body.enable_thinking = true;
  return body;
}

async function send() {
  const text = $("prompt").value.trim();
  if (running !== null || (text === "" && attachments.length === 0)) return;
  const files = attachments;
  const question = userMessage(text, files);
  const controller = new AbortController();
  const asked = conversation;
  showError("");
  addMessage("user", text, files);
  attachments = [];
  $("prompt").value = "";
  showAttachments();
  fitPrompt();
  running = controller;
  showRunning();
  const view = new AnswerView();
  const answer = { content: "", usage: null, start: performance.now(), first: null };
  let failure = "";
  try {
    for await (const piece of complete(requestBody([...asked, question]), key(), controller.signal)) {
      if (piece.content || piece.reasoning) answer.first ??= elapsed(answer.start);
      answer.content += piece.content ?? "";
      answer.usage = piece.usage ?? answer.usage;
      view.add(piece);
    }
  } catch (error) {
    if (!controller.signal.aborted) failure = say("failed", error.message);
  }
  if (running === controller) {
    running = null;
    showRunning();
  }
  if (failure === "" && asked === conversation) {
    conversation = [...asked, question, { role: "assistant", content: answer.content }];
  }
  view.end(controller.signal.aborted ? say("stopped") : noteOf(answer), failure);
  if (failure !== "") {
    // A failed turn is not part of the conversation: what was asked stands ready to be sent again.
    if ($("prompt").value === "") $("prompt").value = text;
    if (attachments.length === 0) attachments = files;
    showAttachments();
    fitPrompt();
    checkHealth();
  }
}

function noteOf({ usage, start, first }) {
  if (usage === null) return "";
  const notes = [say("tokens", usage.completion_tokens, elapsed(start).toFixed(1))];
  if (first !== null) notes.push(say("firstToken", first.toFixed(2)));
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  if (cached > 0) notes.push(say("cached", cached, usage.prompt_tokens));
  const dropped = usage.autoglm?.dropped_messages ?? 0;
  if (dropped > 0) notes.push(say("dropped", dropped));
  return notes.join(" · ");
}

function stop() {
  running?.abort();
}

function newChat() {
  stop();
  running = null;
  conversation = [];
  for (const file of attachments) URL.revokeObjectURL(file.url);
  attachments = [];
  $("messages").replaceChildren();
  $("welcome").hidden = false;
  showError("");
  showAttachments();
  showRunning();
  $("prompt").focus();
}

async function attach(kind, input) {
  for (const file of input.files) {
    const dataUri = await new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result));
      reader.addEventListener("error", () => reject(reader.error));
      reader.readAsDataURL(file);
    }).catch((error) => showError(say("unreadable", file.name, error.message)));
    if (dataUri) attachments = [...attachments, { kind, name: file.name, dataUri, url: URL.createObjectURL(file) }];
  }
  input.value = ""; // so that the same file can be chosen again
  showAttachments();
  $("prompt").focus();
}

const key = () => $("api-key").value.trim();

async function checkHealth() {
  const state = await getHealth();
  let model = status.model;
  if (state === "ok" || state === "degraded") {
    try {
      model = await getModel(key());
      showError("");
    } catch (error) {
      model = null;
      showError(error.status === 401 ? say("keyNeeded") : say("failed", error.message));
      if (error.status === 401) openSettings(true);
    }
  }
  status = { state, model };
  showStatus();
  if (state !== "ok") setTimeout(checkHealth, 2000);
}

function openSettings(isOpen) {
  $("settings").hidden = !isOpen;
  $("settings-button").setAttribute("aria-expanded", String(isOpen));
}

function fitPrompt() {
  const prompt = $("prompt");
  prompt.style.height = "auto";
  prompt.style.height = `${prompt.scrollHeight}px`;
}

// ---- wiring

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("prompt").addEventListener("input", fitPrompt);
$("prompt").addEventListener("keydown", (event) => {
  // While an input method composes a Chinese word, Enter belongs to it.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
$("stop").addEventListener("click", stop);
$("new-chat").addEventListener("click", newChat);
$("picture").addEventListener("change", (event) => attach("picture", event.target));
$("sound").addEventListener("change", (event) => attach("sound", event.target));
$("settings-button").addEventListener("click", () => openSettings($("settings").hidden));
$("language").addEventListener("click", () => {
  applyLanguage(otherLanguage());
  showStatus();
  showAttachments();
});
$("api-key").value = sessionStorage.getItem("apiKey") ?? "";
$("api-key").addEventListener("change", () => {
  sessionStorage.setItem("apiKey", key());
  checkHealth();
});

startLanguage();
showStatus();
showRunning();
fitPrompt();
checkHealth();
$("prompt").focus();
