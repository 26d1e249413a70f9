// How long an answer takes, and what the server counts of it.

export class AnswerClock {
  #start = performance.now();
  #first = null;
  #last = null;
  #usage = null;

  take({ content, reasoning, usage }) {
    if (content || reasoning) {
      this.#last = performance.now();
      this.#first ??= this.#last;
    }
    this.#usage = usage ?? this.#usage;
  }

  /** {seconds, first, tokens, rate, prompt, cached, dropped}; null for what is not known. Times in seconds. */
  note() {
    const tokens = this.#usage?.completion_tokens ?? null;
    const between = this.#first === null ? 0 : (this.#last - this.#first) / 1000;
    return {
      seconds: (performance.now() - this.#start) / 1000,
      first: this.#first === null ? null : (this.#first - this.#start) / 1000,
      tokens,
      // the first token belongs to the prompt's time
      rate: tokens > 1 && between > 0 ? (tokens - 1) / between : null,
      prompt: this.#usage?.prompt_tokens ?? null,
      cached: this.#usage?.prompt_tokens_details?.cached_tokens ?? 0,
      dropped: this.#usage?.autoglm?.dropped_messages ?? 0,
    };
  }
}
