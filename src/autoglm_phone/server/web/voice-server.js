// The server's voice for an answer that comes from elsewhere: a request to /v1/audio/speech for each sentence.

import { headers } from "./api.js";
import { toFloats } from "./voice-player.js";
import { Sentences } from "./voice-sentences.js";

export class ServerVoice {
  /** request: fields of every request. onIdle: nothing is fetched any more. */
  constructor({ player, key, request, onIdle, onError }) {
    Object.assign(this, { player, key, request, onIdle, onError });
    this.sentences = new Sentences((words) => this.#say(words));
    this.controller = new AbortController();
    this.last = Promise.resolve();
    this.open = 0;
  }

  get isPlaying() {
    return this.open > 0;
  }

  push(text) {
    this.sentences.push(text);
  }

  finish() {
    this.sentences.finish();
  }

  stop() {
    this.sentences.clear();
    this.controller.abort();
    this.controller = new AbortController();
  }

  #say(words) {
    const { signal } = this.controller;
    this.open += 1;
    const sound = this.#fetch(words, signal);
    sound.catch(() => {}); // told below, in order
    this.last = this.last
      .then(() => sound)
      .then((samples) => signal.aborted || this.player.playSamples("answer", samples))
      .catch((error) => signal.aborted || this.onError(error))
      .finally(() => {
        this.open -= 1;
        if (this.open === 0) this.onIdle();
      });
  }

  async #fetch(words, signal) {
    const response = await fetch(new URL("../v1/audio/speech", import.meta.url), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers(this.key) },
      body: JSON.stringify({ ...this.request, input: words, response_format: "pcm" }),
      signal,
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    return toFloats(await response.arrayBuffer());
  }
}
