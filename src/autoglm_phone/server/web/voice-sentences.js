// An answer as it streams, to sentences that can be spoken: Markdown's marks are taken out.

const SENTENCE = /[^.!?。！？\n]*[.!?。！？\n]+["'”’」』）)]*\s*/gu;

export class Sentences {
  /** onSentence(words) is called for every sentence that has words. */
  constructor(onSentence) {
    this.onSentence = onSentence;
    this.rest = "";
  }

  push(text) {
    this.rest = (this.rest + text).replace(SENTENCE, (sentence) => {
      this.#tell(sentence);
      return "";
    });
  }

  finish() {
    this.#tell(this.rest);
    this.rest = "";
  }

  clear() {
    this.rest = "";
  }

  #tell(sentence) {
    const words = sentence.replace(/[*_`#>|]/g, "").trim();
    if (words !== "") this.onSentence(words);
  }
}
