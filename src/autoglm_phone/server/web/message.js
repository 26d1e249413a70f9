// How messages look: what was asked, what was answered, and what can be done with either.

import { pathOf, siblingsOf } from "./conversation.js";
import { $, copyButton, element, fit, iconButton, textButton } from "./dom.js";
import { follow } from "./follow.js";
import { MarkdownView } from "./markdown.js";
import { actionOf, wordsAt } from "./phone-action.js";
import { addBoxes, picture } from "./picture.js";
import { say } from "./words.js";

export class MessagesView {
  #list;
  #media;
  #actions;
  #conversation = null;
  #toEnd;

  /** media: {urlOf(id), readingOf(id)}. actions: {again, edit, choose}, each with a node. */
  constructor(list, media, actions) {
    this.#list = list;
    this.#media = media;
    this.#actions = actions;
    this.#toEnd = follow(document.querySelector("main"), list);
  }

  show(conversation) {
    this.#conversation = conversation;
    const path = pathOf(conversation);
    $("welcome").hidden = path.length > 0;
    this.#list.replaceChildren();
    for (const node of path) {
      const view = this.#append(node);
      if (node.role === "assistant") view.finish(node);
    }
    this.#toEnd();
  }

  /** A further message. Of an answer comes back how it grows: {grow(node), finish(node)}. */
  add(node) {
    $("welcome").hidden = true;
    const view = this.#append(node);
    this.#toEnd();
    return view;
  }

  #append(node) {
    const tools = (item) => toolsOf(node, item, this.#conversation, this.#actions);
    const screen = () => this.#screenBefore(node);
    const view = node.role === "user" ? new QuestionView(node, this.#media, tools) : new AnswerView(tools, screen, this.#actions);
    this.#list.append(view.item);
    return view;
  }

  /** The last picture that was shown to the model before this answer. */
  #screenBefore(node) {
    const pictures = pathOf(this.#conversation, node.id).flatMap(({ files }) => files.filter(({ kind }) => kind === "picture"));
    const last = pictures.at(-1);
    return last && { ...last, url: this.#media.urlOf(last.id), reading: this.#media.readingOf(last.id) };
  }
}

class QuestionView {
  constructor(node, media, toolsFor) {
    this.item = messageItem("user");
    if (node.files.length > 0) {
      const shown = element("div", "media");
      shown.append(...node.files.map((file) => mediaNode(file, media)));
      this.item.append(shown);
    }
    if (node.text) this.item.append(element("div", "text plain", node.text));
    this.item.append(toolsFor(this.item));
  }
}

class AnswerView {
  #text;
  #markdown;
  #thought = null;
  #toolsFor;
  #screen;
  #actions;

  constructor(toolsFor, screen, actions) {
    this.item = messageItem("assistant");
    this.item.classList.add("waiting");
    this.item.setAttribute("aria-busy", "true"); // read aloud when it is whole, not token by token
    this.#text = element("div", "text");
    this.item.append(this.#text);
    this.#markdown = new MarkdownView(this.#text);
    this.#toolsFor = toolsFor;
    this.#screen = screen;
    this.#actions = actions;
  }

  grow({ text, thought }) {
    if (text === "") this.#showThought(thought);
    this.#markdown.update(text);
  }

  finish(node) {
    this.#showThought(node.thought);
    this.#markdown.finish(node.text);
    this.item.classList.remove("waiting");
    this.item.removeAttribute("aria-busy");
    const action = actionOf(node.text);
    const screen = action && this.#screen();
    if (screen?.url) this.item.append(markedScreen(action, screen));
    if (node.failure) this.item.append(this.#failure(node));
    const note = node.note && noteText(node.note);
    if (note) this.item.append(element("div", "meta", note));
    this.item.append(this.#toolsFor(this.item));
  }

  #failure(node) {
    const made = element("div", "failure", say("failed", node.failure));
    made.append(textButton(say("retry"), () => this.#actions.again(node)));
    return made;
  }

  #showThought(text) {
    if (!text) return;
    if (this.#thought === null) {
      const details = element("details");
      this.#thought = element("div", "text plain");
      details.append(element("summary", "", say("thought")), this.#thought);
      this.#text.before(details);
    }
    this.#thought.textContent = text;
  }
}

function messageItem(role) {
  const item = element("li", `message ${role}`);
  item.append(element("span", "unseen", say(role)));
  return item;
}

function mediaNode({ id, kind, name }, media) {
  const url = media.urlOf(id);
  if (kind === "sound") {
    const audio = element("audio");
    audio.controls = true;
    audio.src = url;
    audio.setAttribute("aria-label", name);
    return audio;
  }
  const figure = picture(url, name);
  media.readingOf(id).then((reading) => reading && addBoxes(figure, reading));
  return figure;
}

/** The screen with a mark where the action points, and the words there in its label once they are known. */
function markedScreen({ name, points }, { url, reading, name: file }) {
  const places = points.map(({ x, y }) => `${x}, ${y}`).join(" → ");
  const label = say("action", name, places, "");
  const figure = picture(url, file, { marks: points, label: say("actionPicture", label) });
  const caption = element("figcaption", "", label);
  figure.classList.add("action");
  figure.append(caption);
  reading.then((read) => {
    const words = read && wordsAt(points[0], read.lines);
    if (words) caption.textContent = say("action", name, places, words);
  });
  return figure;
}

function noteText({ isStopped, tokens, seconds, rate, first, cached, prompt, dropped }) {
  const notes = isStopped ? [say("stopped")] : [];
  if (tokens !== null) notes.push(say("tokens", tokens, seconds.toFixed(1)));
  if (rate !== null) notes.push(say("rate", rate.toFixed(rate < 100 ? 1 : 0)));
  if (first !== null) notes.push(say("firstToken", first.toFixed(2)));
  if (cached > 0) notes.push(say("cached", cached, prompt));
  if (dropped > 0) notes.push(say("dropped", dropped));
  return notes.join(" · ");
}

function toolsOf(node, item, conversation, actions) {
  const bar = element("div", "tools");
  const siblings = siblingsOf(conversation, node);
  if (siblings.length > 1) bar.append(branches(node, siblings, actions));
  if (node.text) bar.append(copyButton(say("copy"), () => node.text));
  if (node.role === "user") bar.append(iconButton("edit", say("edit"), () => openEditor(node, item, actions)));
  else if (!node.failure) bar.append(iconButton("again", say("again"), () => actions.again(node)));
  return bar;
}

function branches(node, siblings, actions) {
  const at = siblings.findIndex(({ id }) => id === node.id);
  const made = element("span", "branches");
  const step = (name, label, to) => {
    const button = iconButton(name, say(label), () => actions.choose(siblings[to]));
    button.disabled = siblings[to] === undefined;
    return button;
  };
  const count = element("span", "", `${at + 1}/${siblings.length}`);
  count.setAttribute("aria-label", say("branch", at + 1, siblings.length));
  count.setAttribute("role", "img"); // two numbers and a stroke, read as the words of its label
  made.append(step("back", "branchBack", at - 1), count, step("on", "branchOn", at + 1));
  return made;
}

function openEditor(node, item, actions) {
  const area = element("textarea");
  area.value = node.text;
  area.setAttribute("aria-label", say("edit"));
  const buttons = element("div", "buttons");
  const save = () => {
    const text = area.value.trim();
    if (text || node.files.length > 0) actions.edit(node, text);
  };
  const close = () => {
    editor.remove();
    item.classList.remove("editing");
    item.querySelector(".tools button")?.focus();
  };
  buttons.append(textButton(say("cancel"), close), textButton(say("saveEdit"), save));
  const editor = element("div", "editor");
  editor.append(area, buttons);
  area.addEventListener("input", () => fit(area));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      save();
    }
  });
  item.classList.add("editing");
  item.append(editor);
  fit(area);
  area.focus();
}
