// The browser's own voice, for servers without one: sentence by sentence while the answer streams.

const SENTENCE = /[^.!?。！？\n]*[.!?。！？\n]+["'”’」』）)]*\s*/gu;

export class BrowserVoice {
  constructor(onSilence) {
    this.onSilence = onSilence;
    this.rest = "";
    this.open = 0;
  }

  static get isThere() {
    return "speechSynthesis" in globalThis;
  }

  get isPlaying() {
    return this.open > 0;
  }

  push(text) {
    this.rest += text;
    this.rest = this.rest.replace(SENTENCE, (sentence) => {
      this.#say(sentence);
      return "";
    });
  }

  finish() {
    this.#say(this.rest);
    this.rest = "";
  }

  stop() {
    this.rest = "";
    this.open = 0;
    speechSynthesis.cancel();
  }

  #say(sentence) {
    const words = sentence.replace(/[*_`#>|]/g, "").trim();
    if (words === "") return;
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
