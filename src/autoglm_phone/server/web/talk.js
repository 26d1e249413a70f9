// Talking to the chat page: a button to hold while one speaks, and one for hands-free. What is heard becomes messages of
// the chat, and their answers are spoken.

import { $ } from "./dom.js";
import { Hold } from "./hold.js";
import { LevelMeter } from "./level-meter.js";
import { say } from "./words.js";

// A session that waits for the next press is given back to the server after so long.
const IDLE_MS = 60_000;
const HINT_MS = 5000;

export class Talk {
  #options;
  #hold;
  #meter = new LevelMeter($("talk-level"));
  #voice = null;
  #opening = null; // a promise of #voice
  #isHearing = false;
  #isFree = false; // whether the session is hands-free
  #state = "closed";
  #draft = "";
  #hint = "";
  #timers = {};

  /**
   * key(): the server's. isSpoken(): whether answers are to be spoken. isBusy(): whether an answer is under way.
   * onTurn(text): what was said is to be sent. onInterrupt(): whoever speaks wants no more of the answer. onError(text).
   */
  constructor(options) {
    this.#options = options;
    this.#hold = new Hold($("hold"), {
      press: () => this.#press(),
      release: () => this.#release(),
      cancel: () => this.#cancel(),
      change: () => this.show(),
    });
    $("hands-free").addEventListener("click", () => this.#toggle());
    $("talk-cancel").addEventListener("click", () => (this.#hold.isHeld ? this.#hold.cancel() : this.#voice?.stop()));
    this.show();
  }

  /** isHearing: whether the server takes sounds. Only then is what does the work loaded. */
  async setAvailable(isHearing) {
    this.#isHearing = isHearing;
    if (!isHearing) this.#voice?.stop();
    const isPossible = isHearing && (await import("./voice.js")).canHear();
    $("voice").hidden = !(isPossible && this.#isHearing);
  }

  /** A piece of an answer of the chat's. isSpoken: it answers what was spoken. */
  hear({ text, isDone, isSpoken, isStopped }) {
    if (isStopped) this.#voice?.hush();
    else if (isSpoken && this.#options.isSpoken()) this.#voice?.say(text, isDone);
  }

  /** Say no more of what is being said. */
  hush() {
    this.#voice?.hush();
  }

  show() {
    const isOn = this.#voice !== null || this.#opening !== null;
    const { isHeld, isAway } = this.#hold;
    const words = this.#words();
    $("talk").className = words === "" && this.#draft === "" ? "unseen" : isAway ? "away" : this.#state;
    $("talk-state").textContent = words;
    $("talk-draft").textContent = this.#draft;
    $("talk-cancel").hidden = !(isHeld || (isOn && (this.#isFree || this.#state === "speaking")));
    $("hold").setAttribute("aria-pressed", String(isHeld));
    $("hands-free").setAttribute("aria-pressed", String(this.#isFree && isOn));
    const name = say(this.#isFree && isOn ? "handsFreeEnd" : "handsFree");
    $("hands-free").setAttribute("aria-label", name);
    $("hands-free").title = name;
  }

  #words() {
    const { isHeld, isAway, isTapped } = this.#hold;
    if (isAway) return say("talkAway");
    if (isHeld && this.#state !== "hearing") return say("talkOpening");
    if (isHeld) return say(isTapped ? "talkTapped" : "talkHeld");
    if (this.#state === "closed" || this.#state === "ready") return this.#hint && say(this.#hint);
    if (this.#state === "speaking" && !this.#isFree) return say("talkSaying");
    return say(`talk_${this.#state}`);
  }

  async #press() {
    this.#options.onError("");
    this.#tell("");
    try {
      const voice = await this.#session(false);
      if (this.#hold.isHeld) await voice.press();
    } catch (error) {
      this.#hold.cancel();
      this.#fail(error);
    }
  }

  #release() {
    if (!this.#voice?.release()) this.#tell("talkEarly");
    this.show();
  }

  #cancel() {
    this.#voice?.cancel();
    this.#tell("");
  }

  async #toggle() {
    if (this.#isFree && this.#voice !== null) return this.#voice.stop();
    this.#options.onError("");
    this.#tell("");
    $("hands-free").disabled = true;
    try {
      await this.#session(true);
    } catch (error) {
      this.#fail(error);
    }
    $("hands-free").disabled = false;
  }

  /** The session that is open, or another. */
  async #session(isFree) {
    await this.#opening?.catch(() => {}); // whoever began it has heard of the error
    if (this.#voice !== null && this.#isFree === isFree) return this.#voice;
    this.#voice?.stop();
    this.#isFree = isFree;
    this.#opening = import("./voice.js").then(({ startVoice }) => startVoice(this.#voiceOptions()));
    try {
      this.#voice = await this.#opening;
    } finally {
      this.#opening = null;
      this.show();
    }
    return this.#voice;
  }

  #voiceOptions() {
    return {
      key: this.#options.key(),
      handsFree: this.#isFree,
      answers: false,
      onState: (state) => this.#change(state),
      onLevel: (level) => this.#meter.push(level),
      onHeard: (heard) => this.#heard(heard),
      onInterrupt: this.#options.onInterrupt,
      onError: (error) => this.#fail(error),
    };
  }

  #change(state) {
    this.#state = state;
    if (state === "closed") {
      this.#voice = null;
      if (!this.#isFree) this.#hold.cancel();
    }
    if (state !== "hearing" && state !== "thinking") this.#draft = "";
    if (state !== "hearing") this.#meter.clear();
    clearTimeout(this.#timers.idle);
    if (state === "ready") this.#closeWhenIdle();
    this.show();
  }

  #closeWhenIdle() {
    this.#timers.idle = setTimeout(() => (this.#options.isBusy() ? this.#closeWhenIdle() : this.#voice?.stop()), IDLE_MS);
  }

  #heard({ text, isFinal }) {
    if (!isFinal) {
      if (this.#state === "hearing" || this.#state === "thinking") this.#draft = text;
    } else {
      this.#draft = "";
      if (text === "") this.#tell("talkNothing");
      else this.#options.onTurn(text);
    }
    this.show();
  }

  /** Say something where the state would stand, for a while; "" for nothing. */
  #tell(name) {
    clearTimeout(this.#timers.hint);
    this.#hint = name;
    if (name) this.#timers.hint = setTimeout(() => this.#tell(""), HINT_MS);
    this.show();
  }

  #fail(error) {
    const isRefused = error.name === "NotAllowedError" || error.name === "NotFoundError";
    this.#options.onError(say(isRefused ? "noMicrophone" : "failed", error.message));
  }
}
