// The chat page, put together.

import { Attachments } from "./attachments.js";
import { Capture } from "./capture.js";
import { Chat } from "./chat.js";
import { $, fit } from "./dom.js";
import { FileUrls } from "./files.js";
import { openLibrary } from "./library.js";
import { MessagesView } from "./message.js";
import { Readings } from "./readings.js";
import { ServerState } from "./server-state.js";
import * as settings from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { Talk } from "./talk.js";
import { applyLanguage, otherLanguage, say, startLanguage } from "./words.js";

function explain(error) {
  server.check(); // it may have gone, or have other modules
  return error.isLost ? say("lost") : error.status === 401 ? say("keyNeeded") : error.message;
}

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = text === "";
}

startLanguage();

const library = await openLibrary();
const urls = new FileUrls();
const readings = new Readings(settings.key, async (file) => file.conversation && library.putFile(file));
const media = {
  urlOf: (id) => (chat.files.has(id) ? urls.of(chat.files.get(id)) : ""),
  readingOf: (id) => readings.of(chat.files.get(id)),
};
const view = new MessagesView($("messages"), media, {
  again: (node) => chat.again(node),
  edit: (node, text) => chat.edit(node, text),
  choose: (node) => chat.choose(node),
});
const chat = new Chat({
  library,
  view,
  settings,
  onChange: showChange,
  onUnkept: (error) => showError(say("unkept", error.message)),
  explain,
});
const server = new ServerState(settings.key, {
  onError: (error) => {
    showError(error === null ? "" : error.status === 401 ? say("keyNeeded") : say("failed", error.message));
    settings.askForKey(error?.status === 401);
  },
  onModel: () => talk.setAvailable(server.canHear),
});
const attachments = new Attachments({
  urls,
  onFile: read,
  onError: showError,
});
const capture = new Capture({ onPicture: (file) => attachments.add([file]), onError: showError });
const talk = new Talk({
  key: settings.key,
  isSpoken: settings.isSpoken,
  isBusy: () => chat.isRunning,
  onTurn: sendSpoken,
  onInterrupt: () => chat.stop(),
  onError: showError,
});
chat.onAnswer((piece) => talk.hear(piece));
const sidebar = new Sidebar({
  library,
  current: () => chat.conversation.id,
  open: (conversation) => go(() => chat.open(conversation)),
  onNew: () => go(() => chat.startNew()),
  remove: async (id) => {
    if (id === chat.conversation.id) await go(() => chat.startNew());
    await library.remove(id);
  },
  onError: showError,
});

function showChange() {
  $("send").hidden = chat.isRunning;
  $("stop").hidden = !chat.isRunning;
  sessionStorage.setItem("conversation", chat.conversation.id);
  sidebar.show();
}

async function go(action) {
  showError("");
  talk.hush();
  urls.clear();
  await action();
  $("prompt").focus();
}

async function send() {
  const text = $("prompt").value.trim();
  if (chat.isRunning || (text === "" && attachments.isEmpty)) return;
  showError("");
  showPrompt("");
  const files = await attachments.takeAll();
  files.forEach(read); // those that came before the server was known
  await chat.send(text, files);
}

function read(file) {
  if (file.kind === "picture" && server.canRead) readings.begin(file);
}

/** What was spoken is asked like what was written. */
async function sendSpoken(text) {
  await chat.quiet();
  await chat.send(text, await attachments.takeAll(), { isSpoken: true });
}

function showPrompt(text) {
  $("prompt").value = text;
  fit($("prompt"));
}

/** After a reload the tab shows what it showed. */
async function reopen() {
  const id = sessionStorage.getItem("conversation");
  const shown = (await library.all()).find((conversation) => conversation.id === id);
  await (shown ? chat.open(shown) : chat.startNew());
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("prompt").addEventListener("input", () => fit($("prompt")));
$("prompt").addEventListener("keydown", (event) => {
  // While an input method composes a Chinese word, Enter belongs to it.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
$("stop").addEventListener("click", () => chat.stop());
$("language").addEventListener("click", () => {
  applyLanguage(otherLanguage());
  server.show();
  attachments.show();
  talk.show();
  if (!chat.isRunning) view.show(chat.conversation);
  sidebar.show();
});
addEventListener("pagehide", () => capture.stop());

library.onChange((id) => {
  if (id === chat.conversation.id) chat.refresh();
  sidebar.show();
});
settings.startSettings({ onKey: () => server.check() });
await reopen();
$("prompt").disabled = false; // before, a question would have no conversation to stand in
server.show();
await server.check();
if (!library.isKept) showError(say("notKept"));
fit($("prompt"));
if (document.activeElement === document.body) $("prompt").focus(); // and not where a key is asked for
