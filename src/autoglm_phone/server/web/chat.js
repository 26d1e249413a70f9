// The conversation that is shown, and the one answer that may be under way. Knows no nodes: `view` shows.

import { AnswerClock } from "./answer-clock.js";
import { complete } from "./api.js";
import { addNode, asked, choose, newConversation, pathOf } from "./conversation.js";
import { dataUriOf } from "./files.js";

export class Chat {
  conversation = newConversation();
  /** The records of its files, by id. */
  files = new Map();
  #library;
  #view;
  #settings;
  #listeners = [];
  #running = null; // AbortController
  #answering = Promise.resolve();
  #onChange;
  #onUnkept;
  #explain;

  /**
   * settings: {key(), fields(), system()}. onChange: a conversation was kept, or an answer began or ended.
   * onUnkept(error): the browser would not keep one. explain(error): what went wrong with an answer, in words.
   */
  constructor({ library, view, settings, onChange, onUnkept, explain }) {
    this.#library = library;
    this.#view = view;
    this.#settings = settings;
    this.#onChange = onChange;
    this.#onUnkept = onUnkept;
    this.#explain = explain;
  }

  get isRunning() {
    return this.#running !== null;
  }

  /** listener({text, isDone, isSpoken, isStopped}) hears every piece of an answer. */
  onAnswer(listener) {
    this.#listeners.push(listener);
  }

  async startNew() {
    await this.quiet();
    this.#show(newConversation(), []);
  }

  async open(conversation) {
    await this.quiet();
    this.#show(conversation, await this.#library.filesOf(conversation.id));
  }

  /** What another tab has added to the conversation. The branch that is shown stays, and grows. */
  async refresh() {
    const { id, leaf, nodes } = this.conversation;
    const kept = await this.#library.get(id);
    const isSame = kept && sizeOf(kept.nodes) === sizeOf(nodes);
    if (!kept || isSame || this.isRunning || this.conversation.id !== id) return;
    if (leaf in kept.nodes && !pathOf(kept).some((node) => node.id === leaf)) kept.leaf = leaf;
    this.#show(kept, await this.#library.filesOf(id));
  }

  /** Asks. Resolves to the whole answer's text. Nothing happens while another answer is under way. */
  async send(text, files = [], { isSpoken = false } = {}) {
    if (this.isRunning || (text === "" && files.length === 0)) return "";
    const { conversation } = this;
    for (const file of files) {
      file.conversation = conversation.id;
      this.files.set(file.id, file);
    }
    const shown = files.map(({ id, kind, name }) => ({ id, kind, name }));
    const node = addNode(conversation, conversation.leaf, { role: "user", text, files: shown });
    this.#view.add(node);
    return this.#answer(node, files, isSpoken);
  }

  /** Another answer to the same question. */
  async again(answer) {
    await this.quiet();
    const question = this.conversation.nodes[answer.parent];
    this.conversation.leaf = question.id;
    this.#view.show(this.conversation);
    return this.#answer(question);
  }

  /** The question in other words, and an answer to that. */
  async edit(question, text) {
    await this.quiet();
    const { files } = question;
    const node = addNode(this.conversation, question.parent, { role: "user", text, files });
    this.#view.show(this.conversation);
    return this.#answer(node);
  }

  async choose(node) {
    await this.quiet();
    choose(this.conversation, node);
    this.#view.show(this.conversation);
    await this.#keep(this.conversation);
  }

  stop() {
    this.#running?.abort();
  }

  /** Stops, and waits until the answer has ended. */
  async quiet() {
    this.stop();
    await this.#answering;
  }

  #show(conversation, files) {
    this.conversation = conversation;
    this.files = new Map(files.map((file) => [file.id, file]));
    this.#view.show(conversation);
    this.#onChange();
  }

  #answer(question, files = [], isSpoken = false) {
    this.#answering = this.#stream(question, files, isSpoken);
    return this.#answering;
  }

  /** files: those that are new with the question. Never rejects: what goes wrong stands in the answer. */
  async #stream(question, files, isSpoken) {
    const { conversation } = this;
    const controller = (this.#running = new AbortController());
    const path = asked(pathOf(conversation, question.id));
    const node = addNode(conversation, question.id, { role: "assistant" });
    const view = this.#view.add(node);
    const clock = new AnswerClock();
    this.#onChange();
    await this.#keep(conversation, files);
    try {
      const body = await this.#body(path);
      for await (const piece of complete(body, this.#settings.key(), controller.signal)) {
        clock.take(piece);
        node.text += piece.content ?? "";
        node.thought += piece.reasoning ?? "";
        view.grow(node);
        if (piece.content) this.#tell({ text: piece.content, isDone: false, isSpoken, isStopped: false });
      }
    } catch (error) {
      if (!controller.signal.aborted) node.failure = this.#explain(error);
    }
    const isStopped = controller.signal.aborted;
    node.note = { ...clock.note(), isStopped };
    this.#running = null;
    view.finish(node);
    this.#tell({ text: "", isDone: true, isSpoken, isStopped });
    conversation.changed = Date.now();
    await this.#keep(conversation);
    return node.text;
  }

  #tell(piece) {
    for (const listener of this.#listeners) listener(piece);
  }

  async #keep(conversation, files = []) {
    try {
      await Promise.all(files.map((file) => this.#library.putFile(file)));
      await this.#library.put(conversation);
    } catch (error) {
      this.#onUnkept(error); // no room, mostly: the chat goes on
    }
    this.#onChange();
  }

  async #body(path) {
    const system = this.#settings.system();
    const messages = system === "" ? [] : [{ role: "system", content: system }];
    for (const node of path) messages.push(await this.#message(node));
    const stream = { stream: true, stream_options: { include_usage: true }, truncation: "auto" };
    return { messages, ...stream, ...this.#settings.fields() };
  }

  async #message({ role, text, files }) {
    if (role === "assistant" || files.length === 0) return { role, content: text };
    const content = [];
    for (const { id, kind } of files) {
      const url = await dataUriOf(this.files.get(id).blob);
      content.push(kind === "picture" ? { type: "image_url", image_url: { url } } : { type: "audio_url", audio_url: { url } });
    }
    if (text) content.push({ type: "text", text });
    return { role, content };
  }
}

/** Grows with every message that comes, and with every answer that ends. */
const sizeOf = (nodes) => Object.values(nodes).reduce((size, { note }) => size + (note ? 2 : 1), 0);
