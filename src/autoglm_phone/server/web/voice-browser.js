// The browser's own voice, for servers without one: sentence by sentence while the answer streams.

import { Sentences } from "./voice-sentences.js";

export class BrowserVoice {
  constructor(onSilence) {
    this.onSilence = onSilence;
    this.sentences = new Sentences((words) => this.#say(words));
    this.open = 0;
    speechSynthesis.getVoices(); // asked for once, it begins to load them
  }

  static get isThere() {
    return "speechSynthesis" in globalThis;
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
    this.open = 0;
    speechSynthesis.cancel();
  }

  #say(words) {
    if (speechSynthesis.getVoices().length === 0) return; // it would wait for one for ever
    const utterance = new SpeechSynthesisUtterance(words);
    utterance.lang = /[\u3400-\u9fff]/u.test(words) ? "zh-CN" : "en-US";
    const done = () => {
      if (this.open === 0) return;
      this.open -= 1;
      if (this.open === 0) this.onSilence();
    };
    utterance.addEventListener("end", done);
    utterance.addEventListener("error", done);
    this.open += 1;
    speechSynthesis.speak(utterance);
  }
}
